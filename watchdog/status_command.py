"""``sentimentagent status``: what the watchdog knows of the processes, for people and for scripts."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import TYPE_CHECKING, Final

import click
import msgspec

from ipc.channel import ask
from ipc.environment import load
from ipc.errors import SettingsError, Unavailable, WireError
from ipc.life import EX_CONFIG
from ipc.logs import harmless
from ipc.messages import PROCESSES, ProcessReport, Status, StatusReport
from watchdog.start_command import address

if TYPE_CHECKING:
    from ipc.settings import Settings

#: Exit statuses of the Linux Standard Base for a service's ``status``.
LSB_RUNNING: Final = 0
LSB_NOT_RUNNING: Final = 3
LSB_UNKNOWN: Final = 4

_ANSWER_S: Final = 2.0
_COLUMNS: Final = "{:<10} {:<9} {:>8} {:>16} {:>9} {:>9} {:>9}  {}"
_NOT_MEASURED: Final = "-"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the watchdog's report as JSON.")
@click.option("--wait", "wait_s", type=click.FloatRange(min=0), default=0, help="Wait until all are ready, in seconds.")
def status(*, as_json: bool, wait_s: float) -> None:
    """Show how the processes are. Exit status 0: all ready; 3: not all; 4: nobody could say."""
    try:
        settings = load()
    except SettingsError as error:
        click.echo(f"wrong settings: {harmless(str(error))}", err=True)
        sys.exit(EX_CONFIG)
    report = asyncio.run(_report(settings, wait_s))
    if isinstance(report, str):
        click.echo(f"unknown: {report}", err=True)
        sys.exit(LSB_UNKNOWN)
    if as_json:
        click.echo(msgspec.json.encode(report).decode())
    else:
        click.echo(describe(report, address(settings.api)))
    sys.exit(LSB_RUNNING if are_ready(report) else LSB_NOT_RUNNING)


async def _report(settings: Settings, wait_s: float) -> StatusReport | str:
    """Return the report, or why there is none; ask again for ``wait_s`` until all are ready."""
    until_s = time.monotonic() + wait_s
    parent = os.getppid()
    while True:
        try:
            report = await ask(settings.folders.socket("watchdog"), Status(), _ANSWER_S)
        except (Unavailable, WireError) as error:
            report = None
            reason = f"{error} (is SentimentAgent running with the home {settings.folders.home}?)"
        if isinstance(report, StatusReport) and (are_ready(report) or time.monotonic() >= until_s):
            return report
        if time.monotonic() >= until_s or os.getppid() != parent:
            return reason if report is None else "the watchdog answered with something else"
        await asyncio.sleep(0.5)


def are_ready(report: StatusReport) -> bool:
    """Tell whether every process is there and says that it is ready."""
    ready = {each.process for each in report.processes if each.beat is not None and each.beat.state == "ready"}
    return ready >= set(PROCESSES)


def describe(report: StatusReport, url: str) -> str:
    """Return the verdict in a line and a table of the processes."""
    troubles = [_trouble(each) for each in report.processes if each.verdict not in {"ok", "not judged"}]
    state = f"all ready, open {url}" if are_ready(report) else "not all ready"
    lines = [f"SentimentAgent: {'; '.join([state, *troubles])}"]
    lines.append(_COLUMNS.format("process", "state", "pid", "memory/limit MB", "cpu %", "beat s", "restarts", "why"))
    lines += [_row(each) for each in report.processes]
    waiting = f", {report.alerts_waiting} waiting" if report.alerts_waiting else ""
    lines.append(f"alerts: {harmless(report.alerts)}{waiting}")
    return "\n".join(lines)


def _trouble(each: ProcessReport) -> str:
    return harmless(f"{each.process} {each.verdict} ({each.reason})")


def _row(each: ProcessReport) -> str:
    memory = f"{_figure(each.memory_mb, 0)}/{each.memory_limit_mb:.0f}"
    state = each.beat.state if each.beat else (each.supervisor_state or _NOT_MEASURED).lower()
    why = harmless(each.last_restart_reason or "")
    pid = str(each.pid or _NOT_MEASURED)
    cpu, beat = _figure(each.cpu_percent, 1), _figure(each.beat_age_s, 1)
    return _COLUMNS.format(each.process, state, pid, memory, cpu, beat, each.restarts, why).rstrip()


def _figure(value: float | None, digits: int) -> str:
    return _NOT_MEASURED if value is None else f"{value:.{digits}f}"
