"""``sentimentagent status``: how a copy is, for people and for scripts, also while half of it is down."""

from __future__ import annotations

import asyncio
import os
import shutil
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
from ipc.messages import PROCESSES, Status, StatusReport
from watchdog import survey
from watchdog.start_command import address
from watchdog.status_words import describe, judge

if TYPE_CHECKING:
    from ipc.settings import Settings
    from watchdog.status_words import Verdict

_ANSWER_S: Final = 2.0
#: What a page of text is printed for when nobody says how wide it is: nothing needs to be folded.
_WIDTH: Final = 200


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON; with --watch, one object a line.")
@click.option("--wait", "wait_s", type=click.FloatRange(min=0), default=0, help="Wait until all are ready, in seconds.")
@click.option("--watch", "every_s", type=click.FloatRange(min=0.5), help="Show it again every so many seconds.")
def status(*, as_json: bool, wait_s: float, every_s: float | None) -> None:
    """Show how the processes are.

    Exit status, as the Linux Standard Base has it: 0, all processes are ready; 1, supervisord was killed; 3, not all
    are ready, or nothing runs; 4, nobody could say.
    """
    try:
        settings = load()
    except SettingsError as error:
        click.echo(f"wrong settings: {harmless(str(error))}", err=True)
        sys.exit(EX_CONFIG)
    if wait_s:
        asyncio.run(_wait(settings, wait_s))
    verdict = _show(settings, as_json=as_json)
    try:
        while every_s is not None:
            time.sleep(every_s)
            if sys.stdout.isatty():
                click.clear()
            verdict = _show(settings, as_json=as_json)
    except KeyboardInterrupt:
        pass
    sys.exit(verdict.exit_status)


def _show(settings: Settings, *, as_json: bool) -> Verdict:
    found = survey.make(settings)
    verdict = judge(found)
    if as_json:
        fields = msgspec.structs.asdict(found)
        told = {"status": verdict.status, "reasons": verdict.reasons, "processes": fields.pop("rows"), **fields}
        click.echo(msgspec.json.encode(told).decode())
    else:
        width = shutil.get_terminal_size((_WIDTH, 0)).columns
        click.echo(describe(found, verdict, address(settings.api), time.time(), width))
    return verdict


async def _wait(settings: Settings, wait_s: float) -> None:
    """Ask the watchdog until all are ready, for ``wait_s`` at most, and not longer than the parent lives."""
    until_s = time.monotonic() + wait_s
    parent = os.getppid()
    while time.monotonic() < until_s and os.getppid() == parent:
        try:
            report = await ask(settings.folders.socket("watchdog"), Status(), _ANSWER_S)
        except (Unavailable, WireError):
            report = None
        if isinstance(report, StatusReport) and _are_ready(report):
            return
        await asyncio.sleep(0.5)


def _are_ready(report: StatusReport) -> bool:
    ready = {each.process for each in report.processes if each.beat is not None and each.beat.state == "ready"}
    return ready >= set(PROCESSES)
