"""Warnings, gathered: what is worth a word and no mail of its own goes out in one, now and then.

On disk, so that a restart of the watchdog loses none. No warning, no digest.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from ipc import logs
from watchdog.alert import Alert, section, subject
from watchdog.incidents import AHEAD_S
from watchdog.ledger import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from watchdog.commands import Commands

_log = logs.log(__name__)

_HOUR_S: Final = 3600.0
#: As many subjects as a mail can show. Chosen, not measured.
_MAX_WARNINGS: Final = 50


class Warned(msgspec.Struct, frozen=True, kw_only=True):
    """All warnings about one subject since the last digest."""

    first_utc: float
    last_utc: float
    times: int
    first_reason: str
    last_reason: str


class Digest:
    """Gathers warnings by subject: a process's name, or another word of ours."""

    def __init__(self, path: Path, every_h: float) -> None:
        self._path = path
        self._every_s = every_h * _HOUR_S
        self._warned: dict[str, Warned] = {}
        self._now: set[str] = set()
        #: Whether a warning has begun or ended since the last :meth:`save`.
        self.is_changed = False

    def load(self) -> None:
        """Take up what the last life of the watchdog gathered."""
        try:
            self._warned = msgspec.json.decode(self._path.read_bytes(), type=dict[str, Warned])
        except FileNotFoundError:
            pass
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            _log.error("Gathered warnings can't be read", path=str(self._path), reason=str(error))

    def see(self, warnings: Iterable[tuple[str, str]], now_utc: float) -> None:
        """Take all that is warned of now, as subjects and reasons; what was there a moment ago is no new warning."""
        seen = dict(warnings)
        for name, reason in seen.items():
            known = self._warned.get(name)
            if known is None and len(self._warned) >= _MAX_WARNINGS:
                continue
            known = known or Warned(
                first_utc=now_utc, last_utc=now_utc, times=0, first_reason=reason, last_reason=reason
            )
            is_new = name not in self._now
            self._warned[name] = replace(known, last_utc=now_utc, last_reason=reason, times=known.times + is_new)
        self.is_changed |= seen.keys() != self._now
        self._now = set(seen)

    def save(self) -> None:
        """Write down what was gathered, when a warning has begun or ended since the last time."""
        if not self.is_changed:
            return
        self.is_changed = False
        try:
            replace_file(self._path, msgspec.json.encode(self._warned))
        except OSError as error:
            _log.error("Gathered warnings are not on disk", path=str(self._path), reason=str(error))

    def due(self, now_utc: float, commands: Commands) -> Alert | None:
        """Return the digest when the first warning in it is old enough, and begin anew; else None."""
        first_utc = min((each.first_utc for each in self._warned.values()), default=now_utc)
        # Later than now: the wall clock has stepped back since, and waiting for it could be years of silence.
        if not self._warned or not self._every_s or -AHEAD_S <= now_utc - first_utc < self._every_s:
            return None
        alert = _told(self._warned, self._now, first_utc, now_utc, commands)
        self._warned, self._now, self.is_changed = {}, set(), True
        return alert


def _told(warned: dict[str, Warned], now: set[str], first_utc: float, now_utc: float, commands: Commands) -> Alert:
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now_utc))
    names = ", ".join(warned)
    return Alert(
        id=f"{stamp}000-digest",
        subject=subject(f"warnings about {names} since {_when(first_utc)}"),
        at_utc=now_utc,
        tone="warning",
        sections=(
            section("What happened", "Nothing was restarted for these; they may tell of something that comes."),
            section("Why", facts=tuple((name, each.last_reason) for name, each in warned.items())),
            section("What was done", "Nothing: a warning is only told."),
            section("What to do now", "Look whether it grows.", (), (("To see how all are", commands.status()),)),
            section("Evidence", facts=tuple((name, _figures(each, name in now)) for name, each in warned.items())),
        ),
    )


def _figures(each: Warned, is_so: bool) -> str:  # noqa: FBT001 - a fact about the first
    until = "until now, and it goes on" if is_so else f"to {_when(each.last_utc)}"
    return f"{each.times} times from {_when(each.first_utc)} {until}; at first: {each.first_reason}"


def _when(utc: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(utc))
