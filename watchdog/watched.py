"""One process under watch: all that is known of it at this moment, and the report of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from ipc.messages import ProcessReport
from watchdog import policy, strikes
from watchdog.forecast import Course, crossing_in_s
from watchdog.ledger import Remembered
from watchdog.records import Limits, Record, Sample, Verdict
from watchdog.sample import Process

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from watchdog.registry import Heard, Registry
    from watchdog.sample import Stat
    from watchdog.supervisor import Program

#: How fast memory is taken to grow at most between two glances. Chosen: half as fast again as the leak of 200 MB/s that
#: is to be met within 0.3 s; a leaking Python seldom writes faster.
FASTEST_MB_PER_S: Final = 300.0
#: So much later a silence that is nearly too long is so.
_HAIR_S: Final = 0.005


class Watched:
    """Holds a process's handle, its last numbers, the policy's record and its last verdict."""

    def __init__(self, name: str, limits: Limits, control_door: Path) -> None:
        self.name = name
        self.limits = limits
        self.control_door = control_door
        #: The policy that it is judged by.
        self.judge: Callable[[Record, Sample, Limits], tuple[Verdict, Record]] = policy.judge
        self.record = Record()
        self.history = Remembered()
        self.verdict = Verdict(name="not judged", reason="not looked at yet")
        #: supervisord's word, in the sense of :attr:`Sample.supervisor`.
        self.supervisor_state: str | None = None
        self.exit_status: int | None = None
        self.process: Process | None = None
        self.stat: Stat | None = None
        self._last_stat: Stat | None = None
        #: When it held how many MB, at the last two samples.
        self._held: tuple[tuple[float, float], ...] = ()
        #: How the process was that was held before.
        self.parted: ProcessReport | None = None
        #: What its children add; see :mod:`watchdog.family`.
        self.added_mb = 0.0
        #: See :mod:`watchdog.budget`.
        self.family_excess_mb: float | None = None
        #: See :mod:`watchdog.turns`.
        self.is_its_turn = False
        self.course = Course(limits.forecast)
        #: True while an action is carried out: nobody judges it, and nobody begins a second one.
        self.is_being_mended = False
        #: What supervisord said before this moment (monotonic) is out of date.
        self.not_before_s = 0.0

    def told(self, state: str | None, program: Program | None) -> None:
        """Take supervisord's word of it."""
        self.supervisor_state = program.statename if program else state
        self.exit_status = program.exitstatus if program else None

    def holds(self, pid: int) -> bool:
        """Return whether process ``pid`` is held, and alive."""
        return self.process is not None and self.process.pid == pid and self.is_alive

    def attach(self, pid: int, on_death: Callable[[], None], parent: int | None) -> None:
        """Hold process ``pid``, and no other; none at all for 0."""
        self.detach()
        if pid:
            self.process = Process.open(pid, on_death, parent)

    def detach(self) -> None:
        """Let go of the process."""
        if self.process:
            self.process.close()
        self.process, self.stat, self._last_stat, self.added_mb, self._held = None, None, None, 0.0, ()
        self.course = Course(self.limits.forecast)

    @property
    def is_alive(self) -> bool:
        """Whether a living process is held."""
        return self.process is not None and not self.process.died.is_set()

    def is_out_of_date(self, looked_at_s: float) -> bool:
        """Return whether something has happened since supervisord was asked, at ``looked_at_s`` (monotonic)."""
        died_at_s = self.process.died_at_s if self.process else None
        return self.not_before_s > looked_at_s or (died_at_s is not None and died_at_s > looked_at_s)

    def sample(self, at_s: float, registry: Registry) -> Sample:
        """Read the process and return what is known now."""
        heard, own = registry.last(self.name), registry.last("watchdog")
        self.stat = self.process.read() if self.process else None
        self._last_stat = self.stat or self._last_stat
        uptime_s = self.process.uptime_s if self.process else None
        if self.memory_mb is not None and uptime_s is not None:
            self.course.note(at_s, uptime_s, self.memory_mb)
            self._held = (*self._held[-1:], (at_s, self.memory_mb))
        known = self.record.identity
        identity = self.process.identity if self.process and self.is_alive else None
        return Sample(
            at_s=at_s,
            supervisor=self.supervisor_state,
            identity=identity,
            is_gone=known is not None and identity != known,
            was_asked=known is not None and registry.was_asked(self.name, known[0]),
            exit_status=self.exit_status,
            rss_mb=self.memory_mb,
            uptime_s=uptime_s,
            slope_mb_per_h=self._slope_mb_per_h,
            limit_reached_in_s=self._limit_reached_in_s,
            family_excess_mb=self.family_excess_mb,
            is_quiet=self.is_quiet,
            is_its_turn=self.is_its_turn,
            run_state=self.stat.run_state if self.stat else None,
            beat=heard.beat if heard else None,
            beat_age_s=at_s - heard.at_s if heard else None,
            own_beat_age_s=at_s - own.at_s if own else None,
        )

    @property
    def uptime_s(self) -> float | None:
        """How long the living process has been there; None where none is."""
        return self.process.uptime_s if self.process and self.is_alive else None

    @property
    def cpu_percent(self) -> float | None:
        """What the living process needs of one core; None where that was not measured."""
        return self.process.cpu_percent if self.process and self.is_alive else None

    @property
    def is_quiet(self) -> bool | None:
        """Whether it is the quiet window now; None where there is none."""
        return self.limits.quiet.holds(time.localtime()) if self.limits.quiet else None

    def clear_for_s(self, at_s: float, registry: Registry) -> float:
        """Take a glance: return for how long the verdict ``ok`` stands, 0 where something is to be judged by now.

        That is until its silence is too long, or its memory over the warning, were it to grow at
        :data:`FASTEST_MB_PER_S` from now on. While a strike is among the last samples, every sample counts.
        """
        heard, has_strikes = registry.last(self.name), self.record.strikes or self.record.family_strikes
        if self.verdict.name != "ok" or has_strikes or self.is_being_mended or self.process is None or heard is None:
            return 0.0
        if (stat := self.process.read()) is None:
            return 0.0
        left_mb = self.limits.warning_mb - stat.rss_mb - self.added_mb
        left_s = heard.at_s + self.limits.hang_after_s - at_s
        return min(left_mb / FASTEST_MB_PER_S, left_s + _HAIR_S) if left_mb >= 0 and left_s >= 0 else 0.0

    @property
    def is_one_strike_short(self) -> bool:
        """Whether one more sample like the last one would lead to an action."""
        if self.verdict.name != "strike" or self.is_being_mended:
            return False
        marks = self.record.family_strikes if self.verdict.cause == "family" else self.record.strikes
        return strikes.is_one_short(marks, self.limits.strikes)

    @property
    def over_in_s(self) -> float | None:
        """In how long it is over its limit at its pace of the last two samples; None where it does not grow, or is."""
        return crossing_in_s(self._held, self.limits.limit_mb)

    @property
    def is_urgent(self) -> bool:
        """Whether it is gone, or so near its ceiling by now that nothing is waited for."""
        stat = self.process.read() if self.process else None
        return stat is None or stat.rss_mb + self.added_mb > self.limits.hard_mb

    @property
    def memory_mb(self) -> float | None:
        """The memory of the process and its children at the last sample."""
        return self.stat.rss_mb + self.added_mb if self.stat else None

    @property
    def _slope_mb_per_h(self) -> float | None:
        return self.course.growth.slope_mb_per_h if self.course.growth else None

    @property
    def _limit_reached_in_s(self) -> float | None:
        memory_mb = self.memory_mb
        return None if memory_mb is None else self.course.reaches_in_s(self.limits.limit_mb, memory_mb)

    def report(self, now_s: float, heard: Heard | None) -> ProcessReport:
        """Return what is told of it; what was not measured is None."""
        return (
            self._report(self.process, self.stat, now_s, heard)
            if self.is_alive
            else self._report(None, None, now_s, heard)
        )

    def part(self, now_s: float, heard: Heard | None) -> None:
        """Keep how the process was at last, for whoever asks about it after its end."""
        self.parted = self._report(self.process, self._last_stat, now_s, heard)

    def _report(self, process: Process | None, stat: Stat | None, now_s: float, heard: Heard | None) -> ProcessReport:
        return ProcessReport(
            process=self.name,
            supervisor_state=self.supervisor_state,
            pid=process.pid if process else None,
            uptime_s=process.uptime_s if process else None,
            memory_mb=stat.rss_mb + self.added_mb if stat else None,
            cpu_percent=process.cpu_percent if process else None,
            memory_warning_mb=self.limits.warning_mb,
            memory_limit_mb=self.limits.limit_mb,
            beat_age_s=now_s - heard.at_s if heard else None,
            beat=heard.beat if heard else None,
            verdict=self.verdict.name,
            reason=self.verdict.reason,
            restarts=self.history.restarts,
            last_restart_utc=self.history.last_restart_utc,
            last_restart_reason=self.history.last_restart_reason,
            slope_mb_per_h=self._slope_mb_per_h,
            limit_reached_in_s=self._limit_reached_in_s,
            progress_age_s=now_s - heard.progress_at_s if heard and heard.progress_at_s is not None else None,
        )
