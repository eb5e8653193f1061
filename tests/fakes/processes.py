"""A watchdog and a collector that stand at the real sockets and say what a test wants them to say."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ipc.channel import Connection, Door
from ipc.messages import (
    PROCESSES,
    AnyMessage,
    Beat,
    Collect,
    CycleRunning,
    CycleStarted,
    Incident,
    MemoryCurve,
    MemoryPoint,
    ProcessReport,
    Recall,
    Recalled,
    Status,
    StatusReport,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def process_report(process: str, **changed: object) -> ProcessReport:
    """Return the report on a process that is well, except for what is ``changed``."""
    well: dict[str, object] = {
        "process": process,
        "supervisor_state": "RUNNING",
        "pid": 4242,
        "uptime_s": 61.0,
        "memory_mb": 80.0,
        "cpu_percent": 1.5,
        "memory_warning_mb": 400.0,
        "memory_limit_mb": 480.0,
        "beat_age_s": 0.2,
        "beat": Beat(
            process=process,
            pid=4242,
            state="ready",
            uptime_s=60.0,
            loop_lag_s=0.0,
            progress=17,
            waiting_for="interval",
            gauges={"outbox_items": 3.0},
            facts={"source": "sample"},
        ),
        "verdict": "ok",
        "reason": "",
        "restarts": 0,
    }
    return ProcessReport(**(well | changed))  # type: ignore[arg-type] # the fields of ProcessReport, by name


def status_report(
    *processes: ProcessReport, alerts: str = "mail", incidents: tuple[Incident, ...] = ()
) -> StatusReport:
    """Return the report on all processes; those that are not given are well."""
    given = {each.process: each for each in processes}
    return StatusReport(
        uptime_s=100.0,
        round_age_s=0.1,
        supervisor_answers=True,
        alerts=alerts,
        alerts_waiting=0,
        processes=tuple(given.get(name) or process_report(name) for name in PROCESSES),
        incidents=incidents,
    )


def recalled(began_utc: int = 1_795_000_020, points: int = 3) -> Recalled:
    """Return a curve of each process that rises by 1 MB an interval."""
    return Recalled(
        every_s=300,
        curves=tuple(
            MemoryCurve(
                process=name,
                points=tuple(MemoryPoint(began_utc + nth * 300, 50.0 + nth, 52.5 + nth) for nth in range(points)),
            )
            for name in PROCESSES
        ),
    )


class FakeWatchdog:
    """Answers every question with its ``report``, or its ``memory``."""

    def __init__(self) -> None:
        self.report = status_report()
        self.memory = recalled()
        self.asked = 0
        #: The spans that it was asked for.
        self.recalled: list[int] = []

    @asynccontextmanager
    async def at(self, path: Path) -> AsyncIterator[FakeWatchdog]:
        """Stand at the socket."""
        async with Door(path, (Beat, Status, Recall), self._answer):
            yield self

    async def _answer(self, connection: Connection, message: AnyMessage) -> None:
        if isinstance(message, Status):
            self.asked += 1
            await connection.send(self.report)
        elif isinstance(message, Recall):
            self.recalled.append(message.span_s)
            await connection.send(self.memory)


class FakeCollector:
    """Begins a cycle when it is asked, or says that one is running."""

    def __init__(self) -> None:
        self.is_running = False
        self.asked = 0

    @asynccontextmanager
    async def at(self, path: Path) -> AsyncIterator[FakeCollector]:
        """Stand at the socket."""
        async with Door(path, Collect, self._answer):
            yield self

    async def _answer(self, connection: Connection, _message: AnyMessage) -> None:
        self.asked += 1
        await connection.send(CycleRunning(cycle_id="c7") if self.is_running else CycleStarted(cycle_id="c8"))
