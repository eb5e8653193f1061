"""A span: one process over ten seconds, as a line of about 100 bytes. Pure.

The rounds see more than can be kept for weeks. A span keeps what a threshold would be tried with: the lowest, the
highest and the last memory, and the highest that was *held*, by two of three samples in a row, so that a peak of one
sample is told from a level. A process that is replaced ends its span at once: no span is about two processes.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Final

import msgspec

from watchdog.records import Identity

if TYPE_CHECKING:
    from watchdog.registry import Heard
    from watchdog.watched import Watched

#: Chosen: a leak of 1 MB/s then is seen to within 10 MB, and two weeks of four processes take 50 MB.
EVERY_S: Final = 10.0
#: Of the verdicts of a span so many different ones are kept. Chosen: more than three were not seen.
_MAX_VERDICTS: Final = 8


class Span(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One line. What was not measured is None."""

    process: str
    #: When its last sample was taken.
    at_utc: float
    #: From its first sample to the next span's, or to its last where the process ended; on the watchdog's clock.
    span_s: float
    #: The living process; None when none lived or none could be examined.
    identity: Identity | None
    lowest_mb: float | None
    highest_mb: float | None
    #: The highest memory that two of three samples in a row were at, or above.
    held_mb: float | None
    last_mb: float | None
    #: The mean.
    cpu_percent: float | None
    #: The highest.
    beat_age_s: float | None
    #: supervisord's word, the state in the last beat, the age of the process, and its restarts so far, at the end.
    supervisor: str | None
    state: str | None
    uptime_s: float | None
    restarts: int
    #: Each verdict there was but ``ok`` and ``not judged``, as ``name:cause``; ``shadow`` stands for what was not done.
    verdicts: tuple[str, ...] = ()


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One sample, as far as a span wants to know."""

    at_utc: float
    #: On the watchdog's clock.
    at_s: float
    identity: Identity | None = None
    memory_mb: float | None = None
    #: The highest memory that was read since the last look, between two samples too.
    highest_mb: float | None = None
    cpu_percent: float | None = None
    beat_age_s: float | None = None
    supervisor: str | None = None
    state: str | None = None
    uptime_s: float | None = None
    restarts: int = 0
    verdict: str = ""


class Gathering:
    """The span of one process that is not over yet."""

    def __init__(self, process: str) -> None:
        self._process = process
        self._first: Look | None = None
        self._last: Look | None = None
        self._identity: Identity | None = None
        self._two_before: tuple[float, float] = (-1.0, -1.0)
        self._beat_age_s: float | None = None
        self._begin(None)

    def take(self, look: Look) -> Span | None:
        """Take a sample; return the span before it, where that is over."""
        is_another = None not in {look.identity, self._identity} and look.identity != self._identity
        is_over = self._first is not None and look.at_s - self._first.at_s >= EVERY_S
        span = self.close(look.at_s if is_over and not is_another else None) if is_another or is_over else None
        if is_another:
            self._two_before = (-1.0, -1.0)
        self._first = self._first or look
        self._last = look
        self._identity = look.identity or self._identity
        if look.memory_mb is not None:
            self._weigh(look.memory_mb, look.highest_mb or look.memory_mb)
        if look.cpu_percent is not None:
            self._cpu.append(look.cpu_percent)
        if look.beat_age_s is not None:
            self._beat_age_s = max(self._beat_age_s or 0.0, look.beat_age_s)
        if look.verdict and len(self._verdicts) < _MAX_VERDICTS:
            self._verdicts[look.verdict] = None
        return span

    def close(self, until_s: float | None = None) -> Span | None:
        """Return the span until that moment, or its last sample; begin the next one. None where there was no sample."""
        first, last = self._first, self._last
        if first is None or last is None:
            return None
        is_measured = self._lowest_mb is not None
        held_mb = max(self._held_mb, self._lowest_mb) if self._lowest_mb is not None else None
        span = Span(
            process=self._process,
            at_utc=round(last.at_utc, 1),
            span_s=round((last.at_s if until_s is None else until_s) - first.at_s, 1),
            identity=self._identity if is_measured else None,
            lowest_mb=_rounded(self._lowest_mb),
            highest_mb=_rounded(self._highest_mb),
            held_mb=_rounded(held_mb),
            last_mb=_rounded(self._last_mb),
            cpu_percent=_rounded(sum(self._cpu) / len(self._cpu)) if self._cpu else None,
            beat_age_s=_rounded(self._beat_age_s),
            supervisor=last.supervisor,
            state=last.state,
            uptime_s=_rounded(last.uptime_s),
            restarts=last.restarts,
            verdicts=tuple(self._verdicts),
        )
        self._begin(last.identity)
        return span

    def _begin(self, identity: Identity | None) -> None:
        self._first = self._last = None
        self._identity = identity
        self._lowest_mb: float | None = None
        self._highest_mb: float | None = None
        self._held_mb = -1.0
        self._last_mb: float | None = None
        self._cpu: list[float] = []
        self._beat_age_s = None
        self._verdicts: dict[str, None] = {}

    def _weigh(self, memory_mb: float, highest_mb: float) -> None:
        self._lowest_mb = memory_mb if self._lowest_mb is None else min(self._lowest_mb, memory_mb)
        self._highest_mb = max(self._highest_mb or 0.0, highest_mb)
        self._last_mb = memory_mb
        self._held_mb = max(self._held_mb, median((*self._two_before, memory_mb)))
        self._two_before = (self._two_before[1], memory_mb)


def look_at(each: Watched, heard: Heard | None, at_s: float, at_utc: float) -> Look:
    """Return how ``each`` is at this moment."""
    process = each.process if each.is_alive else None
    verdict = each.verdict
    name = "shadow" if verdict.withheld else verdict.name
    highest_mb = process.take_highest_mb() if process else None
    return Look(
        at_utc=at_utc,
        at_s=at_s,
        identity=process.identity if process else None,
        memory_mb=each.memory_mb if process else None,
        highest_mb=None if highest_mb is None else highest_mb + each.added_mb,
        cpu_percent=each.cpu_percent,
        beat_age_s=at_s - heard.at_s if heard else None,
        supervisor=each.supervisor_state,
        state=heard.beat.state if heard else None,
        uptime_s=each.uptime_s,
        restarts=each.history.restarts,
        verdict="" if name in {"ok", "not judged"} else f"{name}:{verdict.cause or ''}",
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
