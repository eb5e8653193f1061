"""Whether a subreddit is silent for longer than is usual for it. Pure.

The usual gap is the median, over the days of the two weeks before its newest item, of each day's longest pause between
hours with items: nights are in it. Three times as long without anything is silence. With fewer than three days to
learn from nobody can say.

Simulated with items that come at random, more by day: one with five items a day or more is wrongly called silent less
than once in a year, one with two a day every two months; where weekends have a fifth of the items, once or twice a
month.
"""

from __future__ import annotations

import statistics
from bisect import bisect_left
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

HOUR_S: Final = 3600
_DAY_S: Final = 24 * HOUR_S
#: What is learned from. Chosen, not measured.
WINDOW_S: Final = 14 * _DAY_S
#: How long ago the newest item may be, so that a silence of weeks still is one. Chosen, not measured.
LOOK_BACK_S: Final = 60 * _DAY_S
#: Chosen, not measured: two days may both be a weekend's.
_LEAST_DAYS: Final = 3
#: A usual gap is never held for shorter. Chosen: with less, a quiet weekend of a busy subreddit was silence.
LEAST_GAP_S: Final = 3 * HOUR_S
TIMES: Final = 3


def judge(hours_utc: Sequence[int], now_utc: int) -> str | None:
    """Return in words that there is silence; empty where there is none, None where nobody can say.

    ``hours_utc`` are the beginnings of the hours with items, in order, as far as :data:`LOOK_BACK_S` ago.
    """
    usual_s = usual_gap_s(hours_utc)
    if usual_s is None:
        return None
    silence_s = now_utc - (hours_utc[-1] + HOUR_S)
    if silence_s <= TIMES * usual_s:
        return ""
    return f"nothing new for {silence_s / HOUR_S:.0f} h; its longest pause of a day is usually {usual_s / HOUR_S:.0f} h"


def usual_gap_s(hours_utc: Sequence[int]) -> float | None:
    """Return the usual gap; None with too little to learn from."""
    longest: dict[int, int] = {}
    learned = hours_utc[bisect_left(hours_utc, hours_utc[-1] - WINDOW_S) :] if hours_utc else ()
    for before, after in pairwise(learned):
        day = after // _DAY_S
        longest[day] = max(longest.get(day, 0), after - before)
    if len(longest) < _LEAST_DAYS:
        return None
    return max(LEAST_GAP_S, statistics.median(longest.values()))
