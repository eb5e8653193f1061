"""Where a series of counts changed its level, beyond what chance does. Pure: buckets in, places out.

Binary segmentation (Scott and Knott, 1974; Vostrikova, 1981): the place at which the nets of both sides differ most is
kept when chance alone would hardly show as much *anywhere* in the series, and each side is then looked at in the same
way. It knows levels and jumps, no slopes: a slow change becomes a few steps, or none. See docs/statistics.md.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from api.intervals import Counts, two_sided
from api.levels import Levels

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: So often pure noise may show a shift somewhere in *all* series together.
ALPHA: Final = 0.05
#: Fewer items on a side tell nothing that the normal distribution is good for. Chosen, not measured.
MIN_ITEMS: Final = 30
#: A level is at least as many buckets long: a shift in the middle of a bucket would look like two, and one bucket that
#: differs is an event, not a level.
MIN_BUCKETS: Final = 2
#: With enough items everything differs; a net that moved by less than this is no news. Chosen, not measured.
MIN_DIFFERENCE: Final = 0.05


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """One change of level, with what stands between it and its neighbours."""

    #: The index of the first bucket of the new level; it holds items.
    place: int
    #: The index of the first bucket that was compared, and the one behind the last.
    since: int
    until: int
    before: Counts
    after: Counts
    #: How often chance alone would show as much anywhere in any of the series that were looked at.
    p_value: float

    @property
    def difference(self) -> float:
        """The net after minus the net before."""
        return (self.after.net or 0.0) - (self.before.net or 0.0)


def is_enough(buckets: Sequence[Counts]) -> bool:
    """Tell whether a shift could be found in the series at all."""
    return bool(Levels(buckets).places(MIN_ITEMS, MIN_BUCKETS))


def find(buckets: Sequence[Counts], series: int = 1) -> list[Shift]:
    """Return the shifts of one series, the first first; ``series`` is how many are looked at together."""
    until = len(buckets)
    found = sorted(_split(buckets, 0, until, series))
    # What was found on the way is looked for once more between its neighbours (Bai, 1997): a first cut is made while
    # the other changes still blur both sides.
    again = (_best(buckets, since, end, series) for since, _, end in _triples(found, until))
    places = sorted({best.place for best in again if best})
    while True:
        judged = [(place, _at(buckets, since, place, end, series)) for since, place, end in _triples(places, until)]
        doubtful = [(shift.p_value if shift else math.inf, place) for place, shift in judged if not _is_real(shift)]
        if not doubtful:
            return [shift for _, shift in judged if shift]
        # The worst one alone: without it, its neighbours are compared with more.
        places.remove(max(doubtful)[1])


def _is_real(shift: Shift | None) -> bool:
    return shift is not None and shift.p_value < ALPHA and abs(shift.difference) >= MIN_DIFFERENCE


def _split(buckets: Sequence[Counts], since: int, until: int, series: int) -> Iterable[int]:
    best = _best(buckets, since, until, series)
    if best is None or best.p_value >= ALPHA:
        return
    yield best.place
    yield from _split(buckets, since, best.place, series)
    yield from _split(buckets, best.place, until, series)


def _triples(places: Sequence[int], until: int) -> Iterable[tuple[int, int, int]]:
    """Yield each place between the place before and the place after it."""
    around = [0, *places, until]
    return zip(around, around[1:], around[2:], strict=False)


def _best(buckets: Sequence[Counts], since: int, until: int, series: int) -> Shift | None:
    """Return the strongest shift of the span; None where it is too short, or has too few items, on every side."""
    levels = Levels(buckets[since:until])
    places = levels.places(MIN_ITEMS, MIN_BUCKETS)
    if not places:
        return None
    return _at(buckets, since, since + max(places, key=lambda at: abs(levels.strength(at))), until, series)


def _at(buckets: Sequence[Counts], since: int, place: int, until: int, series: int) -> Shift | None:
    """Return the shift at this place of the span; None where a side is too short or has too few items."""
    levels = Levels(buckets[since:until])
    places = levels.places(MIN_ITEMS, MIN_BUCKETS)
    if place - since not in places:
        return None
    before, after = levels.sides(place - since)
    whole = before.total + after.total
    first, last = (levels.sides(at)[0].total / whole for at in (places[0], places[-1]))
    p_value = anywhere(abs(levels.strength(place - since)), len(places), first, last) * series
    return Shift(place=place, since=since, until=until, before=before, after=after, p_value=min(1.0, p_value))


def anywhere(strength: float, places: int, first: float, last: float) -> float:
    """Return how often chance alone is as strong at one of several places, of which one is looked for.

    The smaller of two bounds: Bonferroni's, for few places, and that of Miller and Siegmund (1982), which knows that
    neighbouring places share most of their items; ``first`` and ``last`` are the shares of items before the first and
    the last place.
    """
    by_number = places * two_sided(strength)
    if strength <= 1:  # where the second formula means nothing
        return min(1.0, by_number)
    density = math.exp(-strength * strength / 2) / math.sqrt(2 * math.pi)
    width = math.log(last * (1 - first) / ((1 - last) * first))
    by_share = density * (strength - 1 / strength) * width + 4 * density / strength
    return min(1.0, by_number, by_share)
