"""What a process's history teaches of its memory: its baseline. Pure.

A *life* is one process from its start to its end. Learned is from the spans after the warm-up alone; a life that was
ended for its memory is left out, since it shows what went wrong and not what is needed.
"""

from __future__ import annotations

from itertools import groupby, pairwise
from statistics import median
from typing import TYPE_CHECKING, Final

import msgspec

from watchdog import forecast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from watchdog.span import Span

_HOUR_S: Final = 3_600.0
_DAY_S: Final = 86_400.0
#: The age at which the memory of a start is read: as for :data:`ipc.baseline.BASELINE_MB`.
_STARTED_S: Final = 40.0
#: Verdicts after which a life taught nothing but that it was too big. Who gave way to the family was not.
FOR_MEMORY: Final = frozenset({"restart:memory", "restart:forecast", "restart:unhelped"})


class Learned(msgspec.Struct, frozen=True, kw_only=True):
    """The memory of one process after its warm-up, in MB."""

    process: str
    #: Spans that were learned from, and their time.
    spans: int
    days: float
    lives: int
    #: Lives that were ended for their memory.
    left_out: int
    #: The highest memory of a span: under this in half, in 99 and in 99.9 of 100 spans, and in all of them.
    p50_mb: float | None = None
    p99_mb: float | None = None
    p999_mb: float | None = None
    highest_mb: float | None = None
    #: What it held 40 s after a start, the median, and of how many starts.
    start_mb: float | None = None
    starts: int = 0
    #: Steady growth over the longest life; None where there is none.
    growth_mb_per_day: float | None = None


def learn(process: str, spans: Sequence[Span], terms: forecast.Terms) -> Learned:
    """Return what ``spans`` of one process, oldest first, teach."""
    lives = [list(life) for identity, life in groupby(spans, key=lambda span: span.identity) if identity]
    warm = [_warm(life, terms) for life in lives if not FOR_MEMORY.intersection(*_verdicts(life))]
    used = sorted(_all_of(warm, "highest_mb"))
    begun_mb = started_mb(spans)
    learned = Learned(
        process=process,
        spans=len(used),
        days=sum(_all_of(warm, "span_s")) / _DAY_S,
        lives=sum(1 for life in warm if life),
        left_out=len(lives) - len(warm),
        start_mb=median(begun_mb) if begun_mb else None,
        starts=len(begun_mb),
        growth_mb_per_day=_growth(max(warm, key=len, default=[]), terms),
    )
    if not used:
        return learned
    return msgspec.structs.replace(
        learned,
        p50_mb=_quantile(used, 0.5),
        p99_mb=_quantile(used, 0.99),
        p999_mb=_quantile(used, 0.999),
        highest_mb=used[-1],
    )


def started_mb(spans: Sequence[Span]) -> list[float]:
    """Return what each process that was seen to start held 40 s later."""
    found = []
    for identity, life in groupby(spans, key=lambda span: span.identity):
        is_young = False
        for span in life if identity else ():
            if span.uptime_s is None or span.last_mb is None:
                continue
            if span.uptime_s < _STARTED_S:
                is_young = True
            elif is_young:
                found.append(span.last_mb)
                break
            else:
                break
    return found


def duration(seconds: float) -> str:
    """Return a time in the unit that people would take for it."""
    if seconds < _HOUR_S:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / _HOUR_S:.1f} hours" if seconds < 2 * _DAY_S else f"{seconds / _DAY_S:.1f} days"


def _verdicts(life: list[Span]) -> tuple[set[str]]:
    return ({verdict for span in life for verdict in span.verdicts},)


def _warm(life: list[Span], terms: forecast.Terms) -> list[Span]:
    return [
        span
        for span in life
        if span.highest_mb is not None and span.uptime_s is not None and span.uptime_s >= terms.warm_up_s
    ]


def _all_of(lives: list[list[Span]], name: str) -> list[float]:
    return [getattr(span, name) for life in lives for span in life]


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _growth(life: list[Span], terms: forecast.Terms) -> float | None:
    """Return the growth a day over one life, by the lowest memory of each fortieth of it."""
    if len(life) < forecast.POINTS:
        return None
    size = len(life) // forecast.POINTS
    points = []
    for nth in range(forecast.POINTS):
        part = life[nth * size : (nth + 1) * size]
        points.append((part[-1].at_utc, min(span.lowest_mb or 0.0 for span in part)))
    if any(later[0] <= sooner[0] for sooner, later in pairwise(points)):
        return None  # the wall clock has jumped back
    found = forecast.growth(points)
    return found.slope_mb_per_h * 24 if found.is_believed(terms) else None
