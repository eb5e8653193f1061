"""What the watchdog's parts hand to each other: limits, a sample, a record, a verdict. Values only.

Nothing here reads a clock or a file. Instants called ``*_s`` are on the watchdog's own clock
(:mod:`watchdog.clock`), which stands still while the watchdog does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from ipc.messages import Beat
from watchdog.forecast import Terms
from watchdog.quiet import Quiet
from watchdog.strikes import Marks

if TYPE_CHECKING:
    from ipc.settings import LifeSettings, WatchdogSettings

#: A process for life: its pid and the clock tick at which it began. A pid alone may be used again.
Identity = tuple[int, int]

#: What ended, or should be ended.
Cause = Literal["memory", "family", "forecast", "unhelped", "weekly", "hung", "stuck", "crashed", "fatal", "settings"]

#: ``stopped`` is the operator's doing; ``probing`` is a quarantined process on trial.
VerdictName = Literal[
    "not judged",
    "stopped",
    "ok",
    "warning",
    "strike",
    "restart",
    "crashed",
    "quarantined",
    "probing",
    "recovered",
]

#: ``restart`` a living process; ``await`` the one that supervisord starts itself; ``start`` the one
#: that it does not; ``stop`` or only ``hold`` what is quarantined; ``probe`` it; ``recover`` and
#: ``release`` end a quarantine; ``relieve`` asks a living process for memory back; ``escalate``
#: only tells.
Action = Literal["restart", "await", "start", "stop", "hold", "probe", "recover", "release", "relieve", "escalate"]

#: Hard at once from this share of the ceiling on: the rest is what the stop itself may still cost. Chosen.
_HARD_SHARE: Final = 0.95

#: A process that restarts itself: supervisord replaces it, nobody quarantines it.
_NEVER: Final = 1_000_000_000


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The thresholds of one process."""

    warning_mb: float
    limit_mb: float
    #: Over the limit in so many of the last so many samples, it is restarted.
    strikes: int = 2
    strike_samples: int = 3
    #: The ceiling as a multiple of the limit: near it nothing is waited for any more.
    ceiling_factor: float = 1.5
    #: How long a drain before a restart may take; 0 for none.
    drain_s: float = 5.0
    #: Between two requests for memory back.
    relieve_pause_s: float = 300.0
    forecast: Terms = Terms()
    #: A limit that is reached within this time is met by a planned restart, where there is no quiet window.
    lead_s: float = 600.0
    #: When a planned restart disturbs least; None when nobody has said.
    quiet: Quiet | None = None
    #: Whether it is restarted in the quiet window once a week, in its turn (:mod:`watchdog.turns`).
    is_weekly: bool = False
    #: A restart that is due again within this time did not help.
    restart_settle_s: float = 3600.0
    hang_after_s: float = 10.0
    stuck_after_s: float = 60.0
    #: This many ends (restarts and crashes) within the period are a quarantine.
    intensity: int = 5
    period_s: float = 600.0
    first_probe_s: float = 60.0
    #: The delay between two probes doubles up to this. Chosen, not measured.
    longest_probe_s: float = 3600.0
    #: What a stop may take before SIGKILL: the process's own grace and a second to leave.
    stop_s: float = 9.0
    #: The same for stuck work: the loop turns and can save what it holds, but the work itself will not end.
    #: And for a hung loop, which hears no SIGTERM until it is free again. Chosen, not measured.
    stuck_stop_s: float = 1.0
    hung_stop_s: float = 0.25
    #: A process that has not beaten yet is not judged before this age. Chosen: importing flair takes 5 to 8 s,
    #: but beats begin before that.
    start_grace_s: float = 5.0
    #: A start may be silent (a model is loaded while the loop is blocked) for this long. Chosen, not measured.
    start_limit_s: float = 120.0

    @property
    def hard_mb(self) -> float:
        """The memory from which on a process is restarted hard at once, whatever it has in hand."""
        return self.limit_mb * self.ceiling_factor * _HARD_SHARE

    @property
    def settle_s(self) -> float:
        """How long a probed process must be well: the pace of ends that is tolerated anyway."""
        return self.period_s / self.intensity


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One look at one process. What could not be measured is None, and None is not guilty."""

    at_s: float
    #: supervisord's word; ``SHUTDOWN`` while it stops everything, ``ABSENT`` for a program that it does
    #: not have, None when it did not answer.
    supervisor: str | None
    #: The living process; None when none lives or none could be examined.
    identity: Identity | None = None
    #: True when the process is known to have ended; False also when nobody knows.
    is_gone: bool = False
    #: True when the process that has ended had said that somebody asked it to (SIGTERM): an operator's
    #: ``supervisorctl restart`` may be over before supervisord can be asked.
    was_asked: bool = False
    exit_status: int | None = None
    rss_mb: float | None = None
    uptime_s: float | None = None
    #: How fast the memory grows, and when it reaches the limit; None without enough points, or growth.
    slope_mb_per_h: float | None = None
    limit_reached_in_s: float | None = None
    #: By how much the family is over its budget, for the one that is to give way; None for all others.
    family_excess_mb: float | None = None
    #: Whether it is the quiet window; None where there is none.
    is_quiet: bool | None = None
    #: Whether a weekly restart may be its own now: one at a time, and a minute after the last start of anybody.
    is_its_turn: bool = False
    #: The kernel's letter: ``T`` stopped by a signal, ``t`` held by a debugger, ``D`` waiting for a disk, ...
    run_state: str | None = None
    beat: Beat | None = None
    beat_age_s: float | None = None
    #: The age of the watchdog's own beat, which comes through the same door: the proof that the door works.
    own_beat_age_s: float | None = None


class Quarantine(msgspec.Struct, frozen=True, kw_only=True):
    """A process that is left alone but for probes."""

    reason: str
    #: When the next probe is due, and the delay that led there.
    probe_at_s: float
    delay_s: float
    #: False when supervisord itself had given up: then a ``STOPPED`` is the operator's.
    is_ours: bool
    is_probing: bool = False
    probes: int = 0
    #: Since when the probed process has been well.
    well_since_s: float | None = None


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What the policy remembers of one process between two samples."""

    identity: Identity | None = None
    #: When this identity was first seen.
    since_s: float = 0.0
    #: See :mod:`watchdog.strikes`: over its own limit, and chosen to give way to the family's.
    strikes: Marks = ()
    family_strikes: Marks = ()
    #: Whether this rise over the warning level was met by a request for memory back, when the last one was
    #: made, and what came of it.
    is_relieved: bool = False
    relieved_at_s: float | None = None
    relief: str | None = None
    #: When it was last restarted for its memory, how often in a row that did not help, and whether that was told.
    relapse_from_s: float | None = None
    #: How fast it grew then; None where that was not measured.
    slope_before_mb_per_h: float | None = None
    unhelped: int = 0
    is_escalated: bool = False
    #: Since when the unit in hand has been past its deadline, and the progress counter then.
    overdue_since_s: float | None = None
    overdue_progress: int | None = None
    #: Restarts and crashes within the period, oldest first.
    ends_s: tuple[float, ...] = ()
    quarantine: Quarantine | None = None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The policy's word on one sample."""

    name: VerdictName
    #: Words with figures, for people.
    reason: str
    cause: Cause | None = None
    action: Action | None = None
    #: The action that a watchdog in the shadow does not begin.
    withheld: Action | None = None
    #: How long a stop may take before SIGKILL.
    grace_s: float = 0.0
    #: How long what it has in hand may take before that; 0 for no drain at all.
    drain_s: float = 0.0


