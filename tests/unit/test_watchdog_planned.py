from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from ipc.messages import Beat
from watchdog import ledger
from watchdog.ledger import Remembered
from watchdog.planned import followed, plan
from watchdog.policy import judge, settled
from watchdog.quiet import Quiet
from watchdog.records import Limits, Record, Sample, Verdict

LIMITS = Limits(warning_mb=400, limit_mb=480, lead_s=600, restart_settle_s=3600)
WINDOW = replace(LIMITS, quiet=Quiet(180, 300), is_weekly=True)
DAY_S = 86_400.0
AT_S = 50_000.0


def sample(left_min: float | None, **changes: Any) -> Sample:  # noqa: ANN401 - any field of a sample
    """Return a sample of a process that grows by 600 MB an hour and reaches its limit in so many minutes."""
    beat = Beat(process="api", pid=1, state="ready", uptime_s=9, loop_lag_s=0, progress=1, waiting_for="requests")
    grown = Sample(
        at_s=AT_S,
        supervisor="RUNNING",
        identity=(1, 1),
        rss_mb=300,
        uptime_s=DAY_S,
        slope_mb_per_h=600 if left_min is not None else 0.5,
        limit_reached_in_s=None if left_min is None else left_min * 60,
        beat=beat,
        beat_age_s=0.1,
        own_beat_age_s=0.1,
    )
    return replace(grown, **changes)


@pytest.mark.parametrize(
    ("left_min", "changes", "name", "cause"),
    [
        (None, {}, "ok", None),
        (11, {}, "ok", None),
        (10, {}, "restart", "forecast"),
        (10, {"is_quiet": True}, "restart", "forecast"),
        (10, {"is_quiet": False}, "warning", "forecast"),
        (600, {"is_quiet": True}, "restart", "forecast"),
        (600, {"is_quiet": True, "uptime_s": DAY_S / 4}, "ok", None),
        (600, {"is_quiet": False}, "warning", "forecast"),
        (1441, {"is_quiet": True}, "ok", None),
        (None, {"is_quiet": True, "is_its_turn": True, "uptime_s": 6.4 * DAY_S}, "ok", None),
        (None, {"is_quiet": True, "is_its_turn": True, "uptime_s": 6.6 * DAY_S}, "restart", "weekly"),
        (None, {"is_quiet": True, "is_its_turn": False, "uptime_s": 6.6 * DAY_S}, "ok", None),
        (None, {"is_quiet": False, "is_its_turn": True, "uptime_s": 66 * DAY_S}, "ok", None),
    ],
)
def test_a_restart_is_planned_for_the_moment_that_disturbs_least(
    left_min: float | None, changes: dict[str, Any], name: str, cause: str | None
) -> None:
    """The table: without a window the lead time counts, with one the window."""
    limits = WINDOW if "is_quiet" in changes else LIMITS
    verdict, _ = plan(Record(), sample(left_min, **changes), limits)
    assert (verdict.name, verdict.cause) == (name, cause)
    if name == "restart":
        assert (verdict.action, verdict.grace_s, verdict.drain_s) == ("restart", limits.stop_s, limits.drain_s)


def test_the_forecast_is_told_in_the_verdict() -> None:
    """Long before anything is done about it."""
    known = Record(identity=(1, 1))
    verdict, _ = judge(known, sample(42), LIMITS)
    assert (verdict.name, verdict.reason) == (
        "ok",
        "memory 300 of 480 MB, beat 0.1 s ago, reaches 480 MB in 42 min, by 600 MB an hour",
    )
    verdict, _ = judge(known, sample(9), LIMITS)
    assert (verdict.name, verdict.reason) == ("restart", "reaches 480 MB in 9 min, by 600 MB an hour")


