"""Relief: a process over its warning level is asked for memory back, once for each rise. Pure.

The first step that costs nobody anything, before any restart. A rise ends below the warning level; one
that comes soon after the last relief gets none, since what could be given back has been.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

if TYPE_CHECKING:
    from watchdog.records import Limits, Record, Sample, Verdict


def over(verdict: Verdict, record: Record, sample: Sample, limits: Limits) -> tuple[Verdict, Record]:
    """Make a memory warning ask for relief, where this rise has had none; say what the last one brought."""
    if record.is_relieved:
        words = f"{verdict.reason}; {record.relief}" if record.relief else verdict.reason
        return replace(verdict, reason=words), record
    if record.relieved_at_s is not None and sample.at_s - record.relieved_at_s < limits.relieve_pause_s:
        return verdict, record
    record = replace(record, is_relieved=True, relieved_at_s=sample.at_s, relief=None)
    return replace(verdict, reason=f"{verdict.reason}; asked to give memory back", action="relieve"), record


def under(record: Record) -> Record:
    """End the rise."""
    return replace(record, is_relieved=False, relief=None)
