"""The forecast: how fast a process's memory grows, and when it reaches its limit. Pure.

The slope is Theil and Sen's, the median of the slopes between all pairs of points, which no single
peak moves; how steady the growth is, is Kendall's tau of the same pairs: 1 when every later point is
higher, 0 for noise. Together they are how growth of memory has been told from noise since the study of
software aging (Garg, van Moorsel, Vaidyanathan and Trivedi, 1998). r squared, the usual measure beside
a least-squares line, is moved by one peak as the line itself is.

A point is the *lowest* memory of its interval: a leak lifts the floor, garbage only the peaks.
"""

from __future__ import annotations

from collections import deque
from itertools import combinations
from statistics import median
from typing import Final

import msgspec

#: Points in a full window: 780 pairs, which take 0.2 ms (measured), once an interval.
POINTS: Final = 40
#: Nothing is said of fewer: half a window. Chosen, not measured.
_LEAST_POINTS: Final = POINTS // 2
_HOUR_S: Final = 3600.0


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """When growth is believed. The sources of the numbers: docs/settings.md."""

    window_s: float = 1800.0
    #: What a process holds in its first minutes says nothing of what it will hold.
    warm_up_s: float = 600.0
    #: The least tau.
    steadiness: float = 0.8
    #: The least growth over the points, in MB.
    growth_mb: float = 10.0


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """What the points of one process say."""

    slope_mb_per_h: float
    #: Kendall's tau.
    steadiness: float
    #: From the first point to the last, by the slope.
    growth_mb: float

    def is_believed(self, terms: Terms) -> bool:
        """Return whether this is growth and not noise."""
        return self.steadiness >= terms.steadiness and self.growth_mb >= terms.growth_mb


class Course:
    """The memory of one process over the last window, thinned out to a few points."""

    def __init__(self, terms: Terms) -> None:
        self.growth: Growth | None = None
        self._terms = terms
        self._points: deque[tuple[float, float]] = deque(maxlen=POINTS)
        self._every_s = terms.window_s / POINTS
        self._begun_s: float | None = None
        self._lowest_mb = float("inf")

    def note(self, at_s: float, uptime_s: float, memory_mb: float) -> None:
        """Take one sample; ``at_s`` is on the watchdog's clock."""
        if uptime_s < self._terms.warm_up_s:
            return
        self._begun_s = at_s if self._begun_s is None else self._begun_s
        self._lowest_mb = min(self._lowest_mb, memory_mb)
        if at_s - self._begun_s >= self._every_s:
            self._points.append((at_s, self._lowest_mb))
            self._begun_s, self._lowest_mb = at_s, float("inf")
            if len(self._points) >= _LEAST_POINTS:
                self.growth = growth(self._points)

    def reaches_in_s(self, limit_mb: float, memory_mb: float) -> float | None:
        """Return in how many seconds ``memory_mb`` will be ``limit_mb``; None where no growth is believed."""
        if self.growth is None or not self.growth.is_believed(self._terms):
            return None
        return max(0.0, limit_mb - memory_mb) / self.growth.slope_mb_per_h * _HOUR_S


def crossing_in_s(held: tuple[tuple[float, float], ...], limit_mb: float) -> float | None:
    """Return in how long memory crosses its limit at the pace of two samples, (seconds, MB): for the next moment only.

    None where it does not grow, is over the limit, or there are not two.
    """
    if len(held) < 2:  # noqa: PLR2004 - as just said
        return None
    (before_s, before_mb), (at_s, memory_mb) = held
    left_mb, grown_mb = limit_mb - memory_mb, memory_mb - before_mb
    return (at_s - before_s) * left_mb / grown_mb if grown_mb > 0 and left_mb >= 0 else None


def growth(points: deque[tuple[float, float]] | list[tuple[float, float]]) -> Growth:
    """Return the growth over ``points`` of (seconds, MB), oldest first, two at least."""
    slopes = [(later - sooner) / (at - before) for (before, sooner), (at, later) in combinations(points, 2)]
    slope_mb_per_s = median(slopes)
    up, down = sum(slope > 0 for slope in slopes), sum(slope < 0 for slope in slopes)
    return Growth(
        slope_mb_per_h=slope_mb_per_s * _HOUR_S,
        steadiness=(up - down) / len(slopes),
        growth_mb=slope_mb_per_s * (points[-1][0] - points[0][0]),
    )
