"""What a verdict sets off: an incident, an action, its outcome on record, an alert. One at a time a process.

What a next watchdog would need is on disk *before* the action begins: of a quarantine always, since it would look like
an operator's stop else; of anything else unless the disk hangs, which must not keep anybody from being restarted.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import msgspec

from ipc import logs
from ipc.messages import Incident
from watchdog import asking, letter
from watchdog.control import Outcome
from watchdog.policy import settled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipc.messages import ProcessReport
    from watchdog.alerts import Alerts
    from watchdog.control import Control
    from watchdog.journal import Journal
    from watchdog.recorder import Recorder
    from watchdog.records import Action, Verdict
    from watchdog.registry import Registry
    from watchdog.watched import Watched

_log = logs.log(__name__)

#: A mail waits this long to be able to say that the new process is ready. Loading the model takes 5 to 8 s (measured).
READY_S: Final = 20.0
#: A save takes milliseconds. Chosen, not measured.
_SAVE_S: Final = 2.0


class Mended(msgspec.Struct, frozen=True, kw_only=True):
    """An action that is over."""

    incident: Incident | None
    outcome: Outcome
    began_s: float


class Mender:
    """Carries out verdicts and tells of them."""

    def __init__(
        self, control: Control, journal: Journal, alerts: Alerts, registry: Registry, recorder: Recorder
    ) -> None:
        self._control = control
        self._journal = journal
        self._alerts = alerts
        self._registry = registry
        self._recorder = recorder
        #: Incidents whose alert is waiting for the new process to be ready.
        self._telling: set[str] = set()
        self._saving: set[asyncio.Task[None]] = set()

    async def mend(self, watched: Watched, verdict: Verdict, old_pid: int, before: ProcessReport) -> Mended:
        """Carry out ``verdict``, which is about the process ``old_pid``; ``before`` is how that was when it was judged.

        The caller has set :attr:`Watched.is_being_mended`, which keeps others off until this returns.
        """
        began_s = time.monotonic()
        is_there = verdict.action in {"restart", "stop", "escalate"}
        try:
            incident = self._incident(watched, verdict)
            await self._save_before(verdict.action)
            if incident and is_there:  # while it can still be asked
                await self._recorder.record(incident, before, watched.process if watched.is_alive else None)
            outcome = await self._act(watched, verdict, old_pid)
            self._note(watched, verdict, outcome, old_pid)
        finally:
            watched.is_being_mended = False
            watched.not_before_s = time.monotonic()
        if incident:
            incident = self._journal.incidents.acted(incident, outcome.words)
        await self._journal.save()
        if incident:
            await (self._recorder.update(incident) if is_there else self._recorder.record(incident, before, None))
        return Mended(incident=incident, outcome=outcome, began_s=began_s)

    async def tell(self, watched: Watched, mended: Mended, before: ProcessReport) -> None:
        """Raise the one alert of an incident, once it can be said whether the new process is ready.

        ``before`` is how the process was when it was judged.
        """
        incident, outcome = mended.incident, mended.outcome
        if incident is None or incident.id not in self._journal.incidents.untold - self._telling:
            return
        self._telling.add(incident.id)
        if outcome.new_pid:
            readiness = await self._readiness(watched.name, outcome.new_pid, mended.began_s)
            incident = self._journal.incidents.acted(incident, f"{outcome.words}; {readiness}")
            await self._recorder.update(incident)
        await self._put(incident, before, watched)
        self._telling.discard(incident.id)
        await self._journal.save()

    async def tell_left_over(self, watched: Mapping[str, Watched]) -> None:
        """Raise the alerts that the watchdog's last life did not come to."""
        left = [each for each in self._journal.incidents.all() if each.id in self._journal.incidents.untold]
        for incident in left:
            await self._put(incident, None, watched[incident.process])
        await self._journal.save()

    async def _save_before(self, action: Action | None) -> None:
        """Save, and wait for it to the end before a stop alone; a slower one goes on beside the action."""
        saving = asyncio.create_task(self._journal.save(), name="save")
        self._saving.add(saving)
        saving.add_done_callback(self._saving.discard)
        done, _ = await asyncio.wait({saving}, timeout=None if action == "stop" else _SAVE_S)
        if done:
            saving.result()
        else:
            _log.error("The state is not on disk yet: acting without it", limit_s=_SAVE_S)

    def _incident(self, watched: Watched, verdict: Verdict) -> Incident | None:
        """Return the incident that ``verdict`` belongs to; a probe begins none."""
        if verdict.name == "quarantined" and verdict.cause is None:
            return None  # a probe failed: the quarantine goes on
        if verdict.action == "probe":
            return None
        if verdict.cause == "weekly" and verdict.action == "restart":
            return None  # the operator has asked for it: on record and in the log, and no mail
        kind = "quarantine" if verdict.name == "quarantined" else (verdict.cause or "crashed")
        return self._journal.incidents.open(watched.name, kind, verdict.reason)

    async def _act(self, watched: Watched, verdict: Verdict, old_pid: int) -> Outcome:
        name = watched.name
        match verdict.action:
            case "restart" if watched.process:
                drained = await self._drain(watched, verdict.drain_s) if verdict.drain_s else ""
                outcome = await self._control.restart(name, watched.process, verdict.grace_s)
                return msgspec.structs.replace(outcome, words=f"{drained}{outcome.words}")
            case "await":
                return await self._control.replacement(name, old_pid)
            case "start" | "probe":
                return await self._control.start(name)
            case "stop":
                return await self._control.stop(name)
            case _:
                return Outcome(is_done=True, words="left as it is")

    @staticmethod
    async def _drain(watched: Watched, drain_s: float) -> str:
        """Let it finish what it has in hand, unless it grows towards the ceiling meanwhile, or is gone."""
        return f"{await asking.drain(watched.control_door, drain_s, lambda: watched.is_urgent)}; "

    def _note(self, watched: Watched, verdict: Verdict, outcome: Outcome, old_pid: int) -> None:
        """Write the outcome into the record, the history and the log."""
        assert verdict.action is not None  # noqa: S101 - nothing is mended without an action
        watched.record = settled(
            watched.record, verdict.action, is_done=outcome.is_done, at_s=self._registry.now_s(), limits=watched.limits
        )
        if outcome.new_pid and verdict.action in {"restart", "await", "start"}:
            self._journal.note_restart(watched, verdict.cause or "crashed", verdict.reason)
        log = _log.warning if outcome.is_done else _log.error
        log(
            _EVENTS.get(verdict.action, "Process mended") if outcome.is_done else "Process not mended",
            name=watched.name,
            cause=verdict.cause,
            reason=verdict.reason,
            done=outcome.words,
            old_pid=old_pid or None,
            new_pid=outcome.new_pid,
        )

    async def _readiness(self, name: str, pid: int, began_s: float) -> str:
        try:
            async with asyncio.timeout(READY_S):
                is_up = await self._registry.comes_up(name, pid)
        except TimeoutError:
            return f"not ready {READY_S:g} s later"
        after_s = time.monotonic() - began_s
        return f"ready {after_s:.1f} s after the verdict" if is_up else "it ended again before it was ready"

    async def _put(self, incident: Incident, before: ProcessReport | None, watched: Watched) -> None:
        ends = len(watched.record.ends_s)
        said = await self._recorder.last_words(incident)
        alert = letter.opened(incident, before, ends, watched.limits, self._alerts.commands, said=said)
        attachment = await self._recorder.digest(incident)
        await self._alerts.put(msgspec.structs.replace(alert, attachment=attachment))
        self._journal.incidents.untold.discard(incident.id)


_EVENTS: Final = {
    "restart": "Process restarted",
    "await": "Process crashed and was replaced",
    "start": "Process started again",
    "stop": "Process quarantined",
    "hold": "Process quarantined",
    "probe": "Process probed",
    "escalate": "Restart did not help",
}
