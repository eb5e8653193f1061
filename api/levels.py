"""Both sides of every place in a span of buckets, and how far apart they are in standard errors. Pure.

Items of one thread agree with each other, so that a hundred of them say less than a hundred strangers. How much they
agree is read from the span itself: by how much more neighbouring buckets differ than strangers would let them
(successive differences: a change of level adds to one pair only). What is more is a level of each bucket's own, and
counts as noise.
"""

from __future__ import annotations

import math
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from api.intervals import Counts, spread

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Levels:
    """A span of buckets, cut in two at any place: the index of the second part's first bucket."""

    def __init__(self, span: Sequence[Counts]) -> None:
        self._span = span
        self._positive = [0, *accumulate(each.positive for each in span)]
        self._negative = [0, *accumulate(each.negative for each in span)]
        self._total = [0, *accumulate(each.total for each in span)]
        self._filled = [0, *accumulate(each.total > 0 for each in span)]
        self._squares = [0, *accumulate(each.total**2 for each in span)]
        self._variance = spread(Counts(self._positive[-1], self._negative[-1], self._total[-1]))
        self._pairs = dict(self._compared())
        self._excess = sum(excess for excess, _ in self._pairs.values())
        self._weight = sum(weight for _, weight in self._pairs.values())

    def places(self, min_items: int, min_buckets: int) -> list[int]:
        """Return the places with enough items, and buckets that hold any, on both sides.

        The new level begins where items are: a place before an empty bucket would say the same as the one behind it.
        """
        most_items, most_buckets = self._total[-1] - min_items, self._filled[-1] - min_buckets
        return [
            at
            for at, each in enumerate(self._span)
            if each.total
            and min_items <= self._total[at] <= most_items
            and min_buckets <= self._filled[at] <= most_buckets
        ]

    def sides(self, place: int) -> tuple[Counts, Counts]:
        """Return what lies before and after."""
        sums = (self._positive, self._negative, self._total)
        return Counts(*(each[place] for each in sums)), Counts(*(each[-1] - each[place] for each in sums))

    def strength(self, place: int) -> float:
        """Return the difference of the nets, after minus before, in standard errors; 0 where nothing varies."""
        before, after = self.sides(place)
        if before.net is None or after.net is None:
            return 0.0
        squares = self._squares[place], self._squares[-1] - self._squares[place]
        variance = self._variance * (1 / before.total + 1 / after.total)
        variance += self._shared(place) * (squares[0] / before.total**2 + squares[1] / after.total**2)
        return (after.net - before.net) / math.sqrt(variance) if variance > 0 else 0.0

    def design_effect(self) -> float:
        """Return how many times larger the variance of the whole span's net is than that of strangers; at least 1."""
        total = self._total[-1]
        return 1 + self._shared() * self._squares[-1] / (total * self._variance) if self._variance > 0 else 1.0

    def _shared(self, place: int | None = None) -> float:
        """Return the variance of the buckets' own levels, by all pairs of neighbours but the one at ``place``.

        There a difference is what is looked for.
        """
        excess, weight = (0.0, 0.0) if place is None else self._pairs.get(place, (0.0, 0.0))
        rest = self._weight - weight
        return max(0.0, (self._excess - excess) / (2 * rest)) if rest > 0 else 0.0

    def _compared(self) -> Iterator[tuple[int, tuple[float, float]]]:
        """Yield, by the place between them, how much more two neighbours differ than strangers would, and its weight.

        The square of their difference is ``variance / weight`` for strangers, and twice the variance of the buckets'
        own levels more otherwise.
        """
        filled = [(at, each) for at, each in enumerate(self._span) if each.total]
        for (_, one), (at, other) in pairwise(filled):
            if one.net is not None and other.net is not None:
                weight = one.total * other.total / (one.total + other.total)
                yield at, (weight * (other.net - one.net) ** 2 - self._variance, weight)
