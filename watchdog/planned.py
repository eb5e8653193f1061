"""Planned restarts: before a limit is reached that will be reached, and once a week. Pure.

Without a quiet window a process is restarted when the forecast falls inside the lead time. With one, it
is restarted in the window before the one that would come too late; outside of it the forecast is told,
and should the limit come first, the limit has its way.

A restart that was due again within the settle time, or after which the memory grows as fast as before, did
not help: it is told once, and the next planned one waits, each time twice as long. The limit does not wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from watchdog.records import Verdict

if TYPE_CHECKING:
    from watchdog.records import Cause, Limits, Record, Sample

_DAY_S: Final = 86_400.0
#: A process that was restarted in last week's window is due in this week's, whenever in it. Chosen.
_WEEKLY_S: Final = 6.5 * _DAY_S
#: A younger process was restarted in this same window already, or is of no use to restart in it. Chosen.
_OLD_S: Final = 0.5 * _DAY_S
#: The longest wait after restarts that did not help.
_LONGEST_WAIT_S: Final = _DAY_S
_MINUTES_FROM_S: Final = 120.0
#: Growth within this share of the growth before a restart is the same growth. Chosen, not measured.
_SAME_SLOPE: Final = 0.3
_OK: Final = Verdict(name="ok", reason="")


def plan(record: Record, sample: Sample, limits: Limits) -> tuple[Verdict, Record]:
    """Judge whether a restart that nobody needs yet is better made now."""
    if is_weekly_due(sample.uptime_s, limits, is_quiet=sample.is_quiet) and sample.is_its_turn:
        assert sample.uptime_s is not None  # noqa: S101 - it is over the week
        reason = f"the weekly restart: up for {sample.uptime_s / _DAY_S:.1f} days"
        return restart("weekly", reason, limits), record
    if not _is_due(sample, limits):
        return _held_back(record, sample, limits) if _grows_as_before(record, sample) else (_OK, record)
    if wait_s(record, sample, limits) > 0:
        return _held_back(record, sample, limits)
    reason = foretell(sample, limits)
    if sample.is_quiet is False:
        reason = f"{reason}; a planned restart waits for the quiet window"
        cause: Cause = "unhelped" if _grows_as_before(record, sample) else "forecast"
        return Verdict(name="warning", cause=cause, reason=reason), record
    return restart("forecast", reason, limits), record


def is_weekly_due(uptime_s: float | None, limits: Limits, *, is_quiet: bool | None) -> bool:
    """Return whether a process of that age is due for the weekly restart, in its turn."""
    return limits.is_weekly and bool(is_quiet) and (uptime_s or 0.0) >= _WEEKLY_S


def foretell(sample: Sample, limits: Limits) -> str:
    """Return the forecast in words; nothing where there is none."""
    if sample.limit_reached_in_s is None or sample.slope_mb_per_h is None:
        return ""
    left_s = sample.limit_reached_in_s
    left = f"{left_s:.0f} s" if left_s < _MINUTES_FROM_S else f"{left_s / 60:.0f} min"
    return f"reaches {limits.limit_mb:.0f} MB in {left}, by {sample.slope_mb_per_h:.0f} MB an hour"


def followed(verdict: Verdict, record: Record, sample: Sample, limits: Limits) -> tuple[Verdict, Record]:
    """Note a restart for memory, and whether the one before it had helped."""
    if verdict.cause not in {"memory", "forecast", "family"}:
        return verdict, record
    since_s = None if record.relapse_from_s is None else sample.at_s - record.relapse_from_s
    has_settled = since_s is None or since_s > _settle_s(record, limits)
    has_helped = has_settled and not _grows_as_before(record, sample)
    record = replace(
        record,
        relapse_from_s=sample.at_s,
        slope_before_mb_per_h=_slope(sample),
        unhelped=0 if has_helped else record.unhelped + 1,
        is_escalated=not has_helped,
    )
    if has_helped:
        return verdict, record
    assert since_s is not None  # noqa: S101 - then it would have helped
    reason = f"{verdict.reason}; the restart {since_s / 60:.0f} min ago did not help"
    return replace(verdict, cause="unhelped", reason=reason), record


def _is_due(sample: Sample, limits: Limits) -> bool:
    """Return whether the limit is near, or will be reached before the quiet window comes again."""
    left_s = sample.limit_reached_in_s
    if left_s is None:
        return False
    comes_too_late = left_s <= _DAY_S and (sample.uptime_s or 0.0) >= _OLD_S
    return left_s <= limits.lead_s or (sample.is_quiet is not None and comes_too_late)


def wait_s(record: Record, sample: Sample, limits: Limits) -> float:
    """Return how long the next planned restart has to wait, for the last one's sake."""
    if record.relapse_from_s is None:
        return 0.0
    return record.relapse_from_s + _settle_s(record, limits) - sample.at_s


def _grows_as_before(record: Record, sample: Sample) -> bool:
    """Return whether the growth that the last restart was made for goes on after it; both must be measured."""
    before, now = record.slope_before_mb_per_h, _slope(sample)
    return before is not None and now is not None and abs(now - before) <= _SAME_SLOPE * before


def _slope(sample: Sample) -> float | None:
    """Return the slope where it is believed: there is a forecast then."""
    return None if sample.limit_reached_in_s is None else sample.slope_mb_per_h


def _settle_s(record: Record, limits: Limits) -> float:
    return min(limits.restart_settle_s * 2.0**record.unhelped, max(_LONGEST_WAIT_S, limits.restart_settle_s))


def _held_back(record: Record, sample: Sample, limits: Limits) -> tuple[Verdict, Record]:
    """Tell, the first time with an alert, that the last restart did not help."""
    since_min = (sample.at_s - (record.relapse_from_s or 0.0)) / 60
    is_news = not record.is_escalated
    record = replace(record, is_escalated=True, unhelped=record.unhelped + is_news)
    waits_min = max(0.0, wait_s(record, sample, limits)) / 60
    reason = (
        f"{foretell(sample, limits)}; the restart {since_min:.0f} min ago did not help,"
        f" the next planned one waits {waits_min:.0f} min"
    )
    return Verdict(name="warning", cause="unhelped", action="escalate" if is_news else None, reason=reason), record


def restart(cause: Cause, reason: str, limits: Limits) -> Verdict:
    """Return a restart that waits for what is in hand."""
    return Verdict(
        name="restart", cause=cause, action="restart", reason=reason, grace_s=limits.stop_s, drain_s=limits.drain_s
    )
