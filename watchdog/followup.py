"""What becomes of an incident after it was told: reminders while it is open, its end, and the word that it is over."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from ipc import logs
from ipc.pace import tick
from watchdog import letter
from watchdog.incidents import AHEAD_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipc.messages import ProcessReport
    from watchdog.alerts import Alerts
    from watchdog.journal import Journal
    from watchdog.recorder import Recorder
    from watchdog.watched import Watched

_log = logs.log(__name__)

#: How often it is looked whether something is due. Chosen, not measured.
EVERY_S: Final = 2.0
_HOUR_S: Final = 3600.0


class Followup:
    """Looks after the incidents of ``journal``. ``report`` returns how a process is now."""

    def __init__(
        self,
        journal: Journal,
        alerts: Alerts,
        recorder: Recorder,
        report: Callable[[Watched], ProcessReport],
        reminder_h: float,
    ) -> None:
        self._journal = journal
        self._alerts = alerts
        self._recorder = recorder
        self._report = report
        self._reminder_s = reminder_h * _HOUR_S

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look(time.time())
            await tick(EVERY_S)

    async def look(self, now_utc: float) -> None:
        """Close what is over, and remind of what is not."""
        for each in self._journal.watched.values():
            if (well_s := self._well_s(each, now_utc)) >= each.limits.period_s:
                await self.end(each, f"no restart or crash for {letter.span(well_s)}", is_recovered=True)
        await self._remind(now_utc)

    async def end(self, watched: Watched, reason: str, *, is_recovered: bool) -> None:
        """Close the incidents of a process that has recovered (which is told), or that an operator has taken over."""
        closed = self._journal.incidents.close(watched.name)
        for incident in closed:
            _log.info("Incident closed", name=watched.name, incident=incident.id, reason=reason)
            await self._recorder.update(incident)
        if closed and is_recovered:
            await self._alerts.put(letter.recovered(closed, reason, time.time()))
        if closed:
            await self._journal.save()

    def _well_s(self, each: Watched, now_utc: float) -> float:
        """Return how long a process with an open incident has been well; 0 where it is not, or has none."""
        incidents = self._journal.incidents
        opened = incidents.opened(each.name)
        is_well = each.verdict.name in {"ok", "warning"} and each.verdict.cause != "unhelped"
        is_well = is_well and not each.is_being_mended
        is_told = incidents.untold.isdisjoint(incident.id for incident in opened)
        if not opened or not is_well or not is_told or each.record.ends_s or each.record.quarantine:
            return 0.0
        well_s = now_utc - max([each.history.last_restart_utc or 0.0, *(incident.opened_utc for incident in opened)])
        # Of a wall clock that stepped back only this is known: no end within the period, by the watchdog's own clock.
        return each.limits.period_s if well_s < -AHEAD_S else well_s

    async def _remind(self, now_utc: float) -> None:
        incidents = self._journal.incidents
        due = [
            incident
            for each in self._journal.watched
            for incident in incidents.opened(each)
            if incident.id not in incidents.untold
            if incidents.is_reminder_due(incident, self._reminder_s, now_utc)
            # Somebody who has not got the last word yet needs no reminder of it.
            if not self._alerts.holds(incident.id)
        ]
        for incident in due:
            nth = incidents.reminded(incident, now_utc)
            now = self._report(self._journal.watched[incident.process])
            await self._alerts.put(letter.reminder(incident, nth, now, now_utc, self._alerts.commands))
        if due:
            await self._journal.save()
