from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fakes.judged import AT_S, KNOWN, LIMITS, NEW, beat, gone, judge_all, sample
from msgspec.structs import replace

from watchdog.policy import judge, settled
from watchdog.records import Record

if TYPE_CHECKING:
    from ipc.messages import Beat


@pytest.mark.parametrize(
    ("changes", "name", "reason"),
    [
        ({}, "ok", "memory 87 of 480 MB, beat 0.4 s ago"),
        ({"rss_mb": None}, "ok", "memory not measured, beat 0.4 s ago"),
        ({"rss_mb": 400}, "ok", "memory 400 of 480 MB, beat 0.4 s ago"),
        ({"rss_mb": 401}, "warning", "memory 401 MB over the warning at 400 MB; asked to give memory back"),
        ({"rss_mb": 480}, "warning", "memory 480 MB over the warning at 400 MB; asked to give memory back"),
        ({"rss_mb": 481}, "strike", "memory 481 MB over 480 MB, strike 1 of 2"),
        ({"rss_mb": 684}, "strike", "memory 684 MB over 480 MB, strike 1 of 2"),
        ({"rss_mb": 685}, "restart", "memory 685 MB over 684 MB, near the ceiling"),
        ({"beat_age_s": 10.0}, "ok", "memory 87 of 480 MB, beat 10.0 s ago"),
        ({"beat_age_s": 10.1}, "restart", "no beat for 10.1 s, over 10 s"),
        ({"beat_age_s": 11, "run_state": "T"}, "restart", "no beat for 11.0 s, over 10 s: stopped by a signal"),
        ({"beat_age_s": 11, "run_state": "t"}, "not judged", "held by a debugger"),
        ({"supervisor": "STARTING"}, "not judged", "starting"),
        ({"supervisor": "STOPPING", "beat_age_s": 99}, "not judged", "being stopped"),
        ({"supervisor": "SHUTDOWN", "beat_age_s": 99}, "not judged", "supervisord stops everything"),
        ({"supervisor": "ABSENT"}, "not judged", "supervisord has no program of this name"),
        ({"supervisor": "UNKNOWN"}, "not judged", "supervisord says UNKNOWN"),
        ({"beat": beat(state="draining"), "rss_mb": 999}, "not judged", "stopping"),
        ({"beat": beat(state="draining"), "beat_age_s": 11}, "restart", "no beat for 11.0 s, over 10 s"),
        ({"beat": beat(state="paused"), "rss_mb": 481}, "strike", "memory 481 MB over 480 MB, strike 1 of 2"),
        ({"identity": None, "rss_mb": None}, "not judged", "it can't be examined"),
    ],
)
def test_one_sample_has_one_verdict_with_its_figures(changes: dict[str, Any], name: str, reason: str) -> None:
    """The table of what a single look at a known process means."""
    (verdict,), _ = judge_all([sample(**changes)])
    assert (verdict.name, verdict.reason) == (name, reason)


@pytest.mark.parametrize(
    ("state", "age_s", "changes", "name"),
    [
        ("starting", 119.0, {"rss_mb": 999}, "not judged"),
        ("starting", 119.0, {"beat_age_s": 60}, "not judged"),
        ("starting", 121.0, {"rss_mb": 500}, "strike"),
        ("starting", 150.0, {"beat_age_s": 121}, "restart"),
        (None, 4.0, {"rss_mb": 999}, "not judged"),
        (None, 6.0, {"rss_mb": 500}, "strike"),
        (None, 119.0, {}, "ok"),
        (None, 121.0, {}, "restart"),
        ("ready", 0.1, {"rss_mb": 500}, "strike"),
    ],
)
def test_a_starting_process_is_not_judged_for_its_time(
    state: str | None, age_s: float, changes: dict[str, Any], name: str
) -> None:
    """Loading a model takes memory and blocks the loop; a start that never ends is a hang all the same."""
    seen = {"beat": beat(state=state), "beat_age_s": 0.1} if state else {"beat": None, "beat_age_s": None}
    (verdict,), _ = judge_all([sample(**{**seen, **changes})], replace(KNOWN, since_s=AT_S - age_s))
    assert verdict.name == name


