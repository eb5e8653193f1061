"""Recorded spans of a process whose memory follows a curve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from watchdog.span import EVERY_S, Span

if TYPE_CHECKING:
    from collections.abc import Callable

#: A whole minute in November 2026.
BEGAN_UTC = 1_795_000_020.0


def spans_of(  # noqa: PLR0913 - each a field that some test changes
    curve: Callable[[float], float],
    hours: float,
    *,
    process: str = "api",
    pid: int = 100,
    from_h: float = 0.0,
    uptime_s: float = 0.0,
    began_utc: float = BEGAN_UTC,
) -> list[Span]:
    """Return the spans of one life; ``curve`` gives MB for hours since it began, ``uptime_s`` is its age at that."""
    found = []
    before_mb = curve(0.0)
    for nth in range(1, int(hours * 3600 / EVERY_S) + 1):
        at_h = nth * EVERY_S / 3600
        last_mb = round(curve(at_h), 1)
        low, high = sorted((before_mb, last_mb))
        found.append(
            Span(
                process=process,
                at_utc=began_utc + (from_h + at_h) * 3600,
                span_s=EVERY_S,
                identity=(pid, pid * 100),
                lowest_mb=low,
                highest_mb=high,
                held_mb=high,
                last_mb=last_mb,
                cpu_percent=0.5,
                beat_age_s=1.0,
                supervisor="RUNNING",
                state="ready",
                uptime_s=uptime_s + nth * EVERY_S,
                restarts=0,
            )
        )
        before_mb = last_mb
    return found


def ended_by(spans: list[Span], *verdicts: str) -> list[Span]:
    """Return the spans with these verdicts in the last one."""
    return [*spans[:-1], replace(spans[-1], verdicts=verdicts)]
