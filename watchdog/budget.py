"""The family's budget: the one process that is to give way for it is restarted, as for its own limit. Pure.

Who that is: :mod:`watchdog.victim`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from watchdog import planned, strikes
from watchdog.records import Verdict

if TYPE_CHECKING:
    from watchdog.records import Limits, Record, Sample

_OK: Final = Verdict(name="ok", reason="")


def judge(record: Record, sample: Sample, limits: Limits) -> tuple[Verdict, Record]:
    """Restart the process that is to give way, after as many samples as for its own limit."""
    is_over = sample.family_excess_mb is not None and sample.rss_mb is not None
    record = replace(
        record, family_strikes=strikes.marked(record.family_strikes, limits.strike_samples, is_over=is_over)
    )
    if sample.family_excess_mb is None or sample.rss_mb is None:
        return _OK, record
    reason = (
        f"the family is {sample.family_excess_mb:.0f} MB over its budget, and this one, with {sample.rss_mb:.0f} MB,"
    )
    if not strikes.are_enough(record.family_strikes, limits.strikes):
        reason = f"{reason} is to give way, strike {sum(record.family_strikes)} of {limits.strikes}"
        return Verdict(name="strike", cause="family", reason=reason), record
    if (waits_s := planned.wait_s(record, sample, limits)) > 0:
        reason = f"{reason} was restarted not long ago: no other time for {waits_s / 60:.0f} min"
        return Verdict(name="warning", cause="family", reason=reason), record
    return planned.restart("family", f"{reason} gives way", limits), record
