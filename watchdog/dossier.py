"""An incident and its evidence, read from the disk and put into words: for the command, and for the mail.

Works when nothing runs. Whatever was removed meanwhile, or can't be read, is told as not there.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import msgspec

from ipc.logs import harmless
from ipc.messages import Incident
from watchdog.history import Point
from watchdog.ledger import Ledger
from watchdog.recorded import Recorded, read

_POINTS: Final = "{:<8} {:>8} {:>8} {:>6} {:>7} {:>9}  {:<12} {}"
#: Of the history so many lines are shown, evenly spread and the last one among them; of the log so many.
_SHOWN_POINTS: Final = 20
_SHOWN_LOG_LINES: Final = 40
_TEXTS: Final = {"stacks.txt": "Stacks", "log-tail.txt": "Log", "memory.txt": "Memory", "files.txt": "Files"}


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One incident and its folder, None where it has none (any more)."""

    incident: Incident
    folder: str | None


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All there is of one incident."""

    told: Told
    recorded: Recorded | None
    points: tuple[Point, ...] = ()
    texts: dict[str, str] = {}
    has_latest: bool = False


def all_of(state: Path) -> list[Told]:
    """Return the incidents that the watchdog remembers and those that only have a folder by now, newest first."""
    folders = {path.parent.name: path for path in (state / "incidents").glob("[!.]*/incident.json")}
    known = {each.id: each for each in _remembered(state / "watchdog.json")}
    for incident_id in folders.keys() - known.keys():
        if recorded := _recorded(folders[incident_id]):
            known[incident_id] = recorded.incident
    told = [
        Told(incident=each, folder=str(folders[each.id].parent) if each.id in folders else None)
        for each in known.values()
    ]
    return sorted(told, key=lambda each: each.incident.opened_utc, reverse=True)


def evidence_of(told: Told, which: str = ".") -> Evidence:
    """Return all there is of an incident; ``which`` is ``.`` for its first time and ``latest`` for its last."""
    if told.folder is None:
        return Evidence(told=told, recorded=None)
    folder = Path(told.folder) / which
    return Evidence(
        told=told,
        recorded=_recorded(folder / "incident.json"),
        points=tuple(_points(folder / "samples.ndjson")),
        texts={name: text for name in _TEXTS if (text := _text(folder / name)) is not None},
        has_latest=(Path(told.folder) / "latest").exists(),
    )


def describe(evidence: Evidence) -> str:
    """Return it as lines for people, harmless to a terminal."""
    incident, recorded = evidence.told.incident, evidence.recorded
    closed = "open" if incident.closed_utc is None else f"closed {when(incident.closed_utc)}"
    lines = [
        f"Incident  {incident.id} ({closed})",
        f"When      {when(incident.opened_utc)} UTC",
        f"Why       {harmless(incident.reason)}",
        f"Done      {harmless(incident.action)}",
    ]
    if recorded is None:
        return "\n".join([*lines, "Evidence  none (any more)"])
    lines += [
        f"Evidence  {evidence.told.folder}, taken {when(recorded.at_utc)} UTC in {recorded.took_s:.2f} s",
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


def _remembered(path: Path) -> tuple[Incident, ...]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Ledger).incidents
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return ()


def _recorded(path: Path) -> Recorded | None:
    try:
        return read(path)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _points(path: Path) -> list[Point]:
    try:
        return msgspec.json.Decoder(Point).decode_lines(path.read_bytes())
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return []


def _text(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return None


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


def when(utc: float) -> str:
    """Return a wall-clock time in UTC, to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(utc))
