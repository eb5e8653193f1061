"""Samples of one process for the policy to judge, with what a test does not care about filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from ipc.messages import Beat
from watchdog.policy import judge
from watchdog.records import Limits, Record, Sample, Verdict

if TYPE_CHECKING:
    from watchdog.records import Identity

LIMITS = Limits(warning_mb=400, limit_mb=480, intensity=3, period_s=600, first_probe_s=60)
OLD: Identity = (100, 1)
NEW: Identity = (101, 2)
#: Process 100 has been known for a quarter of an hour.
KNOWN = Record(identity=OLD, since_s=0)
AT_S = 900.0


def beat(**changes: Any) -> Beat:  # noqa: ANN401 - any field of a beat
    """Return a beat of a process that is ready, with ``changes``."""
    well: dict[str, Any] = {
        "process": "collector",
        "pid": 100,
        "state": "ready",
        "uptime_s": 900.0,
        "loop_lag_s": 0.0,
        "progress": 7,
        "waiting_for": "interval",
    }
    return Beat(**{**well, **changes})


def sample(**changes: Any) -> Sample:  # noqa: ANN401 - any field of a sample
    """Return a sample of process 100 being well, with ``changes``."""
    well = Sample(
        at_s=AT_S, supervisor="RUNNING", identity=OLD, rss_mb=87, beat=beat(), beat_age_s=0.4, own_beat_age_s=0.2
    )
    return replace(well, **changes)


def gone(**changes: Any) -> Sample:  # noqa: ANN401 - any field of a sample
    """Return a sample after process 100 has ended, with ``changes``."""
    return sample(**{"identity": None, "is_gone": True, "rss_mb": None, "beat": None, "beat_age_s": None, **changes})


def judge_all(samples: list[Sample], record: Record = KNOWN) -> tuple[list[Verdict], Record]:
    """Judge one sample after the other; return the verdicts and the last record."""
    verdicts = []
    for each in samples:
        verdict, record = judge(record, each, LIMITS)
        verdicts.append(verdict)
    return verdicts, record
