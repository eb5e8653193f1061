"""Whether a subreddit is silent: three times its usual pause, nights included, and never by a guess."""

from __future__ import annotations

import pytest

from api.silence import HOUR_S, LEAST_GAP_S, judge, usual_gap_s

DAY_S = 24 * HOUR_S
#: The beginning of a day, UTC.
MIDNIGHT = 1_760_486_400


def days(count: int, hours: range) -> list[int]:
    """Return the hours with items: the same ones of each of ``count`` days."""
    return [MIDNIGHT + day * DAY_S + hour * HOUR_S for day in range(count) for hour in hours]


def test_a_quiet_night_is_no_silence() -> None:
    """Nobody writes from 22 to 8; at 7 in the morning all is as always."""
    seen = days(10, range(8, 22))
    assert usual_gap_s(seen) == 11 * HOUR_S
    assert judge(seen, MIDNIGHT + 10 * DAY_S + 7 * HOUR_S) == ""


def test_three_times_the_usual_pause_is_silence() -> None:
    """And is told with both figures."""
    seen = days(10, range(8, 22))
    end = seen[-1] + HOUR_S
    assert judge(seen, end + 33 * HOUR_S) == ""
    assert judge(seen, end + 34 * HOUR_S) == "nothing new for 34 h; its longest pause of a day is usually 11 h"


def test_a_busy_subreddit_is_not_silent_before_nine_hours() -> None:
    """A usual gap is never held for shorter than three: nobody should be called for a quiet Sunday."""
    seen = days(10, range(24))
    end = seen[-1] + HOUR_S
    assert judge(seen, end + 9 * HOUR_S) == ""
    assert judge(seen, end + 9 * HOUR_S + 1) == "nothing new for 9 h; its longest pause of a day is usually 3 h"


def test_a_silence_of_weeks_is_still_one() -> None:
    """What is usual is learned from before the silence, so silence does not become usual, nor unknown."""
    seen = days(20, range(24))
    assert judge(seen, seen[-1] + 30 * DAY_S) == "nothing new for 719 h; its longest pause of a day is usually 3 h"


@pytest.mark.parametrize("seen", [[], days(1, range(24)), days(2, range(24))])
def test_with_too_little_to_learn_from_nobody_is_silent(seen: list[int]) -> None:
    """Missing is not zero: a subreddit that was never read has no usual pause."""
    assert judge(seen, MIDNIGHT + 30 * DAY_S) is None


def test_one_long_outage_does_not_make_silence_usual() -> None:
    """The median, not the longest: five days without a collection are not how it is."""
    seen = [*days(5, range(24)), *(hour + 10 * DAY_S for hour in days(4, range(24)))]
    assert usual_gap_s(seen) == LEAST_GAP_S
