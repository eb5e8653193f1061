"""The health verdict: facts in, status and reasons out. Pure: no clock, no store, no socket.

unhealthy  the store does not answer
degraded   a memory above its warning threshold; data too old; too many failed collections within an hour; a process
           that is down or silent, the watchdog among them
healthy    none of these

What is not known is no reason: an empty store is not old, and a process that nobody measured is not guilty. The one
exception is a watchdog that does not answer, because then nobody knows how the others are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from api.store_check import StoreCheck
from ipc.messages import ProcessReport, StatusReport

if TYPE_CHECKING:
    from collections.abc import Iterator

HealthStatus = Literal["healthy", "degraded", "unhealthy"]

#: supervisord's words for a process that runs, or is on its way to.
_UP: Final = frozenset({"RUNNING", "STARTING"})


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What is still healthy."""

    memory_warning_mb: float
    memory_limit_mb: float
    freshness_minutes: float
    failed_collections: int
    #: A beat, or a watchdog's report, that is older than this is silence.
    silence_s: float


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known at one moment."""

    store: StoreCheck
    #: Of the API itself.
    memory_mb: float
    report: StatusReport | None
    report_age_s: float | None
    now_utc: float

    @property
    def freshness_minutes(self) -> float | None:
        """How old the newest stored item is, by when it was collected; None when there is none or nobody knows."""
        return age_minutes(self.store, self.now_utc)


#: Ages below are told in minutes, and above in hours; those from so many hours on in days. Chosen: 1,199 says little.
_READ_AS_MINUTES: Final = 180
_READ_AS_HOURS: Final = 72


def age_minutes(store: StoreCheck, now_utc: float) -> float | None:
    """Return how old the newest stored item is, by when it was collected; None when there is none or nobody knows."""
    if store.contents is None or store.contents.newest_collected_utc is None:
        return None
    return max(0.0, now_utc - store.contents.newest_collected_utc) / 60


def too_old(minutes: float | None, limit_minutes: float) -> str | None:
    """Return in words that the newest data is too old; None where it is not, or nobody knows."""
    if minutes is None or minutes <= limit_minutes:
        return None
    if minutes < _READ_AS_MINUTES:
        return f"the newest data is {minutes:.0f} minutes old (warning above {limit_minutes:g})"
    days = minutes / 60 >= _READ_AS_HOURS
    age = f"{minutes / 1440:.0f} days" if days else f"{minutes / 60:.0f} hours"
    return f"the newest data is {age} old (warning above {limit_minutes:g} minutes)"


class Verdict(msgspec.Struct, frozen=True):
    """The status, and why in words."""

    status: HealthStatus
    reasons: tuple[str, ...]


def judge(facts: Facts, limits: Limits) -> Verdict:
    """Judge the facts."""
    if facts.store.error is not None:
        reason = f"the store does not answer: {facts.store.error}"
        return Verdict("unhealthy", (reason, *_degrading(facts, limits)))
    reasons = tuple(_degrading(facts, limits))
    return Verdict("degraded" if reasons else "healthy", reasons)


def _degrading(facts: Facts, limits: Limits) -> Iterator[str]:
    yield from _memory("api", facts.memory_mb, limits.memory_warning_mb, limits.memory_limit_mb)
    if old := too_old(facts.freshness_minutes, limits.freshness_minutes):
        yield old
    collections = facts.store.collections
    if collections is not None and collections.failed_last_hour > limits.failed_collections:
        failed = collections.failed_last_hour
        yield f"{failed} collections failed in the last hour (warning above {limits.failed_collections})"
    yield from _processes(facts, limits)


def _memory(process: str, memory_mb: float | None, warning_mb: float, limit_mb: float) -> Iterator[str]:
    if memory_mb is None or memory_mb <= warning_mb:
        return
    if memory_mb > limit_mb:
        yield f"{process} uses {memory_mb:.0f} MB, which is critical (limit {limit_mb:g})"
    else:
        yield f"{process} uses {memory_mb:.0f} MB (warning above {warning_mb:g})"


def _processes(facts: Facts, limits: Limits) -> Iterator[str]:
    """Tell which processes are down, silent or large, as far as the watchdog's last word is fresh."""
    if facts.report is None or facts.report_age_s is None:
        yield "the watchdog does not answer: how the processes are is not known"
    elif facts.report_age_s > limits.silence_s:
        yield (
            f"the watchdog has not answered for {facts.report_age_s:.0f} s: what is told of the processes is that old"
        )
    else:
        for process in facts.report.processes:
            yield from _process(process, limits)


def _process(process: ProcessReport, limits: Limits) -> Iterator[str]:
    name = process.process
    # The API that answers is there, whatever the watchdog saw a moment ago: it may have been started since.
    is_there = name == "api"
    if not is_there and process.supervisor_state is not None and process.supervisor_state not in _UP:
        yield f"{name} is down ({process.supervisor_state})" + (f": {process.reason}" if process.reason else "")
    elif process.beat_age_s is None:
        if not is_there:
            yield f"{name} has not been heard of"
    elif process.beat_age_s > limits.silence_s:
        yield f"{name} has been silent for {process.beat_age_s:.0f} s"
    if name != "api":  # which knows its own memory better
        yield from _memory(name, process.memory_mb, process.memory_warning_mb, process.memory_limit_mb)
