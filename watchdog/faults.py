"""What a living process can be found guilty of: too much memory, a hung loop, stuck work.

Pure, like :mod:`watchdog.policy`, which decides what follows. A new check is a function here and a
row in :data:`FAULTS`. What was not measured is nobody's fault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from watchdog import budget, planned, relief, strikes
from watchdog.records import Limits, Record, Sample, Verdict

if TYPE_CHECKING:
    from watchdog.records import Cause

Judged = tuple[Verdict, Record]

_OK: Final = Verdict(name="ok", reason="")


def _memory(record: Record, sample: Sample, limits: Limits) -> Judged:
    """Over the limit in so many of the last samples."""
    is_over = sample.rss_mb is not None and sample.rss_mb > limits.limit_mb
    record = replace(record, strikes=strikes.marked(record.strikes, limits.strike_samples, is_over=is_over))
    if sample.rss_mb is None:
        return Verdict(name="ok", reason=_well(sample, limits)), record
    if sample.rss_mb <= limits.warning_mb:
        return Verdict(name="ok", reason=_well(sample, limits)), relief.under(record)
    if sample.rss_mb <= limits.limit_mb:
        reason = f"memory {sample.rss_mb:.0f} MB over the warning at {limits.warning_mb:.0f} MB"
        warning = Verdict(name="warning", reason=reason, cause="memory")
        return relief.over(warning, record, sample, limits)
    if sample.rss_mb > limits.hard_mb:
        reason = f"memory {sample.rss_mb:.0f} MB over {limits.hard_mb:.0f} MB, near the ceiling"
        return _restart("memory", reason, limits.hung_stop_s), record
    reason = f"memory {sample.rss_mb:.0f} MB over {limits.limit_mb:.0f} MB"
    if not strikes.are_enough(record.strikes, limits.strikes):
        reason = f"{reason}, strike {sum(record.strikes)} of {limits.strikes}"
        return Verdict(name="strike", reason=reason, cause="memory"), record
    return replace(_restart("memory", reason, limits.stop_s), drain_s=limits.drain_s), record


def _hung(record: Record, sample: Sample, limits: Limits) -> Judged:
    """Beats stay away, although the watchdog's own come through the same door."""
    has_started = sample.beat is not None and sample.beat.state != "starting"
    limit_s = limits.hang_after_s if has_started else limits.start_limit_s
    silence_s = sample.at_s - record.since_s if sample.beat_age_s is None else sample.beat_age_s
    is_door_proven = sample.own_beat_age_s is not None and sample.own_beat_age_s < limits.hang_after_s / 2
    if silence_s <= limit_s or not is_door_proven:
        return _OK, record
    reason = f"no beat for {silence_s:.1f} s, over {limit_s:g} s"
    if sample.run_state == "T":
        # A stopped process takes no SIGTERM: waiting for it would be time lost.
        return _restart("hung", f"{reason}: stopped by a signal", 0), record
    return _restart("hung", reason, limits.hung_stop_s), record


def _stuck(record: Record, sample: Sample, limits: Limits) -> Judged:
    """The loop turns, but the unit in hand is long past its deadline, and nothing outside is waited for.

    Measured since *we* first saw it overdue: after a suspend its own deadline is over at once.
    """
    beat = sample.beat
    if beat is None or beat.unit_due_s is None or beat.unit_due_s >= 0 or beat.waiting_for is not None:
        return _OK, replace(record, overdue_since_s=None, overdue_progress=None)
    if record.overdue_since_s is None or record.overdue_progress != beat.progress:
        return _OK, replace(record, overdue_since_s=sample.at_s, overdue_progress=beat.progress)
    overdue_s = sample.at_s - record.overdue_since_s
    if overdue_s <= limits.stuck_after_s:
        return _OK, record
    reason = f"unit {beat.unit!r} is {overdue_s:.0f} s past its deadline, over {limits.stuck_after_s:g} s"
    return _restart("stuck", reason, limits.stuck_stop_s), record


#: Every check of a living process.
FAULTS: Final = (_memory, _hung, _stuck, budget.judge, planned.plan)

#: Which checks are asked of a process at which stage of its life: starting, it may need more than it will keep.
_ASKED: Final = {"ready": FAULTS, "starting": (_hung,), "stopping": (_hung,)}


def examine(record: Record, sample: Sample, limits: Limits) -> Judged:
    """Ask every check that may be asked at this stage; a restart outweighs the rest, and a warning what is well."""
    if sample.run_state == "t":
        return Verdict(name="not judged", reason="held by a debugger"), record
    stage = _stage(record, sample, limits)
    verdicts = []
    for check in _ASKED[stage]:
        verdict, record = check(record, sample, limits)
        verdicts.append(verdict)
    guilty = next((verdict for verdict in verdicts if verdict.name == "restart"), None)
    told = next((verdict for verdict in verdicts if verdict.name != "ok"), verdicts[0])
    innocent = told if stage == "ready" else Verdict(name="not judged", reason=stage)
    return guilty or innocent, record


def _stage(record: Record, sample: Sample, limits: Limits) -> str:
    age_s = sample.at_s - record.since_s
    if sample.beat is None:
        return "starting" if age_s <= limits.start_grace_s else "ready"
    if sample.beat.state == "starting":
        return "starting" if age_s <= limits.start_limit_s else "ready"
    return "stopping" if sample.beat.state == "draining" else "ready"


def _restart(cause: Cause, reason: str, grace_s: float) -> Verdict:
    return Verdict(name="restart", cause=cause, reason=reason, action="restart", grace_s=grace_s)


def _well(sample: Sample, limits: Limits) -> str:
    memory = (
        "memory not measured" if sample.rss_mb is None else f"memory {sample.rss_mb:.0f} of {limits.limit_mb:.0f} MB"
    )
    beat = "no beat yet" if sample.beat_age_s is None else f"beat {sample.beat_age_s:.1f} s ago"
    return ", ".join(filter(None, (memory, beat, planned.foretell(sample, limits))))
