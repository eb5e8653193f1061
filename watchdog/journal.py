"""The journal: the incidents and the ledger file, loaded at the start and saved whenever they change."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from ipc import logs
from watchdog import ledger
from watchdog.incidents import Incidents
from watchdog.ledger import Ledger, Remembered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from watchdog.watched import Watched

_log = logs.log(__name__)


class Journal:
    """What the watchdog knows beyond its own life. ``now_s`` is the watchdog's clock."""

    def __init__(self, path: Path, watched: Iterable[Watched], now_s: Callable[[], float]) -> None:
        self.incidents = Incidents()
        #: Set when this life ends on purpose: the next one will not take it for a crash.
        self.is_ending = False
        self._path = path
        self.watched = {each.name: each for each in watched}
        self._now_s = now_s
        self._writing = asyncio.Lock()

    async def load(self) -> Ledger:
        """Take up what the last life of the watchdog left, and return it as it was."""
        left = await asyncio.to_thread(ledger.read, self._path)
        away_s = ledger.away_s(left)
        for name, each in self.watched.items():
            each.history = left.processes.get(name, Remembered())
            each.record = ledger.recall(each.history, self._now_s(), away_s)
        self.incidents = Incidents(left.incidents, left.untold, left.reminders)
        return left

    def note_restart(self, each: Watched, cause: str, reason: str) -> None:
        """Put one more restart of ``each`` on record; with an incident, for the watchdog's own."""
        self.note_planned(each, reason)
        if each.name == "watchdog":
            self.incidents.acted(self.incidents.open(each.name, cause, reason), "supervisord starts it again")

    def note_planned(self, each: Watched, reason: str) -> None:
        """Put one more restart of ``each`` on record that is no incident."""
        each.history = replace(
            each.history,
            restarts=each.history.restarts + 1,
            last_restart_utc=time.time(),
            last_restart_reason=reason,
        )

    async def save(self) -> None:
        """Write everything down, durably; a disk that does not take it is logged, and the rounds go on."""
        async with self._writing:
            for each in self.watched.values():
                each.history = ledger.remember(each.record, self._now_s(), each.history)
            book = Ledger(
                saved_utc=time.time(),
                parent_pid=os.getppid(),
                was_stopped=self.is_ending,
                processes={name: each.history for name, each in self.watched.items()},
                incidents=self.incidents.all(),
                untold=tuple(self.incidents.untold),
                reminders=self.incidents.reminders,
            )
            try:
                await asyncio.to_thread(ledger.write, self._path, book)
            except OSError as error:
                _log.error("Restarts and quarantines are not on disk", path=str(self._path), reason=str(error))
