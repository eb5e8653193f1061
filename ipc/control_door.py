"""The control door of a process: give memory back, finish what is in hand and take nothing new, bear a burden.

Every process serves one beside the door of its own trade, so that neither waits for the other. Each
request has a deadline, after which the process goes on as before by itself, whoever had asked.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from ipc import logs
from ipc.ballast import Ballast
from ipc.channel import Connection, Door
from ipc.messages import AnyMessage, Burden, Burdened, Drain, Drained, Relieve, Relieved

if TYPE_CHECKING:
    from types import TracebackType

    from ipc.intake import Intake

_log = logs.log(__name__)

_MB: Final = 1024 * 1024
#: proc_pid_statm(5): the second figure is the resident set, in pages.
_STATM: Final = Path("/proc/self/statm")


class ControlDoor:
    """Serves the door at ``path`` for the process with this ``intake``. An async context manager."""

    def __init__(self, path: Path, intake: Intake) -> None:
        self._intake = intake
        self._door = Door(path, (Relieve, Drain, Burden), self._answer)
        self._ballast = Ballast()

    async def __aenter__(self) -> Self:
        """Open it."""
        await self._door.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self._ballast.drop()
        await self._door.__aexit__(kind, error, trace)

    async def _answer(self, connection: Connection, message: AnyMessage) -> None:
        if isinstance(message, Drain):
            await connection.send(await self._drain(message.deadline_s))
        elif isinstance(message, Relieve):
            await connection.send(await self._relieve(message.deadline_s))
        elif isinstance(message, Burden):
            self._ballast.take(message)
            await connection.send(Burdened(rss_mb=rss_mb()))

    async def _relieve(self, deadline_s: float) -> Relieved:
        """Give back what can be given back, between two units of work where one ends in time."""
        before_mb = rss_mb()
        self._intake.close("paused", deadline_s)
        try:
            is_idle = await self._intake.idle_within(deadline_s / 2)
            gc.collect()
            await asyncio.to_thread(_trim)
        finally:
            if self._intake.closed == "paused":  # and not by now asked to drain
                self._intake.open()
        answer = Relieved(before_mb=before_mb, after_mb=rss_mb())
        _log.warning("Relieved", before_mb=answer.before_mb, after_mb=answer.after_mb, was_idle=is_idle)
        return answer

    async def _drain(self, deadline_s: float) -> Drained:
        """Finish what is in hand. Not stopped within as long again, the process goes on."""
        self._intake.close("draining", 2 * deadline_s)
        is_idle = await self._intake.idle_within(deadline_s)
        if self._intake.count:
            await self._intake.count()
        answer = Drained(items_in=self._intake.items_in, items_out=self._intake.items_out)
        _log.warning("Drained", items_in=answer.items_in, items_out=answer.items_out, is_idle=is_idle)
        return answer


def rss_mb() -> float | None:
    """Return the resident memory of this process; None where the kernel does not tell."""
    try:
        return round(int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE") / _MB, 1)
    except (OSError, ValueError, IndexError):
        return None


def _trim() -> None:
    """Let glibc give the free parts of its heaps back to the kernel; elsewhere there is no such call."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)
