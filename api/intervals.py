"""How far a net sentiment can be trusted, and whether two of them differ. Pure: counts in, numbers out.

The net is (positive - negative) / total: the difference of two proportions of *one* sample, which are not independent
of each other. Formulas, sources and limits: docs/statistics.md.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agent.records import Totals

#: The quantile of the standard normal distribution that leaves 2.5 % above it: 95 % lie within.
Z_95: Final = 1.959963984540054


class Counts(msgspec.Struct, frozen=True):
    """How many items were opinionated, one way or the other, of how many."""

    positive: int = 0
    negative: int = 0
    total: int = 0

    @property
    def net(self) -> float | None:
        """(positive - negative) / total, in [-1, 1]; None of no items: missing is not zero."""
        return (self.positive - self.negative) / self.total if self.total else None


def counts(totals: Totals) -> Counts:
    """Return the counts among totals."""
    return Counts(totals.positive, totals.negative, totals.total)


def added(parts: Iterable[Counts]) -> Counts:
    """Return the counts of all parts together."""
    positive = negative = total = 0
    for part in parts:
        positive += part.positive
        negative += part.negative
        total += part.total
    return Counts(positive, negative, total)


def interval(of: Counts) -> tuple[float, float] | None:
    """Return the lower and upper end of the net's 95 % interval; None of no items.

    Bonett and Price (2012): one item is added to the positive ones and one to the negative ones, then Wald's formula.
    Right for few items too, and the net that was counted always lies within.
    """
    if not of.total:
        return None
    total = of.total + 2
    positive, negative = (of.positive + 1) / total, (of.negative + 1) / total
    middle = positive - negative
    half = Z_95 * math.sqrt((positive + negative - middle * middle) / total)
    return max(-1.0, middle - half), min(1.0, middle + half)


def spread(of: Counts) -> float:
    """Return the variance of single items, each of which is -1, 0 or 1; 0 of fewer than two."""
    if of.total < 2 or of.net is None:  # noqa: PLR2004 - one item does not vary
        return 0.0
    squares = (of.positive + of.negative) / of.total
    return (squares - of.net * of.net) * of.total / (of.total - 1)


def standardised(before: Counts, after: Counts) -> float:
    """Return the difference of the nets, after minus before, in standard errors; 0 where nothing varies.

    Mantel's test (1963) of a table with two rows and three ordered columns: its variance is that of all ways to deal
    the items out to the two sides, hence right when there is no difference, and exact about how little they vary.
    """
    if before.net is None or after.net is None:
        return 0.0
    variance = spread(added((before, after))) * (1 / before.total + 1 / after.total)
    return (after.net - before.net) / math.sqrt(variance) if variance > 0 else 0.0


def two_sided(standard_errors: float) -> float:
    """Return how often chance alone lies as far from 0, by the normal distribution."""
    return math.erfc(abs(standard_errors) / math.sqrt(2))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p values corrected for how many there are (Holm, 1979), in the same order."""
    corrected = [1.0] * len(p_values)
    so_far = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        so_far = max(so_far, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = so_far
    return corrected
