"""What must survive the watchdog's own restart: `watchdog.json` in the state folder.

Times are stored as ages at the moment of writing, and that moment as wall-clock time; on reading
only the difference counts, and never less than nothing. A wall clock that jumped back makes what
is remembered look younger, one that jumped forward older: neither restarts anybody.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

import msgspec

from ipc import logs
from ipc.messages import Incident
from watchdog.incidents import Reminded
from watchdog.records import Quarantine, Record

if TYPE_CHECKING:
    from pathlib import Path

_log = logs.log(__name__)

_VERSION: Final = 1


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """One process across the watchdog's restart. ``*_s`` are ages, or seconds to go, when it was written."""

    end_ages_s: tuple[float, ...] = ()
    #: Its ``probe_at_s`` is what was left then.
    quarantine: Quarantine | None = None
    restarts: int = 0
    last_restart_utc: float | None = None
    last_restart_reason: str | None = None
    #: See :class:`~watchdog.records.Record`.
    relapse_age_s: float | None = None
    slope_before_mb_per_h: float | None = None
    unhelped: int = 0
    is_escalated: bool = False


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file."""

    version: int = _VERSION
    saved_utc: float = 0.0
    #: supervisord's pid, and whether the watchdog was asked to stop: so the next one knows whether this one crashed.
    parent_pid: int = 0
    was_stopped: bool = True
    processes: dict[str, Remembered] = {}
    incidents: tuple[Incident, ...] = ()
    untold: tuple[str, ...] = ()
    reminders: dict[str, Reminded] = {}


def remember(record: Record, now_s: float, history: Remembered) -> Remembered:
    """Return what of ``record`` must not be forgotten, with the rest of ``history``."""
    quarantine = record.quarantine
    if quarantine:
        # A probe under way is remembered as due: should this watchdog end before the start is made, the next
        # one must not take the stop for an operator's. Found running, the process is on trial again.
        due_in_s = 0.0 if quarantine.is_probing else quarantine.probe_at_s - now_s
        quarantine = msgspec.structs.replace(quarantine, probe_at_s=due_in_s, is_probing=False, well_since_s=None)
    ages_s = tuple(now_s - at_s for at_s in record.ends_s)
    return msgspec.structs.replace(
        history,
        end_ages_s=ages_s,
        quarantine=quarantine,
        relapse_age_s=None if record.relapse_from_s is None else now_s - record.relapse_from_s,
        slope_before_mb_per_h=record.slope_before_mb_per_h,
        unhelped=record.unhelped,
        is_escalated=record.is_escalated,
    )


def recall(remembered: Remembered, now_s: float, away_s: float) -> Record:
    """Return the record that continues what was remembered ``away_s`` ago."""
    quarantine = remembered.quarantine
    if quarantine:
        quarantine = msgspec.structs.replace(quarantine, probe_at_s=now_s + quarantine.probe_at_s - away_s)
    relapse_age_s = remembered.relapse_age_s
    return Record(
        ends_s=tuple(now_s - age_s - away_s for age_s in remembered.end_ages_s),
        quarantine=quarantine,
        relapse_from_s=None if relapse_age_s is None else now_s - relapse_age_s - away_s,
        slope_before_mb_per_h=remembered.slope_before_mb_per_h,
        unhelped=remembered.unhelped,
        is_escalated=remembered.is_escalated,
    )


def read(path: Path) -> Ledger:
    """Return the ledger at ``path``; an empty one where there is none, or none that can be read (which is logged)."""
    try:
        ledger = msgspec.json.decode(path.read_bytes(), type=Ledger)
    except FileNotFoundError:
        return Ledger(saved_utc=time.time())
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        _log.error("Unreadable: restarts and quarantines of before are forgotten", path=str(path), reason=str(error))
        return Ledger(saved_utc=time.time())
    if ledger.version != _VERSION:
        _log.error("Of another version, not used", path=str(path), version=ledger.version)
        return Ledger(saved_utc=time.time())
    return ledger


def away_s(ledger: Ledger) -> float:
    """Return how long ago the ledger was written; 0 when the wall clock has jumped back."""
    return max(0.0, time.time() - ledger.saved_utc)


def write(path: Path, ledger: Ledger) -> None:
    """Replace the file at ``path``, atomically and durably.

    Raises:
        OSError: the disk is full, or gone.

    """
    replace_file(path, msgspec.json.format(msgspec.json.encode(ledger)))


def replace_file(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` so that after a crash there is the old file or the new one, whole."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:  # noqa: PTH123
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