@pytest.mark.parametrize(
    ("strikes", "samples", "memory", "told"),
    [
        (2, 3, "OO", "strike restart"),
        (2, 3, "O.", "strike ok"),
        (2, 3, "O.O", "strike ok restart"),
        (2, 3, "O..O", "strike ok ok strike"),
        (2, 3, "O?O", "strike ok restart"),
        (2, 3, "O??O", "strike ok ok strike"),
        (1, 1, "O", "restart"),
        (3, 5, "O.O.O", "strike ok strike ok restart"),
        (3, 3, "OO.OO", "strike strike ok strike strike"),
        (3, 3, "OOO", "strike strike restart"),
    ],
)
def test_memory_over_the_limit_in_x_of_y_samples_is_restarted(
    strikes: int, samples: int, memory: str, told: str
) -> None:
    """``O`` is over, ``.`` is not, and ``?`` could not be read, which is not guilty: one peak restarts nobody."""
    limits = replace(LIMITS, strikes=strikes, strike_samples=samples)
    of = {"O": sample(rss_mb=500), ".": sample(), "?": sample(rss_mb=None)}
    record, names = KNOWN, []
    for letter in memory:
        verdict, record = judge(record, of[letter], limits)
        names.append(verdict.name)
    assert names == told.split()


def test_a_restart_for_memory_is_drained_and_takes_the_strikes_with_it() -> None:
    """The successor begins with none."""
    verdicts, record = judge_all([sample(rss_mb=500), sample(rss_mb=500)])
    assert (verdicts[-1].cause, verdicts[-1].action) == ("memory", "restart")
    assert (verdicts[-1].grace_s, verdicts[-1].drain_s) == (LIMITS.stop_s, LIMITS.drain_s)
    assert record.strikes == ()


def test_near_the_ceiling_and_without_a_beat_nothing_is_waited_for() -> None:
    """A drain is for a process that can still do it, with memory left for that."""
    for changes in ({"rss_mb": 700}, {"beat_age_s": 11}):
        (verdict,), _ = judge_all([sample(**changes)])
        assert (verdict.action, verdict.drain_s, verdict.grace_s) == ("restart", 0, LIMITS.hung_stop_s)


def test_a_peak_of_before_condemns_nobody() -> None:
    """The billiard of Celery judges by the peak of a whole life, so that one big task condemns a worker for ever.

    The limit is on what is held now, so a process that gave its memory back is well.
    """
    verdicts, record = judge_all([sample(rss_mb=500), *[sample(rss_mb=90)] * 3])
    assert [verdict.name for verdict in verdicts[1:]] == ["ok"] * 3
    assert record.strikes == ()


def test_a_hang_gets_a_short_grace_and_a_stopped_process_none() -> None:
    """A blocked loop hears no SIGTERM and a stopped process takes none, so waiting is time lost."""
    (hung,), _ = judge_all([sample(beat_age_s=11)])
    (stopped,), _ = judge_all([sample(beat_age_s=11, run_state="T")])
    assert (hung.grace_s, stopped.grace_s) == (LIMITS.hung_stop_s, 0)


@pytest.mark.parametrize("own_beat_age_s", [None, 5.0, 30.0])
def test_silence_is_no_hang_while_the_watchdogs_own_beat_is_late(own_beat_age_s: float | None) -> None:
    """All beats come through one door: when the watchdog's own do not, the fault is on this side."""
    (verdict,), _ = judge_all([sample(beat_age_s=60, own_beat_age_s=own_beat_age_s)])
    assert verdict.name == "ok"


def test_a_beating_process_with_a_dead_worker_is_stuck() -> None:
    """thumper#98: a thread goes on beating while the worker beside it is dead, so nobody notices.

    The loop turns while the unit in hand is past its deadline: beats alone do not prove work.
    """
    late = beat(waiting_for=None, unit="batch", unit_due_s=-1.0)
    verdicts, _ = judge_all([sample(beat=late, at_s=AT_S + s) for s in (0, 60, 61)])
    assert [verdict.name for verdict in verdicts] == ["ok", "ok", "restart"]
    assert verdicts[-1].reason == "unit 'batch' is 61 s past its deadline, over 60 s"
    assert verdicts[-1].cause == "stuck"


@pytest.mark.parametrize(
    "second",
    [
        beat(waiting_for=None, unit="batch", unit_due_s=-9.0, progress=8),
        beat(waiting_for="analyzer", unit="batch", unit_due_s=-9.0),
        beat(waiting_for=None, unit=None),
        beat(waiting_for=None, unit="batch", unit_due_s=3.0),
    ],
    ids=["it moved on", "it waits for another", "it ended", "it has time again"],
)
def test_slow_work_is_not_stuck(second: Beat) -> None:
    """Whatever shows that the work moves, or that another one is waited for, begins the count anew."""
    late = beat(waiting_for=None, unit="batch", unit_due_s=-1.0)
    samples = [sample(beat=late), sample(beat=second, at_s=AT_S + 50), sample(beat=late, at_s=AT_S + 100)]
    assert [verdict.name for verdict in judge_all(samples)[0]] == ["ok", "ok", "ok"]


