"""What somebody outside sees of a system: one look at its health, a line about it, and what has changed since the last.

An API that can't be reached is looked at once more before that counts: a restart takes it away for half a second.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from ipc.errors import Unavailable
from ipc.logs import harmless
from watchdog import health
from watchdog.health import HealthStatus

if TYPE_CHECKING:
    from ipc.settings import Secret

#: Between the two looks at an API that can't be reached. An API is back 0.4 to 0.5 s after its start (docs/api.md).
AGAIN_AFTER_S: Final = 2.0

#: ``--once``: what a script makes of it.
EXIT_STATUS: Final = {"healthy": 0, "degraded": 1, "unhealthy": 2, "unreachable": 2}


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen at one moment."""

    at_utc: float
    status: HealthStatus | Literal["unreachable"]
    #: A sentence each; empty when healthy.
    reasons: tuple[str, ...]
    #: By process; None for one that nobody measured.
    memory_mb: dict[str, float | None] = {}


def look(api_url: str, timeout_s: float, again_after_s: float = AGAIN_AFTER_S, token: Secret | None = None) -> Look:
    """Look once; twice at what can't be reached."""
    seen = _look(api_url, timeout_s, token)
    if seen.status != "unreachable":
        return seen
    time.sleep(again_after_s)
    return _look(api_url, timeout_s, token)


def line(seen: Look) -> str:
    """Return one line: when, the status, the memory in MB, and the reasons."""
    memory = ", ".join(f"{process} {_megabytes(mb)}" for process, mb in seen.memory_mb.items())
    parts = [f"memory {memory}" if memory else "memory not measured", *seen.reasons]
    return harmless(f"{stamp(seen)} {seen.status:<11} {'; '.join(parts)}")


def change(before: Look | None, seen: Look) -> str | None:
    """Say what has changed, on one line; None when nothing has. At first, anything but healthy is a change."""
    was = before.status if before else "not looked at"
    if seen.status == was or (before is None and seen.status == "healthy"):
        return None
    why = f": {'; '.join(seen.reasons)}" if seen.reasons else ""
    return harmless(f"{stamp(seen)} CHANGED from {was} to {seen.status}{why}")


def stamp(seen: Look) -> str:
    """Return when it was seen, in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seen.at_utc))


def _look(api_url: str, timeout_s: float, token: Secret | None) -> Look:
    try:
        told = health.ask(api_url, timeout_s, token)
    except Unavailable as error:
        return Look(at_utc=time.time(), status="unreachable", reasons=(str(error),))
    memory_mb = {process: seen.memory_mb if seen else None for process, seen in told.processes.items()}
    # A backend of one process tells of that one alone.
    memory_mb = memory_mb or {"api": told.process.memory_mb}
    return Look(at_utc=time.time(), status=told.status, reasons=told.reasons, memory_mb=memory_mb)


def _megabytes(mb: float | None) -> str:
    return "not measured" if mb is None else f"{mb:.0f} MB"
