"""What the API knows of the processes without asking anybody while a request waits.

A side task measures the API itself and asks the watchdog, as often as processes send beats, and keeps the last of both
with its age. It judges nothing: :mod:`api.verdict` does.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import psutil

from ipc.channel import ask
from ipc.errors import Unavailable, WireError
from ipc.messages import Status, StatusReport

if TYPE_CHECKING:
    from pathlib import Path

_ANSWER_S: Final = 1.0
_BYTES_A_MB: Final = 1024 * 1024


class Vitals:
    """The last measurements, and when they were made."""

    def __init__(self, watchdog: Path, interval_s: float) -> None:
        self._watchdog = watchdog
        self._interval_s = interval_s
        self._began_s = time.monotonic()
        self._process = psutil.Process()
        self._process.cpu_percent()  # the first call only sets the mark that the second measures from
        self._report_s: float | None = None
        #: Resident memory of this process.
        self.memory_mb: float = self._process.memory_info().rss / _BYTES_A_MB
        #: Of one core, over the last interval; None until the first has passed.
        self.cpu_percent: float | None = None
        #: The last that the watchdog said; None when it never did.
        self.report: StatusReport | None = None

    @property
    def pid(self) -> int:
        """The API's process id."""
        return self._process.pid

    @property
    def uptime_s(self) -> float:
        """Seconds since the API began."""
        return time.monotonic() - self._began_s

    @property
    def report_age_s(self) -> float | None:
        """Seconds since the report came; None when there is none."""
        return None if self._report_s is None else time.monotonic() - self._report_s

    async def watch(self) -> None:
        """Measure and ask for ever."""
        while True:
            await self._ask()
            await asyncio.sleep(self._interval_s)
            self.memory_mb = self._process.memory_info().rss / _BYTES_A_MB
            self.cpu_percent = self._process.cpu_percent()

    async def _ask(self) -> None:
        """Take the watchdog's report; while it is away the last one stands and grows older, which health tells."""
        try:
            answer = await ask(self._watchdog, Status(), _ANSWER_S)
        except (Unavailable, WireError):
            return
        if isinstance(answer, StatusReport):
            self.report, self._report_s = answer, time.monotonic()
