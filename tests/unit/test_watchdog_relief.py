from __future__ import annotations

from msgspec.structs import replace

from watchdog import relief
from watchdog.records import Limits, Record, Sample, Verdict

LIMITS = Limits(warning_mb=400, limit_mb=480, relieve_pause_s=300)
WARNING = Verdict(name="warning", reason="memory 410 MB", cause="memory")


def over(record: Record, at_s: float) -> tuple[Verdict, Record]:
    """Look at a process over its warning level at this moment."""
    return relief.over(WARNING, record, Sample(at_s=at_s, supervisor="RUNNING", rss_mb=410), LIMITS)


def test_a_rise_is_relieved_once() -> None:
    """However long it lasts."""
    actions = []
    record = Record()
    for at_s in (0.0, 1.0, 10_000.0):
        verdict, record = over(record, at_s)
        actions.append(verdict.action)
    assert actions == ["relieve", None, None]


def test_the_next_rise_is_relieved_again_but_not_soon() -> None:
    """Memory that swings around its warning level must not pause the process all the time."""
    actions = []
    record = Record()
    for at_s in (0.0, 10.0, 299.0, 300.0, 301.0):
        verdict, record = over(relief.under(record), at_s)
        actions.append(verdict.action)
    assert actions == ["relieve", None, None, "relieve", None]


def test_what_a_relief_brought_is_told_while_the_rise_lasts() -> None:
    """And is forgotten with it."""
    _, record = over(Record(), 0.0)
    verdict, record = over(replace(record, relief="relieved: 410 MB before, 405 MB after"), 1.0)
    assert verdict.reason == "memory 410 MB; relieved: 410 MB before, 405 MB after"
    verdict, _ = over(relief.under(record), 2.0)
    assert verdict.reason == "memory 410 MB"
