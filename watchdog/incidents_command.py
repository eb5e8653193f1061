"""``sentimentagent incidents``: what went wrong, and the evidence of it.

It reads the disk alone, so it works when nothing runs.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Final

import click
import msgspec

from ipc.environment import load
from ipc.errors import SettingsError
from ipc.life import EX_CONFIG
from ipc.logs import harmless
from ipc.messages import Incident
from watchdog import ledger
from watchdog.history import Point
from watchdog.recorder import Recorded, read

_COLUMNS: Final = "{:<44} {:<19} {:<6} {:<9} {}"
_POINTS: Final = "{:<8} {:>8} {:>8} {:>6} {:>7} {:>9}  {:<12} {}"
#: Of the history so many lines are shown, evenly spread and the last one among them; of the log so many.
_SHOWN_POINTS: Final = 20
_SHOWN_LOG_LINES: Final = 40
_TEXTS: Final = {"stacks.txt": "Stacks", "memory.txt": "Memory", "files.txt": "Files", "log-tail.txt": "Log"}


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One incident and its folder, None where it has none (any more)."""

    incident: Incident
    folder: str | None


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@click.pass_context
def incidents(context: click.Context, *, as_json: bool) -> None:
    """List what went wrong, the newest first; ``show ID`` shows one with its evidence."""
    if context.invoked_subcommand is None:
        told = _all(_state())
        click.echo(msgspec.json.encode(told).decode() if as_json else _listed(told))


@incidents.command()
@click.argument("incident_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as one JSON object.")
@click.option("--latest", is_flag=True, help="Of an incident that happened again, show the last time.")
def show(incident_id: str, *, as_json: bool, latest: bool) -> None:
    """Show one incident with its evidence; the beginning of its ID is enough. Exit status 1: no such incident."""
    found = [each for each in _all(_state()) if each.incident.id.startswith(incident_id)]
    if len(found) != 1:
        words = f"{len(found)} incidents begin with" if found else "no incident is called"
        click.echo(f"{words} {harmless(incident_id)}; `sentimentagent incidents` lists them", err=True)
        sys.exit(1)
    evidence = _evidence(found[0], "latest" if latest else ".")
    click.echo(msgspec.json.encode(evidence).decode() if as_json else _shown(evidence))


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All there is of one incident."""

    told: Told
    recorded: Recorded | None
    points: tuple[Point, ...] = ()
    texts: dict[str, str] = {}
    has_latest: bool = False


def _state() -> Path:
    try:
        return load().folders.state
    except SettingsError as error:
        click.echo(f"wrong settings: {harmless(str(error))}", err=True)
        sys.exit(EX_CONFIG)


def _all(state: Path) -> list[Told]:
    """Return the incidents that the watchdog remembers and those that only have a folder by now, newest first."""
    folders = {path.parent.name: path for path in (state / "incidents").glob("[!.]*/incident.json")}
    known = {each.id: each for each in ledger.read(state / "watchdog.json").incidents}
    for incident_id in folders.keys() - known.keys():
        if recorded := _read(folders[incident_id]):
            known[incident_id] = recorded.incident
    told = [
        Told(incident=each, folder=str(folders[each.id].parent) if each.id in folders else None)
        for each in known.values()
    ]
    return sorted(told, key=lambda each: each.incident.opened_utc, reverse=True)


def _evidence(told: Told, which: str) -> Evidence:
    if told.folder is None:
        return Evidence(told=told, recorded=None)
    folder = Path(told.folder) / which
    texts = {name: path.read_text(errors="replace") for name in _TEXTS if (path := folder / name).exists()}
    return Evidence(
        told=told,
        recorded=_read(folder / "incident.json"),
        points=tuple(_points(folder / "samples.ndjson")),
        texts=texts,
        has_latest=(Path(told.folder) / "latest").exists(),
    )


def _read(path: Path) -> Recorded | None:
    """Return what ``path`` says; None where it can't be read, or is being removed at this moment."""
    try:
        return read(path)
    except (OSError, msgspec.MsgspecError):
        return None


def _points(path: Path) -> list[Point]:
    try:
        return msgspec.json.Decoder(Point).decode_lines(path.read_bytes())
    except (OSError, msgspec.MsgspecError):
        return []


def _listed(told: list[Told]) -> str:
    if not told:
        return "no incidents"
    lines = [_COLUMNS.format("incident", "when, UTC", "state", "evidence", "why; what was done")]
    for each in told:
        incident = each.incident
        state = "open" if incident.closed_utc is None else "closed"
        words = harmless(f"{incident.reason}; {incident.action}")
        lines.append(
            _COLUMNS.format(incident.id, _when(incident.opened_utc), state, "yes" if each.folder else "none", words)
        )
    return "\n".join(lines)


def _shown(evidence: Evidence) -> str:
    incident, recorded = evidence.told.incident, evidence.recorded
    closed = "open" if incident.closed_utc is None else f"closed {_when(incident.closed_utc)}"
    lines = [
        f"Incident  {incident.id} ({closed})",
        f"When      {_when(incident.opened_utc)} UTC",
        f"Why       {harmless(incident.reason)}",
        f"Done      {harmless(incident.action)}",
    ]
    if recorded is None:
        return "\n".join([*lines, "Evidence  none (any more)"])
    lines += [
        f"Evidence  {evidence.told.folder}, taken {_when(recorded.at_utc)} UTC in {recorded.took_s:.2f} s",
        f"In hand   {_in_hand(recorded)}",
    ]
    if evidence.has_latest:
        lines.append("Again     it has happened again since: --latest shows the last time")
    lines += ["", f"Samples   {len(evidence.points)}, some of them:", *_table(evidence.points)]
    for name, title in _TEXTS.items():
        text = evidence.texts.get(name, "not kept").splitlines()
        shown = text[-_SHOWN_LOG_LINES:] if name == "log-tail.txt" else text
        lines += ["", title, *(f"  {harmless(line)}" for line in shown)]
    return "\n".join(lines)


def _in_hand(recorded: Recorded) -> str:
    beat = recorded.process.beat
    if beat is None:
        return "not known: no beat was heard of this process"
    if beat.unit is None:
        return harmless(f"nothing; it said to wait for {beat.waiting_for}" if beat.waiting_for else "nothing named")
    due = "" if beat.unit_due_s is None else f", due {beat.unit_due_s:.1f} s after that beat"
    return harmless(f"{beat.unit}{due}")


def _table(points: tuple[Point, ...]) -> list[str]:
    """Return some of the points, evenly spread, the last one among them."""
    step = max(1, -(-len(points) // _SHOWN_POINTS))
    rows = [_POINTS.format("at", "pid", "rss MB", "cpu %", "beat s", "progress", "verdict", "doing")]
    for each in reversed(points[::-1][::step]):
        doing = each.unit or (f"waits for {each.waiting_for}" if each.waiting_for else "-")
        figures = (each.pid, each.rss_mb, each.cpu_percent, each.beat_age_s, each.progress)
        at = time.strftime("%H:%M:%S", time.gmtime(each.at_utc))
        shown = ["-" if figure is None else str(figure) for figure in figures]
        rows.append(_POINTS.format(at, *shown, harmless(each.verdict), harmless(doing)).rstrip())
    return [f"  {row}" for row in rows]


def _when(utc: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(utc))
