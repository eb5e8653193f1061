"""Whether roll-ups say what the items say: for any store, by reading all of both.

Slow and dear on a database that charges by what is read: an operator's command, never a routine. Roll-ups outlive their
items; an hour that is older than the retention can't be recounted.
"""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from agent.store.sqlite_upkeep import DIFFERENCES_TOLD, Difference, Verification

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.records import Hour
    from agent.store.protocol import Reading

_HOUR_S: Final = 3600
#: As many as are read at once.
_ROWS: Final = 1000
#: Sums of compounds differ by this much by the order of adding alone, at the very most.
_TOLERANCE: Final = 1e-6
_FIGURES: Final = ("positive", "neutral", "negative", "sum of compounds")
_PLACES: Final = {"positive": 0, "neutral": 1, "negative": 2}

Key = tuple[str, int]


async def verify(store: Reading, retained_from_utc: int, on_progress: Callable[[int], None]) -> Verification:
    """Recount every hour from ``retained_from_utc`` on and compare; ``on_progress`` gets the items read so far.

    Raises:
        StoreUnavailable: the store can't be read to the end.

    """
    began_s = time.monotonic()
    counted, items = await _count(store, on_progress)
    stored = await _stored(store)
    old = {key for key in stored if key[1] < retained_from_utc}
    differences = [
        difference for key in sorted((stored.keys() | counted.keys()) - old) for difference in _of(key, stored, counted)
    ]
    return Verification(
        differences=tuple(differences[:DIFFERENCES_TOLD]),
        difference_count=len(differences),
        damages=(),
        items=items,
        hours=len(stored) - len(old),
        hours_not_verifiable=len(old),
        took_s=time.monotonic() - began_s,
    )


async def _count(store: Reading, on_progress: Callable[[int], None]) -> tuple[dict[Key, list[float]], int]:
    counted: defaultdict[Key, list[float]] = defaultdict(lambda: [0, 0, 0, 0.0])
    items, after = 0, None
    while kept := await store.scan(after, _ROWS):
        for each in kept:
            item, score = each.scored.item, each.scored.score
            cell = counted[item.subreddit.lower(), item.created_utc // _HOUR_S * _HOUR_S]
            cell[_PLACES[score.sentiment]] += 1
            cell[3] += score.compound
        items, after = items + len(kept), kept[-1].place
        on_progress(items)
    return dict(counted), items


async def _stored(store: Reading) -> dict[Key, list[float]]:
    stored: dict[Key, list[float]] = {}
    after: Hour | None = None
    while hours := await store.hours(after, _ROWS):
        for each in hours:
            figures = [each.positive, each.neutral, each.negative, each.compound_sum]
            stored[each.subreddit.lower(), each.hour_utc] = figures
        after = hours[-1]
    return stored


def _of(key: Key, stored: dict[Key, list[float]], counted: dict[Key, list[float]]) -> Iterator[Difference]:
    nothing = [0, 0, 0, 0.0]
    figures = zip(_FIGURES, stored.get(key, nothing), counted.get(key, nothing), strict=True)
    for name, is_stored, is_counted in figures:
        if abs(is_stored - is_counted) > _TOLERANCE:
            what = f"{name} of r/{key[0]} in the hour {key[1]}"
            yield Difference(what=what, stored=is_stored, counted=is_counted)