def test_a_planned_restart_that_did_not_help_is_told_once_and_waits_ever_longer() -> None:
    """Half an hour after it the same is due again: that is told, and the next ones wait for two hours, then four."""
    verdict, record = judge(Record(identity=(1, 1)), sample(9), LIMITS)
    assert (verdict.action, verdict.cause) == ("restart", "forecast")
    record = settled(record, "restart", is_done=True, at_s=AT_S, limits=LIMITS)
    actions = []
    for minutes in range(30, 400, 10):
        at_s = AT_S + 60 * minutes
        verdict, record = judge(record, sample(9, at_s=at_s), LIMITS)
        if verdict.action:
            actions.append((minutes, verdict.action))
            record = settled(record, verdict.action, is_done=True, at_s=at_s, limits=LIMITS)
    assert actions == [(30, "escalate"), (120, "restart"), (360, "restart")]


def test_a_restart_at_the_limit_is_made_again_and_its_reason_says_so() -> None:
    """The limit does not wait; that the last restart did not help is another incident, hence another mail."""
    over = Verdict(name="restart", cause="memory", reason="memory 500 MB over 480 MB", action="restart")
    verdict, record = followed(over, Record(), sample(None), LIMITS)
    assert verdict == over
    verdict, record = followed(over, record, sample(None, at_s=AT_S + 1800), LIMITS)
    assert (verdict.cause, verdict.action) == ("unhelped", "restart")
    assert verdict.reason == "memory 500 MB over 480 MB; the restart 30 min ago did not help"
    verdict, record = followed(over, record, sample(None, at_s=AT_S + 4 * DAY_S), LIMITS)
    assert verdict == over
    assert (record.unhelped, record.is_escalated) == (0, False)


@pytest.mark.parametrize(
    ("before", "now", "name"),
    [
        (60.0, 60.0, "warning"),
        (60.0, 77.0, "warning"),
        (60.0, 43.0, "warning"),
        (60.0, 80.0, "ok"),
        (60.0, 40.0, "ok"),
        (None, 60.0, "ok"),
        (60.0, None, "ok"),
    ],
)
def test_the_same_growth_again_is_a_restart_that_did_not_help(
    before: float | None, now: float | None, name: str
) -> None:
    """Long before the limit is near: once with an alert; what was not measured, before or after, proves nothing."""
    record = Record(identity=(1, 1), relapse_from_s=AT_S - 1800, slope_before_mb_per_h=before)
    grown = sample(300 if now else None, slope_mb_per_h=now)
    verdict, record = judge(record, grown, LIMITS)
    assert verdict.name == name
    if name == "warning":
        assert (verdict.cause, verdict.action) == ("unhelped", "escalate")
        assert verdict.reason == (
            f"reaches 480 MB in 300 min, by {now:.0f} MB an hour;"
            " the restart 30 min ago did not help, the next planned one waits 90 min"
        )
        verdict, record = judge(record, grown, LIMITS)
        assert (verdict.cause, verdict.action, record.unhelped) == ("unhelped", None, 1)


def test_a_slow_leak_is_told_once_and_restarted_ever_more_rarely() -> None:
    """A leak that takes five hours to its limit outlasts the settle time; it is the same leak all the same."""
    record, told = Record(identity=(1, 1)), []
    for hour in range(0, 60, 5):
        at_s = AT_S + hour * 3600
        verdict, record = judge(record, sample(9, at_s=at_s, slope_mb_per_h=60), LIMITS)
        told.append((hour, verdict.cause if verdict.action else None))
        if verdict.action:
            record = settled(record, verdict.action, is_done=True, at_s=at_s, limits=LIMITS)
    assert told[:2] == [(0, "forecast"), (5, "unhelped")]
    assert [hour for hour, cause in told if cause] == [0, 5, 10, 15, 25, 45]


def test_a_hang_says_nothing_of_memory() -> None:
    """Its restart neither helps nor fails to."""
    hung = Verdict(name="restart", cause="hung", reason="no beat", action="restart")
    assert followed(hung, Record(), sample(None), LIMITS) == (hung, Record())


def test_what_did_not_help_is_remembered_across_the_watchdogs_own_restart() -> None:
    """Else a watchdog that leaks itself would forget that restarting the others is in vain."""
    record = Record(relapse_from_s=40.0, slope_before_mb_per_h=60.0, unhelped=2, is_escalated=True)
    recalled = ledger.recall(ledger.remember(record, 100.0, Remembered()), now_s=1.0, away_s=5.0)
    assert recalled == replace(record, relapse_from_s=-64.0)
