"""Watching the data: troubles out of the beats, and the disk; each that begins is an incident, told and followed up.

It asks nobody: what a process sees wrong stands in its beat. Its incidents belong to ``data``, which is no process, so
nothing is ever restarted for them, and no restart closes them. One kind is one incident: whoever joins it later is
told in its thread, and it is over when the last one is. What is only a warning is told by the digest, and by a mail of
its own when it lasts until a reminder is due.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from typing import TYPE_CHECKING, Final

from ipc import logs
from ipc.messages import Trouble
from ipc.pace import tick
from watchdog import data_letter, troubles
from watchdog.troubles import PATIENCE_S, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ipc.messages import Incident, Severity
    from watchdog.alert import Alert
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
#: What is said of it in the ledger.
_TOLD: Final = {"critical": "told", "warning": "for the digest"}
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
        self._kinds = {kind: Kind(patience_s) for kind, patience_s in PATIENCE_S.items()}

    def resume(self) -> None:
        """Take up what the last life of the watchdog left open."""
        for incident in self._journal.incidents.opened(OWNER):
            # One of a former version has no subjects, or a kind that nobody sees any more.
            if kind := self._kinds.get(incident.kind):
                kind.resume(incident.subjects or ("",))
            else:
                self._journal.incidents.close(OWNER, incident.kind)

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look(time.time())
            await tick(EVERY_S)

    async def look(self, now_utc: float) -> None:
        """Look once: begin and end what is to be begun and ended, and remind."""
        at_s = self._now_s()
        if self._free_warning_mb and at_s - self._measured_at_s >= DISK_EVERY_S:
            self._measured_at_s, self._free_now_mb = at_s, await asyncio.to_thread(self._free_mb)
        for kind, standing in self._kinds.items():
            turns = standing.look(self._disk() if kind == "disk" else self._heard(kind, at_s), at_s)
            now = [each for each in standing.open.values() if each]
            begun = [each for each in now if turns.get(each.subject) == "begins"]
            if begun:
                await self._begin(kind, begun, now)
            if "is over" in turns.values():
                await self._end(kind, now, tuple(standing.open))
            elif now:
                await self._remind(kind, now, now_utc)

    def warnings(self) -> Iterator[tuple[str, str]]:
        """Yield what is open and told by the digest, as subjects and reasons."""
        for incident in self._journal.incidents.opened(OWNER):
            if incident.severity == "warning":
                yield data_letter.name_of(incident.kind), incident.reason

    def _heard(self, kind: str, at_s: float) -> tuple[Trouble, ...] | None:
        """Return what is told of ``kind`` by the process that can see it; None where it can't tell."""
        heard = self._registry.last(TOLD_BY[kind])
        if heard is None or at_s - heard.at_s > _RECENT_S or kind not in heard.beat.looked_for:
            return None
        return tuple(each for each in heard.beat.troubles if each.kind == kind)

    def _disk(self) -> tuple[Trouble, ...] | None:
        free_mb = self._free_now_mb
        if free_mb is None:
            return None
        if free_mb >= self._free_warning_mb:
            return ()
        words = f"{free_mb:.0f} MB left for the state folder (warning below {self._free_warning_mb:.0f} MB)"
        return (Trouble(kind="disk", reason=words),)

    async def _begin(self, kind: str, begun: Sequence[Trouble], now: Sequence[Trouble]) -> None:
        incidents, reason = self._journal.incidents, troubles.told(now)
        is_new = not self._opened(kind)
        incident = self._renewed(incidents.open(OWNER, kind, reason), now)
        incident = incidents.acted(incident, f"{_TOLD[incident.severity]}; no restart would help")
        _log.warning("Trouble with the data", kind=kind, incident=incident.id, reason=troubles.told(begun))
        # Told and written down as one: what is untold after a crash of the watchdog would be a process's.
        incidents.untold.discard(incident.id)
        if incident.severity == "critical":
            await self._alerts.put(self._beginning(incident, begun, now, is_new=is_new))
        await self._journal.save()

    def _beginning(
        self, incident: Incident, begun: Sequence[Trouble], now: Sequence[Trouble], *, is_new: bool
    ) -> Alert:
        commands = self._alerts.commands
        if is_new:
            return data_letter.began(incident, now, commands)
        return data_letter.joined(incident, begun, time.time(), commands)

    async def _end(self, kind: str, now: Sequence[Trouble], still_open: tuple[str, ...]) -> None:
        incidents = self._journal.incidents
        for incident in self._opened(kind):
            if still_open:
                incidents.renewed(incident, troubles.told(now) or incident.reason, still_open, incident.severity)
                continue
            was_told = incident.severity == "critical" or incident.id in incidents.reminders
            incidents.close(OWNER, kind)
            _log.info("Trouble with the data is over", kind=kind, incident=incident.id)
            if was_told:
                await self._alerts.put(data_letter.over(incident, time.time()))
        await self._journal.save()

    async def _remind(self, kind: str, now: Sequence[Trouble], now_utc: float) -> None:
        incidents = self._journal.incidents
        for opened in self._opened(kind):
            incident = self._renewed(opened, now)
            if self._is_due(incident, now_utc):
                nth = incidents.reminded(incident, now_utc)
                await self._alerts.put(data_letter.reminder(incident, nth, now, now_utc, self._alerts.commands))
                await self._journal.save()

    def _renewed(self, incident: Incident, now: Sequence[Trouble]) -> Incident:
        """Note what ``incident`` is about by now; the figures of the moment need not be on disk."""
        subjects = tuple(self._kinds[incident.kind].open)
        return self._journal.incidents.renewed(incident, troubles.told(now), subjects, _severity(now))

    def _opened(self, kind: str) -> list[Incident]:
        return [each for each in self._journal.incidents.opened(OWNER) if each.kind == kind]

    def _is_due(self, incident: Incident, now_utc: float) -> bool:
        is_time = self._journal.incidents.is_reminder_due(incident, self._reminder_s, now_utc)
        # Somebody who has not got the last word yet needs no reminder of it.
        return is_time and not self._alerts.holds(incident.id)


def _severity(now: Sequence[Trouble]) -> Severity:
    return "critical" if any(each.severity == "critical" for each in now) else "warning"


def free_mb_of(folder: Path) -> float | None:
    """Return the room on the disk of ``folder`` in MB, None where that can't be measured."""
    try:
        return shutil.disk_usage(folder).free / _MB
    except OSError:
        return None