def limits_of(process: str, settings: WatchdogSettings, life: LifeSettings) -> Limits:
    """Return the limits of ``process``: the analyzer has its own memory, the watchdog is never quarantined."""
    is_analyzer, is_self = process == "analyzer", process == "watchdog"
    return Limits(
        warning_mb=settings.analyzer_memory_warning_mb if is_analyzer else settings.memory_warning_mb,
        limit_mb=settings.analyzer_memory_limit_mb if is_analyzer else settings.memory_limit_mb,
        strikes=settings.watchdog_strikes,
        strike_samples=settings.watchdog_strike_samples,
        ceiling_factor=settings.memory_ceiling_factor,
        drain_s=settings.restart_drain_s,
        relieve_pause_s=settings.memory_relieve_pause_s,
        forecast=Terms(
            window_s=settings.forecast_window_minutes * 60,
            warm_up_s=settings.forecast_warm_up_minutes * 60,
            steadiness=settings.forecast_steadiness,
            growth_mb=settings.forecast_growth_mb,
        ),
        lead_s=settings.forecast_lead_minutes * 60,
        quiet=Quiet.of(settings.restart_window),
        is_weekly=settings.restart_weekly == "yes",
        restart_settle_s=settings.restart_settle_minutes * 60,
        # Three beats may be lost before silence means anything, whatever the interval.
        hang_after_s=max(settings.watchdog_hang_after_s, 3 * life.beat_interval_s),
        stuck_after_s=settings.watchdog_stuck_after_s,
        intensity=_NEVER if is_self else settings.restart_intensity,
        period_s=settings.restart_period_s,
        first_probe_s=settings.quarantine_first_probe_s,
        stop_s=life.shutdown_grace_s + 1,
    )
