"""The incidents: what went wrong, once each, however often it happens again before it is over.

An incident is open from its first verdict until its process has had no restart or crash for a
whole period. While it is open the same fault of the same process is the same incident, which is
what keeps a crash loop at one mail.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from ipc.messages import Incident

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ipc.messages import Severity

#: How many are kept for the report, the newest. Chosen, not measured.
KEPT: Final = 50
#: A wall-clock time that lies this far ahead is of a clock that has stepped back since; what is nearer comes round by
#: itself. Chosen, not measured.
AHEAD_S: Final = 60.0


class Reminded(msgspec.Struct, frozen=True, kw_only=True):
    """The last reminder of an incident, and how many there were."""

    at_utc: float
    times: int


class Incidents:
    """Those that are open, and the last that were."""

    def __init__(
        self,
        incidents: Iterable[Incident] = (),
        untold: Iterable[str] = (),
        reminded: Mapping[str, Reminded] | None = None,
    ) -> None:
        self._by_id = {incident.id: incident for incident in incidents}
        #: Ids of incidents that no alert was raised for yet.
        self.untold = set(untold)
        #: The last reminder of each open incident that had one.
        self.reminders = dict(reminded or {})

    def all(self) -> tuple[Incident, ...]:
        """Return what is kept, oldest first."""
        return tuple(self._by_id.values())

    def opened(self, process: str) -> list[Incident]:
        """Return the open incidents of ``process``."""
        return [each for each in self._by_id.values() if each.process == process and each.closed_utc is None]

    def open(self, process: str, kind: str, reason: str) -> Incident:
        """Return the open incident of this process and kind, a new one where there is none."""
        for incident in self.opened(process):
            if incident.kind == kind:
                return incident
        now_utc = time.time()
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now_utc)) + f"{int(now_utc % 1 * 1000):03d}"
        incident = Incident(
            id=f"{stamp}-{process}-{kind}",
            process=process,
            kind=kind,
            opened_utc=now_utc,
            closed_utc=None,
            reason=reason,
            action="in progress",
        )
        self._by_id[incident.id] = incident
        self.untold.add(incident.id)
        self._forget_old()
        return incident

    def acted(self, incident: Incident, action: str) -> Incident:
        """Note what was done about it, the last time; return it as it is now."""
        changed = replace(self._by_id.get(incident.id, incident), action=action)
        self._by_id[incident.id] = changed
        return changed

    def renewed(self, incident: Incident, reason: str, subjects: tuple[str, ...], severity: Severity) -> Incident:
        """Note what it is about by now; return it as it is now."""
        known = self._by_id.get(incident.id, incident)
        changed = replace(known, reason=reason, subjects=subjects, severity=severity)
        self._by_id[incident.id] = changed
        return changed

    def close(self, process: str, kind: str | None = None) -> list[Incident]:
        """Close what is open of ``process``, of one kind or all; return it, closed."""
        closed = [
            replace(incident, closed_utc=time.time())
            for incident in self.opened(process)
            if kind in {None, incident.kind}
        ]
        self._by_id |= {incident.id: incident for incident in closed}
        for incident in closed:
            self.reminders.pop(incident.id, None)
        return closed

    def told_utc(self, incident: Incident) -> float:
        """Return when it was last told of ``incident``: the last reminder, or its beginning."""
        last = self.reminders.get(incident.id)
        return last.at_utc if last else incident.opened_utc

    def is_reminder_due(self, incident: Incident, every_s: float, now_utc: float) -> bool:
        """Return whether it is time to tell of ``incident`` again; never where ``every_s`` is 0.

        A last word from the future is one of a wall clock that has stepped back since: waiting for it to come round
        could be years of silence.
        """
        since_s = now_utc - self.told_utc(incident)
        return every_s > 0 and (since_s >= every_s or since_s < -AHEAD_S)

    def reminded(self, incident: Incident, now_utc: float) -> int:
        """Note a reminder of ``incident``; return the how manieth it is."""
        last = self.reminders.get(incident.id)
        nth = last.times + 1 if last else 1
        self.reminders[incident.id] = Reminded(at_utc=now_utc, times=nth)
        return nth

    def _forget_old(self) -> None:
        ended = [each.id for each in self._by_id.values() if each.closed_utc is not None]
        for incident_id in ended[: max(0, len(self._by_id) - KEPT)]:
            del self._by_id[incident_id]
            self.untold.discard(incident_id)
