"""Watching the data: troubles out of the beats, and the disk; each that begins is an incident, told and followed up.

It asks nobody: what a process sees wrong stands in its beat. Its incidents belong to ``data``, which is no process, so
nothing is ever restarted for them, and no restart closes them.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from typing import TYPE_CHECKING, Final

from ipc import logs
from ipc.messages import Trouble
from watchdog import data_letter, troubles
from watchdog.troubles import PATIENCE_S, Standing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ipc.messages import Incident
    from watchdog.alerts import Alerts
    from watchdog.journal import Journal
    from watchdog.registry import Registry

_log = logs.log(__name__)

#: Whose incidents these are.
OWNER: Final = "data"
#: Which process can see which kind; the watchdog itself the rest.
TOLD_BY: Final = {
    "database": "api",
    "stale": "api",
    "silent": "api",
    "source": "collector",
    "collections": "collector",
}
#: A beat that is older says nothing any more. Chosen: as long as a process may be silent.
_RECENT_S: Final = 10.0
#: Between two looks, and between two measurements of the disk. Chosen, not measured.
EVERY_S: Final = 2.0
DISK_EVERY_S: Final = 10.0
_MB: Final = 1024 * 1024
_HOUR_S: Final = 3600.0


class DataWatch:
    """Looks every :data:`EVERY_S`. ``now_s`` is the watchdog's clock; ``free_mb`` the room on the state's disk."""

    def __init__(  # noqa: PLR0913 - what it reads, and whom it tells
        self,
        registry: Registry,
        journal: Journal,
        alerts: Alerts,
        now_s: Callable[[], float],
        *,
        reminder_h: float,
        free_warning_mb: float,
        free_mb: Callable[[], float | None],
    ) -> None:
        self._registry = registry
        self._journal = journal
        self._alerts = alerts
        self._now_s = now_s
        self._reminder_s = reminder_h * _HOUR_S
        self._free_warning_mb = free_warning_mb
        self._free_mb = free_mb
        self._measured_at_s = -DISK_EVERY_S
        self._free_now_mb: float | None = None
        self._standing = dict.fromkeys(PATIENCE_S, Standing())

    def resume(self) -> None:
        """Take up what the last life of the watchdog left open."""
        for incident in self._journal.incidents.opened(OWNER):
            self._standing[incident.kind] = Standing(is_open=True)

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look(time.time())
            await asyncio.sleep(EVERY_S)

    async def look(self, now_utc: float) -> None:
        """Look once: begin and end what is to be begun and ended, and remind."""
        at_s = self._now_s()
        if self._free_warning_mb and at_s - self._measured_at_s >= DISK_EVERY_S:
            self._measured_at_s, self._free_now_mb = at_s, await asyncio.to_thread(self._free_mb)
        for kind, patience_s in PATIENCE_S.items():
            seen = self._disk(self._free_now_mb) if kind == "disk" else self._heard(kind, at_s)
            is_seen = None if seen is None else bool(seen)
            turn, self._standing[kind] = troubles.judge(self._standing[kind], is_seen, at_s, patience_s)
            if turn == "begins":
                await self._begin(kind, troubles.told(seen or ()))
            elif turn == "is over":
                await self._end(kind)
            elif seen:
                await self._remind(kind, troubles.told(seen), now_utc)

    def _heard(self, kind: str, at_s: float) -> tuple[Trouble, ...] | None:
        """Return what is told of ``kind`` by the process that can see it; None where it says nothing."""
        heard = self._registry.last(TOLD_BY[kind])
        if heard is None or heard.beat.troubles is None or at_s - heard.at_s > _RECENT_S:
            return None
        return tuple(each for each in heard.beat.troubles if each.kind == kind)

    def _disk(self, free_mb: float | None) -> tuple[Trouble, ...] | None:
        if free_mb is None:
            return None
        if free_mb >= self._free_warning_mb:
            return ()
        words = f"{free_mb:.0f} MB left for the state folder (warning below {self._free_warning_mb:g} MB)"
        return (Trouble(kind="disk", reason=words),)

    async def _begin(self, kind: str, reason: str) -> None:
        incidents = self._journal.incidents
        incident = incidents.acted(incidents.open(OWNER, kind, reason), "told; no restart would help")
        _log.warning("Trouble with the data", kind=kind, incident=incident.id, reason=reason)
        # Told and written down as one: what is untold after a crash of the watchdog would be a process's.
        incidents.untold.discard(incident.id)
        await self._alerts.put(data_letter.began(incident, self._alerts.commands))
        await self._journal.save()

    async def _end(self, kind: str) -> None:
        for incident in self._journal.incidents.close(OWNER, kind):
            _log.info("Trouble with the data is over", kind=kind, incident=incident.id)
            await self._alerts.put(data_letter.over(incident, time.time()))
        await self._journal.save()

    async def _remind(self, kind: str, reason: str, now_utc: float) -> None:
        incidents = self._journal.incidents
        for incident in incidents.opened(OWNER):
            if incident.kind == kind and self._is_due(incident, now_utc):
                nth = incidents.reminded(incident, now_utc)
                await self._alerts.put(data_letter.reminder(incident, nth, reason, now_utc, self._alerts.commands))
                await self._journal.save()

    def _is_due(self, incident: Incident, now_utc: float) -> bool:
        told_utc = self._journal.incidents.told_utc(incident)
        is_time = self._reminder_s > 0 and now_utc - told_utc >= self._reminder_s
        # Somebody who has not got the last word yet needs no reminder of it.
        return is_time and not self._alerts.holds(incident.id)


def free_mb_of(folder: Path) -> float | None:
    """Return the room on the disk of ``folder`` in MB, None where that can't be measured."""
    try:
        return shutil.disk_usage(folder).free / _MB
    except OSError:
        return None
