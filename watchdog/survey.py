"""Everything that can be asked about a copy at one moment: its watchdog, its supervisord, its API.

Each is asked in bounded time, and whoever does not answer is named, so that half a system is still told of. Nothing is
judged here.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import msgspec
import psutil

from ipc import channel
from ipc.baseline import thresholds_mb
from ipc.errors import Unavailable, WireError
from ipc.messages import PROCESSES, Incident, State, Status, StatusReport
from watchdog import freshness, health
from watchdog.checks import sockets
from watchdog.freshness import Fresh
from watchdog.health import Health
from watchdog.start_command import address, supervisor_socket
from watchdog.supervisor import Program, Refused, Supervisor

if TYPE_CHECKING:
    from ipc.settings import Settings, WatchdogSettings

#: For the watchdog, and for the API with all its answers. Chosen, not measured.
ANSWER_S: Final = 2.0
_MB: Final = 1024 * 1024


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One process. What was not measured, or could not be asked, is None.

    A field that the watchdog's report has under the same name is taken from it.
    """

    process: str
    supervisor_state: str | None = None
    #: What it says of itself.
    state: State | None = None
    pid: int | None = None
    uptime_s: float | None = None
    memory_mb: float | None = None
    memory_warning_mb: float
    memory_limit_mb: float
    #: How fast its memory grows, and when it reaches the limit at that pace; None also where it does not grow.
    slope_mb_per_h: float | None = None
    limit_reached_in_s: float | None = None
    cpu_percent: float | None = None
    beat_age_s: float | None = None
    #: Since its last finished unit of work, and what it waits for; it works where that is None.
    progress_age_s: float | None = None
    waiting_for: str | None = None
    verdict: str | None = None
    reason: str | None = None
    restarts: int | None = None
    last_restart_utc: float | None = None
    last_restart_reason: str | None = None


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What was answered, and who did not answer."""

    home: str
    rows: list[Row]
    #: ``served``, ``stale``, ``not there``, or why that can't be said.
    supervisor_socket: str
    watchdog_answers: bool = False
    supervisor_answers: bool = False
    health: Health | None = None
    #: None where nobody could be asked.
    fresh: list[Fresh] | None = None
    alerts: str | None = None
    alerts_waiting: int | None = None
    incidents: tuple[Incident, ...] = ()
    warnings: tuple[str, ...] = ()
    #: A sentence for each question that was not answered.
    unasked: tuple[str, ...] = ()


def make(settings: Settings, answer_s: float = ANSWER_S) -> Survey:
    """Ask everybody; none of them for longer than ``answer_s``."""
    unasked: list[str] = []
    report = _report(settings, answer_s, unasked)
    programs = _programs(settings, answer_s, unasked)
    rows = [_row(process, settings.watchdog, report, programs) for process in PROCESSES]
    told = _health(settings, rows, answer_s, unasked)
    return Survey(
        home=str(settings.folders.home),
        rows=rows,
        supervisor_socket=sockets.state(supervisor_socket(settings)),
        watchdog_answers=report is not None,
        supervisor_answers=programs is not None,
        health=told,
        fresh=_fresh(settings, told, answer_s, unasked),
        alerts=report.alerts if report else None,
        alerts_waiting=report.alerts_waiting if report else None,
        incidents=tuple(each for each in report.incidents if each.closed_utc is None) if report else (),
        warnings=report.warnings if report else (),
        unasked=tuple(unasked),
    )


def _report(settings: Settings, answer_s: float, unasked: list[str]) -> StatusReport | None:
    try:
        answer = asyncio.run(channel.ask(settings.folders.socket("watchdog"), Status(), answer_s))
    except (Unavailable, WireError) as error:
        unasked.append(f"the watchdog: {error}")
        return None
    if not isinstance(answer, StatusReport):
        unasked.append("the watchdog: it answered with something else")
        return None
    return answer


def _programs(settings: Settings, answer_s: float, unasked: list[str]) -> dict[str, Program] | None:
    try:
        return asyncio.run(Supervisor(str(supervisor_socket(settings)), answer_s).programs())
    except (Unavailable, Refused) as error:
        unasked.append(f"supervisord: {error}")
        return None


def _row(
    process: str, settings: WatchdogSettings, report: StatusReport | None, programs: dict[str, Program] | None
) -> Row:
    """Return what the watchdog tells of the process; else what supervisord and the kernel do."""
    for each in report.processes if report else ():
        if each.process == process:
            beat = {"state": each.beat.state, "waiting_for": each.beat.waiting_for} if each.beat else {}
            return msgspec.convert({**msgspec.structs.asdict(each), **beat}, Row)
    warning_mb, limit_mb = thresholds_mb(process, settings).values()
    program = programs.get(process) if programs else None
    pid = program.pid if program else None
    return Row(
        process=process,
        supervisor_state=program.statename if program else "ABSENT" if programs else None,
        pid=pid or None,
        memory_mb=_rss_mb(pid) if pid else None,
        memory_warning_mb=warning_mb,
        memory_limit_mb=limit_mb,
    )


def _rss_mb(pid: int) -> float | None:
    try:
        return float(psutil.Process(pid).memory_info().rss) / _MB
    except psutil.Error:
        return None


def _health(settings: Settings, rows: list[Row], answer_s: float, unasked: list[str]) -> Health | None:
    """Ask our own API: another copy's may listen at the same address."""
    (pid,) = [row.pid for row in rows if row.process == "api"]
    if pid is None:
        unasked.append("the API: it does not run")
        return None
    try:
        told = health.ask(address(settings.api), answer_s)
    except Unavailable as error:
        unasked.append(f"the API: {error}")
        return None
    if told.process.pid != pid:
        unasked.append(f"the API: another copy (process {told.process.pid}) answers at {address(settings.api)}")
        return None
    return told


def _fresh(settings: Settings, told: Health | None, answer_s: float, unasked: list[str]) -> list[Fresh] | None:
    if told is None or settings.collector.effective_source == "archive":  # an archive's items are old by nature
        return None
    if told.database.connected is False:  # the API would answer from memory
        unasked.append("how new the items are: the store does not answer")
        return None
    failing = {each.subreddit.lower(): each.cause for each in told.application.failing_subreddits or ()}
    until_s = time.monotonic() + answer_s
    try:
        return freshness.ask(address(settings.api), settings.collector.subreddits, failing, until_s)
    except Unavailable as error:
        unasked.append(str(error))
        return None
