from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from ipc.messages import Beat
from watchdog import shadow
from watchdog.decisions import Decision, Decisions, held_by
from watchdog.records import Limits, Record, Sample, Verdict
from watchdog.watched import Watched

LIMITS = Limits(warning_mb=400, limit_mb=480)
BEAT = Beat(process="api", pid=1, state="ready", uptime_s=9, loop_lag_s=0, progress=1, waiting_for="requests")
SAMPLE = Sample(
    at_s=900.0, supervisor="RUNNING", identity=(1, 1), rss_mb=500, beat=BEAT, beat_age_s=0.1, own_beat_age_s=0.1
)
KNOWN = Record(identity=(1, 1))


def lines(path: Path) -> list[Decision]:
    """Return what is written there."""
    return [msgspec.json.decode(line, type=Decision) for line in path.read_bytes().splitlines()]


def test_only_changes_are_written(tmp_path: Path) -> None:
    """Four times a second the same would be no history."""
    log, each = Decisions(tmp_path / "d.ndjson"), Watched("api", LIMITS, Path("control.sock"))
    for name in ("ok", "ok", "strike", "restart", "restart", "ok"):
        action = "restart" if name == "restart" else None
        each.verdict = Verdict(name=name, reason=name, action=action)  # type: ignore[arg-type] # the names of a table
        log.note(each)
    written = lines(tmp_path / "d.ndjson")
    assert [(each.verdict, each.action, each.held_by) for each in written] == [
        ("ok", None, None),
        ("strike", None, "strikes"),
        ("restart", "restart", None),
        ("ok", None, None),
    ]
    assert written[0].memory_mb is None, "not measured is not zero"


def test_the_log_is_bounded(tmp_path: Path) -> None:
    """Two files, however often a verdict changes."""
    log, each = Decisions(tmp_path / "d.ndjson", max_bytes=2000), Watched("api", LIMITS, Path("control.sock"))
    for n in range(100):
        each.verdict = Verdict(name="ok" if n % 2 else "warning", reason="x" * 50)
        log.note(each)
    assert {path.name for path in tmp_path.iterdir()} <= {"d.ndjson", "d.ndjson.1"}
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 5000


def test_a_disk_that_does_not_take_it_ends_nothing(tmp_path: Path) -> None:
    """The rounds go on."""
    each = Watched("api", LIMITS, Path("control.sock"))
    Decisions(tmp_path / "no" / "folder.ndjson").note(each)


@pytest.mark.parametrize(
    ("verdict", "rule"),
    [
        (Verdict(name="ok", reason=""), None),
        (Verdict(name="restart", reason="", action="restart"), None),
        (Verdict(name="restart", reason="", withheld="restart"), "shadow"),
        (Verdict(name="strike", reason="", cause="memory"), "strikes"),
        (Verdict(name="warning", reason="", cause="memory"), None),
        (Verdict(name="warning", reason="", cause="forecast"), "quiet window"),
        (Verdict(name="warning", reason="", cause="unhelped"), "back-off"),
        (Verdict(name="warning", reason="", cause="unhelped", action="escalate"), None),
        (Verdict(name="quarantined", reason=""), "quarantine"),
    ],
)
def test_the_rule_that_stopped_an_action_has_a_name(verdict: Verdict, rule: str | None) -> None:
    """The table."""
    assert held_by(verdict) == rule


def test_in_the_shadow_a_fault_is_told_for_as_long_as_it_lasts() -> None:
    """And nothing is counted: neither an end nor a quarantine, however long."""
    record, told = KNOWN, []
    for n in range(20):
        verdict, record = shadow.judge(record, replace(SAMPLE, at_s=900.0 + n), LIMITS)
        told.append((verdict.name, verdict.action, verdict.withheld))
    assert told == [("strike", None, None)] + 19 * [("restart", None, "restart")]
    assert (record.ends_s, record.quarantine, record.relapse_from_s) == ((), None, None)


def test_in_the_shadow_a_crash_is_told_and_the_next_process_is_judged() -> None:
    """Supervisord starts it again by itself."""
    gone = replace(SAMPLE, identity=None, is_gone=True, rss_mb=None, beat=None)
    verdict, record = shadow.judge(KNOWN, gone, LIMITS)
    assert (verdict.name, verdict.action, verdict.withheld) == ("crashed", None, "await")
    verdict, record = shadow.judge(record, replace(SAMPLE, identity=(2, 2), rss_mb=90), LIMITS)
    assert verdict.name == "ok"
    assert record.ends_s == ()
