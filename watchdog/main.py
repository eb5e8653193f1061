"""The watchdog's process: wires the parts, serves the door, tells systemd.

It imports nothing of what it watches. What it must know after its own restart is in
`watchdog.json`; that it is the only watchdog is certain because it holds the door.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self

from msgspec.structs import replace

from ipc import life, logs
from ipc.baseline import baseline_mb
from ipc.channel import Connection, Door
from ipc.errors import SentimentAgentError
from ipc.messages import PROCESSES, AnyMessage, Beat, ProcessReport, Recall, Status, StatusReport
from ipc.pace import tick
from watchdog import asking, family, shadow, turns, victim
from watchdog.alerts import Alerts
from watchdog.busy import Busy
from watchdog.chronicle import Chronicle
from watchdog.clock import Clock
from watchdog.commands import commands_of
from watchdog.control import Control
from watchdog.curves import Curves
from watchdog.data_watch import DataWatch, free_mb_of
from watchdog.deadman import Deadman
from watchdog.decisions import Decisions
from watchdog.digest import Digest
from watchdog.followup import Followup
from watchdog.journal import Journal
from watchdog.looker import Looker
from watchdog.mender import Mender
from watchdog.notify import Notifier
from watchdog.recorder import Recorder
from watchdog.records import Verdict, limits_of
from watchdog.registry import Heard, Registry
from watchdog.rounds import LOOK_EVERY_S, ROUND_EVERY_S, Rounds
from watchdog.supervisor import Supervisor
from watchdog.watched import Watched

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from types import TracebackType

    from ipc.life import Pulse
    from ipc.settings import Settings
    from watchdog.sample import Process

_log = logs.log(__name__)

#: The most that may lie between two glances without being lost time: so many intervals, or so many rounds.
_LONGEST_STEP_INTERVALS: Final = 4
_LONGEST_STEP_ROUNDS: Final = 1.5
#: A round is worth a sign of life this long. Chosen: systemd's WATCHDOG is as patient.
_RECENT_S: Final = 10.0
#: A warning that began this long before a power cut may be missing in the digest. Chosen, not measured.
_SAVE_WARNINGS_S: Final = 5.0


class OverLimit(SentimentAgentError):
    """The watchdog itself holds too much memory: it ends, and supervisord starts it anew."""


class Watchdog:
    """The service that :func:`ipc.life.run` runs."""

    def __init__(self, settings: Settings, pulse: Pulse) -> None:
        self._settings = settings
        self._baseline_mb = baseline_mb(settings.analyzer.sentiment_engine)
        self._pulse = pulse
        interval_s = settings.watchdog.watchdog_interval_s
        longest_step_s = max(_LONGEST_STEP_ROUNDS * ROUND_EVERY_S, _LONGEST_STEP_INTERVALS * interval_s)
        self._clock = Clock(time.monotonic(), longest_step_s)
        self._watched = {
            name: Watched(
                name, limits_of(name, settings.watchdog, settings.life), settings.folders.control_socket(name)
            )
            for name in PROCESSES
        }
        everybody = self._watched.values()
        self._registry = Registry(self._now_s)
        self._recorder = Recorder(settings)
        self._decisions = Decisions(settings.folders.state / "decisions.ndjson")
        samples = settings.folders.state / "samples"
        self._curves = Curves()
        self._chronicle = Chronicle(samples, settings.watchdog.history_keep_days, self._curves.take)
        self._notifier = Notifier(os.environ)
        look_every_s = min(LOOK_EVERY_S, self._notifier.interval_s or LOOK_EVERY_S)
        self._rounds = Rounds(everybody, self._registry, self._clock, self._act, self._note, look_every_s=look_every_s)
        supervisor = Supervisor.of_environment(os.environ)
        self._looker = Looker(supervisor, self._registry, everybody, self._rounds.hurry)
        self._journal = Journal(settings.folders.state / "watchdog.json", everybody, self._now_s)
        folder, alerts = settings.folders.state / "alerts", settings.alerts
        control = Control(supervisor) if supervisor else None
        commands = commands_of(os.environ, settings.folders.logs, control.supervisorctl if control else "supervisorctl")
        self._alerts = Alerts(folder, settings.mail, alerts, commands)
        self._digest = Digest(folder / "digest", alerts.alert_digest_h)
        self._followup = Followup(self._journal, self._alerts, self._recorder, self._report, alerts.alert_reminder_h)
        self._mender = Mender(control, self._journal, self._alerts, self._registry, self._recorder) if control else None
        self._data = DataWatch(
            self._registry,
            self._journal,
            self._alerts,
            self._now_s,
            reminder_h=alerts.alert_reminder_h,
            free_warning_mb=settings.watchdog.disk_free_warning_mb,
            free_mb=partial(free_mb_of, settings.folders.state),
        )
        self._busy = Busy(settings.watchdog.cpu_warning_percent)
        self._deadman = Deadman(alerts.alert_deadman_url, self._is_round_good)
        self._door = Door(settings.folders.socket("watchdog"), (Beat, Status, Recall), self._answer)
        self._tasks = asyncio.TaskGroup()
        self._running: set[asyncio.Task[None]] = set()
        self._began_s = time.monotonic()
        self._made_at_s: float | None = None
        self._stop = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Open the door, which only one watchdog can, and take up what the last life left."""
        await self._door.__aenter__()
        left = await self._journal.load()
        await self._alerts.load()
        await asyncio.to_thread(self._digest.load)
        await self._recorder.load()
        self._data.resume()
        if not left.was_stopped and left.parent_pid == os.getppid():
            self._journal.note_restart(
                self._watched["watchdog"], "crashed", "the watchdog ended without being asked to"
            )
            await self._record_own()
        if ":" in self._alerts.words:
            _log.warning("Alerts do not all leave this machine", alerts=self._alerts.words)
        if self._settings.watchdog.watchdog_shadow == "yes":
            _log.warning("In the shadow: this watchdog judges and does nothing")
            for each in self._watched.values():
                each.judge = shadow.judge
        if self._mender is None:
            _log.warning("No supervisord started this watchdog: it watches and tells, and restarts nobody")
        await self._journal.save()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write down that this was a stop and no crash, when it was; close the door."""
        try:
            self._journal.is_ending |= kind is None
            await self._journal.save()
            await self._recorder.flush()
            await self._chronicle.close()
            for each in self._watched.values():
                each.detach()
        finally:
            self._notifier.close()
            await self._door.__aexit__(kind, error, trace)

    async def work(self, stop: asyncio.Event) -> None:
        """Make rounds, send alerts and measure families until ``stop`` is set."""
        self._stop = stop
        async with asyncio.TaskGroup() as self._tasks:
            self._begin(self._make_rounds(), "rounds")
            self._begin(self._alerts.run(), "alerts")
            self._begin(self._measure_families(), "families")
            self._begin(self._recorder.upkeep(), "recorder")
            self._begin(self._chronicle.upkeep(), "long history")
            self._begin(self._curves.take_up(self._settings.folders.state / "samples"), "curves of before")
            self._begin(self._followup.run(), "follow-up")
            self._begin(self._data.run(), "data")
            self._begin(self._tell_warnings(), "warnings")
            self._begin(self._deadman.run(), "sign of life")
            if self._mender:
                self._begin(self._mender.tell_left_over(self._watched), "alerts of the last life")
            await stop.wait()
            # An action under way may be left: what it has begun, supervisord or the next watchdog ends.
            for task in self._running:
                task.cancel()

    def report(self) -> StatusReport:
        """Return all that is known, for the health answer and the status command."""
        now_s = time.monotonic()
        return StatusReport(
            uptime_s=now_s - self._began_s,
            round_age_s=None if self._made_at_s is None else now_s - self._made_at_s,
            supervisor_answers=self._looker.answers,
            alerts=self._alerts.words,
            alerts_waiting=self._alerts.waiting,
            processes=tuple(self._report(each) for each in self._watched.values()),
            incidents=self._journal.incidents.all(),
            warnings=tuple(f"{name}: {reason}" for name, reason in self._busy.warnings),
        )

    def _now_s(self) -> float:
        return self._clock.at(time.monotonic())

    def _report(self, each: Watched) -> ProcessReport:
        return each.report(self._now_s(), self._registry.last(each.name))

    async def _answer(self, connection: Connection, message: AnyMessage) -> None:
        if isinstance(message, Beat):
            self._registry.take(message)
        elif isinstance(message, Recall):
            await connection.send(self._curves.recall(message.span_s, time.time()))
        else:
            await connection.send(self.report())

    def _begin(self, job: Coroutine[Any, Any, None], name: str) -> None:
        task = self._tasks.create_task(job, name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _make_rounds(self) -> None:
        interval_s = self._settings.watchdog.watchdog_interval_s
        with self._pulse.waiting("interval"):
            while True:
                if self._rounds.are_due():
                    await self._make_round()
                await self._rounds.pause(interval_s)

    async def _make_round(self) -> None:
        everybody = self._watched.values()
        victim.assign(everybody, self._settings.watchdog.family_memory_mb, self._baseline_mb)
        turns.assign(everybody)
        has_looked = await self._rounds.make(self._looker)
        self._made_at_s = time.monotonic()
        self._digest.see(self._warnings(), time.time())
        self._pulse.progress += 1
        self._pulse.gauges = {"alerts_waiting": self._alerts.waiting, "beats_ignored": self._registry.ignored}
        if self._looker.answers:
            self._notifier.round_made(everybody, self._registry, has_looked=has_looked)

    def _warnings(self) -> Iterator[tuple[str, str]]:
        """Yield what is warned of now, as subjects and reasons."""
        now_s = self._now_s()
        for each in self._watched.values():
            if each.verdict.name == "warning":
                yield each.name, each.verdict.reason
            self._busy.see(each.name, each.cpu_percent, now_s)
        yield from self._busy.warnings
        yield from self._data.warnings()

    async def _tell_warnings(self) -> None:
        while True:
            if digest := self._digest.due(time.time(), self._alerts.commands):
                await self._alerts.put(digest)
            if self._digest.is_changed:
                await asyncio.to_thread(self._digest.save)
            await tick(_SAVE_WARNINGS_S)

    def _is_round_good(self) -> bool:
        """Tell whether a round was made just now, with supervisord's answer where there is one."""
        is_recent = self._made_at_s is not None and time.monotonic() - self._made_at_s < _RECENT_S
        return is_recent and (self._looker.answers or self._mender is None)

    async def _measure_families(self) -> None:
        while True:
            held = {each.process.pid: each for each in self._watched.values() if each.process and each.is_alive}
            added = await asyncio.to_thread(family.children_mb, list(held))
            for pid, each in held.items():
                if each.process and each.process.pid == pid:
                    each.added_mb = added.get(pid, 0.0)
            await tick(family.EVERY_S)

    def _note(self, each: Watched, heard: Heard | None, at_s: float) -> None:
        self._recorder.note(each, heard, at_s)
        self._chronicle.note(each, heard, at_s)
        self._decisions.note(each)

    def _act(self, each: Watched, verdict: Verdict, old_pid: int) -> None:
        """Begin what ``verdict`` asks for."""
        if verdict.action == "relieve":
            self._begin(self._relieve(each), f"relief of {each.name}")
        elif verdict.action in {"recover", "release"}:
            is_recovered = verdict.action == "recover"
            end = self._followup.end(each, verdict.reason, is_recovered=is_recovered)
            self._begin(end, f"end of {each.name}'s quarantine")
        elif each.name == "watchdog":
            if verdict.action == "restart":
                each.is_being_mended = True
                self._begin(self._end_myself(each, verdict), "end")
        elif self._mender:
            each.is_being_mended = True
            self._begin(self._mend(self._mender, each, verdict, old_pid), f"mending of {each.name}")

    async def _relieve(self, each: Watched) -> None:
        identity = each.record.identity
        words = await asking.relieve(each.control_door)
        _log.warning("Process over its warning level", name=each.name, done=words)
        if each.record.identity == identity:
            each.record = replace(each.record, relief=words)

    async def _mend(self, mender: Mender, each: Watched, verdict: Verdict, old_pid: int) -> None:
        parted = each.parted
        before = parted if parted and parted.pid == old_pid else self._report(each)
        mended = await mender.mend(each, verdict, old_pid, before)
        self._rounds.hurry()
        await mender.tell(each, mended, before)

    async def _record_own(self, process: Process | None = None) -> None:
        """Keep the evidence of what the watchdog itself ends or ended of."""
        for incident in self._journal.incidents.opened("watchdog"):
            await self._recorder.record(incident, self._report(self._watched["watchdog"]), process)

    async def _end_myself(self, each: Watched, verdict: Verdict) -> None:
        if verdict.cause == "weekly":  # as if it had been asked to: supervisord starts what ends with status 0 too
            _log.info("Ending, to be started anew", reason=verdict.reason)
            self._journal.note_planned(each, verdict.reason)
            self._stop.set()
            return
        self._journal.note_restart(each, verdict.cause or "memory", verdict.reason)
        await self._record_own(each.process)
        self._journal.is_ending = True
        await self._journal.save()
        raise OverLimit(f"the watchdog's own {verdict.reason}: it ends, so that supervisord starts it anew")


def main() -> int:
    """Run the watchdog; return its exit status. ``--shadow`` is WATCHDOG_SHADOW=yes."""
    if "--shadow" in sys.argv[1:]:
        os.environ["WATCHDOG_SHADOW"] = "yes"
    return life.run("watchdog", Watchdog, is_busy=False)