def test_a_deadline_that_ran_out_while_all_were_suspended_is_not_stuck_at_once() -> None:
    """After five minutes of suspend every deadline is over; only what stays so while we watch counts."""
    (verdict,), _ = judge_all([sample(beat=beat(waiting_for=None, unit="batch", unit_due_s=-300.0))])
    assert verdict.name == "ok"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"supervisor": "RUNNING"}, "process 100 ended without being asked to"),
        ({"supervisor": "EXITED", "exit_status": 3}, "process 100 ended with status 3"),
        ({"supervisor": "EXITED", "exit_status": -1}, "process 100 ended by a signal that was not the watchdog's"),
        ({"supervisor": "BACKOFF"}, "process 100 ended without being asked to"),
        ({"supervisor": "STARTING", "identity": NEW}, "process 100 ended without being asked to"),
    ],
)
def test_an_end_that_nobody_asked_for_is_a_crash(changes: dict[str, Any], reason: str) -> None:
    """Whatever supervisord has made of it by the time it is asked."""
    (verdict,), record = judge_all([gone(**changes)])
    assert (verdict.name, verdict.action, verdict.reason) == ("crashed", "await", reason)
    assert record.ends_s == (AT_S,)


@pytest.mark.parametrize("state", ["STOPPING", "STOPPED"])
def test_an_operators_stop_is_respected_and_not_taken_for_a_crash(state: str) -> None:
    """circus#809: an operator's stops and starts look like flapping, and the watcher turns against him.

    Nothing is counted and nothing is done, now or later, until somebody starts it.
    """
    verdicts, record = judge_all([gone(supervisor=state), gone(supervisor="STOPPED", at_s=AT_S + 9999)])
    assert verdicts[-1].reason == "stopped by an operator or never started: left alone"
    assert [verdict.action for verdict in verdicts] == [None, None]
    assert record.ends_s == ()


@pytest.mark.parametrize("changes", [{"identity": NEW, "supervisor": "STARTING"}, {"supervisor": "RUNNING"}])
def test_an_operators_restart_that_nobody_saw_is_not_taken_for_a_crash(changes: dict[str, Any]) -> None:
    """It may be over before supervisord can be asked; but the old process had said that it was asked to end."""
    (verdict,), record = judge_all([gone(was_asked=True, **changes)])
    assert verdict.action is None
    assert record.ends_s == ()


@pytest.mark.parametrize("state", ["SHUTDOWN", "ABSENT", None])
def test_ends_that_nobody_can_explain_count_for_nobody(state: str | None) -> None:
    """While supervisord stops everything, or does not answer, a death is not held against the process."""
    (verdict,), record = judge_all([gone(supervisor=state)])
    assert verdict.action is None
    assert record.ends_s == ()


def test_a_reused_pid_is_another_process() -> None:
    """The kernel gives a pid again, and a watcher that knows pids alone judges, or kills, a stranger.

    Pid and start time together are the identity: the successor inherits no strike.
    """
    (_, verdict), record = judge_all([sample(rss_mb=500), sample(rss_mb=500, identity=(100, 999), is_gone=True)])
    assert verdict.name == "crashed"
    assert (record.identity, record.strikes) == ((100, 999), ())


def test_what_supervisord_leaves_ended_is_started() -> None:
    """A process that ended as expected while the watchdog was away must not stay down."""
    (verdict,), _ = judge_all([gone(supervisor="EXITED", exit_status=0)], Record())
    assert (verdict.name, verdict.action) == ("crashed", "start")
    assert verdict.reason == "it ended with status 0, and supervisord does not start it again"


def test_without_supervisord_faults_are_told_and_nothing_is_done() -> None:
    """Under honcho, or while supervisord hangs, a restart is not possible."""
    verdicts, record = judge_all([sample(supervisor=None, rss_mb=500) for _ in range(3)])
    assert [verdict.action for verdict in verdicts] == [None, None, None]
    assert verdicts[-1].name == "warning"
    assert verdicts[-1].reason == ("memory 500 MB over 480 MB; supervisord does not answer, so nothing restarts it")
    assert record.ends_s == ()


def test_after_an_action_the_successor_is_new_and_not_a_crash() -> None:
    """The restart was counted with its verdict, so the old process's end is not counted again."""
    (_, verdict), record = judge_all([sample(rss_mb=500), sample(rss_mb=500)])
    assert verdict.action == "restart"
    record = settled(record, "restart", is_done=True, at_s=AT_S + 1, limits=LIMITS)
    verdict, record = judge(record, sample(identity=NEW, at_s=AT_S + 2), LIMITS)
    assert verdict.name == "ok"
    assert record.ends_s == (AT_S,)
