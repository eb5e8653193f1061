"""The shadow: every verdict as always, and none of them is acted on. Pure.

For a trial of thresholds on a running system. What an action would have changed in the record is not
changed, so that a fault is told for as long as it lasts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from watchdog import policy

if TYPE_CHECKING:
    from watchdog.records import Limits, Record, Sample, Verdict

#: What only ends what a watchdog before this one has begun.
_HARMLESS: Final = frozenset({None, "recover", "release"})


def judge(record: Record, sample: Sample, limits: Limits) -> tuple[Verdict, Record]:
    """Return the policy's verdict without its action, and the record as if it had not been carried out."""
    verdict, after = policy.judge(record, sample, limits)
    if verdict.action in _HARMLESS:
        return verdict, after
    reason = f"shadow, not done: {verdict.action}; {verdict.reason}"
    return replace(verdict, action=None, withheld=verdict.action, reason=reason), _undone(record, after)


def _undone(before: Record, after: Record) -> Record:
    return replace(
        after,
        ends_s=before.ends_s,
        quarantine=before.quarantine,
        strikes=before.strikes,
        family_strikes=before.family_strikes,
        is_relieved=before.is_relieved,
        relieved_at_s=before.relieved_at_s,
        relapse_from_s=before.relapse_from_s,
        slope_before_mb_per_h=before.slope_before_mb_per_h,
        unhelped=before.unhelped,
        is_escalated=before.is_escalated,
    )
