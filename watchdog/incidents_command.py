"""``sentimentagent incidents``: what went wrong, and the evidence of it.

It reads the disk alone, so it works when nothing runs.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click
import msgspec

from ipc.environment import load
from ipc.errors import SettingsError
from ipc.life import EX_CONFIG
from ipc.logs import harmless
from watchdog.dossier import Told, all_of, describe, evidence_of, when

if TYPE_CHECKING:
    from pathlib import Path

_COLUMNS: Final = "{:<44} {:<19} {:<6} {:<9} {}"


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@click.pass_context
def incidents(context: click.Context, *, as_json: bool) -> None:
    """List what went wrong, the newest first; ``show ID`` shows one with its evidence."""
    if context.invoked_subcommand is None:
        told = all_of(_state())
        click.echo(msgspec.json.encode(told).decode() if as_json else _listed(told))


@incidents.command()
@click.argument("incident_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as one JSON object.")
@click.option("--latest", is_flag=True, help="Of an incident that happened again, show the last time.")
def show(incident_id: str, *, as_json: bool, latest: bool) -> None:
    """Show one incident with its evidence; the beginning of its ID is enough. Exit status 1: no such incident."""
    found = [each for each in all_of(_state()) if each.incident.id.startswith(incident_id)]
    if len(found) != 1:
        words = f"{len(found)} incidents begin with" if found else "no incident is called"
        click.echo(f"{words} {harmless(incident_id)}; `sentimentagent incidents` lists them", err=True)
        sys.exit(1)
    evidence = evidence_of(found[0], "latest" if latest else ".")
    click.echo(msgspec.json.encode(evidence).decode() if as_json else describe(evidence))


def _state() -> Path:
    try:
        return load().folders.state
    except SettingsError as error:
        click.echo(f"wrong settings: {harmless(str(error))}", err=True)
        sys.exit(EX_CONFIG)


def _listed(told: list[Told]) -> str:
    if not told:
        return "no incidents"
    lines = [_COLUMNS.format("incident", "when, UTC", "state", "evidence", "why; what was done")]
    for each in told:
        incident = each.incident
        state = "open" if incident.closed_utc is None else "closed"
        words = harmless(f"{incident.reason}; {incident.action}")
        lines.append(
            _COLUMNS.format(incident.id, when(incident.opened_utc), state, "yes" if each.folder else "none", words)
        )
    return "\n".join(lines)
