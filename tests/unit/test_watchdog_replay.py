from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from fakes.spans import ended_by, spans_of
from msgspec.structs import replace

from watchdog.forecast import Terms
from watchdog.quiet import Quiet
from watchdog.records import Limits
from watchdog.replay import Outcome, happened, replay

if TYPE_CHECKING:
    from collections.abc import Callable

    from watchdog.span import Span

#: No growth is believed: the forecast is tried by itself.
LIMITS = Limits(warning_mb=250, limit_mb=300, forecast=Terms(growth_mb=1e9), restart_settle_s=60)
START_MB = 100.0


def tried(spans: list[Span], limit_mb: float = 300, **changes: float) -> Outcome:
    """Return what a limit would have done."""
    limits = replace(LIMITS, limit_mb=limit_mb, warning_mb=limit_mb - 50, **changes)
    return replay(spans, limits, START_MB)


def leak(at_h: float) -> float:
    """Grow by 100 MB an hour, from 100."""
    return 100 + 100 * at_h


def saw(at_h: float) -> float:
    """Grow by 400 MB an hour for an hour, then begin again."""
    return 100 + 400 * (at_h % 1)


def step(at_h: float) -> float:
    """Need 100 MB for two hours and 400 from then on."""
    return 100 if at_h < 2 else 400


def hovering(at_h: float) -> float:
    """Go up and down around 300 MB, a minute over it and a minute under it."""
    return 305 if int(at_h * 60) % 2 else 295


@pytest.mark.parametrize(
    ("curve", "limit_mb", "restarts"),
    [
        (leak, 1200, 0),
        (leak, 600, 1),
        (leak, 300, 4),
        (leak, 200, 9),
        (saw, 600, 0),
        (saw, 400, 10),
        (saw, 290, 20),
        (step, 500, 0),
        (step, 300, 1),
        (hovering, 310, 0),
        (hovering, 300, 1),
    ],
)
def test_a_known_curve_has_a_known_count(curve: Callable[[float], float], limit_mb: float, restarts: int) -> None:
    """Ten hours each: the arithmetic is that of the page on the watchdog."""
    assert tried(spans_of(curve, 10), limit_mb).restarts == restarts


def test_a_restart_tells_when_and_why() -> None:
    """A leak of 100 MB an hour is over 300 MB after two hours."""
    spans = spans_of(leak, 2.4)
    outcome = tried(spans)
    assert [event.verdict for event in outcome.events] == ["warning", "restart"]
    warning, restart = outcome.events
    assert (restart.at_utc - spans[0].at_utc) / 3600 == pytest.approx(2, abs=0.01)
    assert restart.reason == "memory 300 MB over 300 MB"
    assert warning.reason is not None
    assert warning.reason.startswith("memory 250 MB over the warning at 250 MB")
    assert outcome.warned_s == pytest.approx(1800, abs=30)


def test_one_peak_of_one_sample_is_no_restart_and_a_held_one_is() -> None:
    """The history knows the two apart, for the rule of two in three."""
    level = spans_of(lambda _: 100, 1)
    level[100] = replace(level[100], highest_mb=350)
    level[101] = replace(level[101], highest_mb=350)
    assert tried(level).restarts == 0
    assert tried(level, strikes=1, strike_samples=1).restarts == 2
    level[100] = replace(level[100], held_mb=310)
    assert tried(level).restarts == 1


def test_one_sample_near_the_ceiling_is_enough() -> None:
    """As for the watchdog itself."""
    level = spans_of(lambda _: 100, 1)
    level[100] = replace(level[100], highest_mb=450)
    (event,) = tried(level).events
    assert event.reason == "memory 450 MB over 428 MB, near the ceiling"


def test_many_restarts_are_a_quarantine_and_a_probe_ends_it() -> None:
    """10 MB a second over a limit of 150 MB: five restarts in a minute, then the process stands still."""
    spans = spans_of(lambda at_h: 100 + 100 * at_h * 360, 0.5)
    outcome = tried(spans, 150)
    assert outcome.quarantines >= 1
    first = next(event for event in outcome.events if event.verdict == "quarantined")
    assert first.reason is not None
    assert "restart or crash no. 5 within 600 s" in first.reason
    assert outcome.restarts == 4, "the fifth is the quarantine; a probe that fails is one more, not a restart"


def test_a_trial_is_not_won_while_nobody_looks() -> None:
    """Seen to be well for a minute, an hour of nothing, and over its limit soon after: that is a trial that failed."""

    def runaway(at_h: float) -> float:
        return 100 + 100 * at_h * 360

    first = spans_of(runaway, 0.1)
    well = spans_of(lambda _: 100, 0.017, pid=200, from_h=1)
    absent = replace(well[-1], identity=None, highest_mb=None, held_mb=None, lowest_mb=None, last_mb=None)
    again = spans_of(lambda at_h: runaway(max(0.0, at_h - 0.01)), 0.015, pid=201, from_h=2)
    outcome = tried([*first, *well, absent, *again], 150)
    assert (outcome.restarts, outcome.quarantines) == (4, 1)


def test_a_forecast_is_met_by_a_planned_restart() -> None:
    """With a lead of ten minutes, a leak of 100 MB an hour never comes to its limit."""
    outcome = replay(spans_of(leak, 3), Limits(warning_mb=290, limit_mb=300), START_MB)
    (event,) = [event for event in outcome.events if event.verdict == "restart"]
    assert event.cause == "forecast"
    assert event.reason is not None
    assert event.reason.startswith("reaches 300 MB in 10 min, by ")


def test_a_planned_restart_waits_for_the_quiet_window_that_was_then() -> None:
    """The time of day is that of the history, not of now."""
    spans = spans_of(leak, 2.1)
    now = time.localtime(spans[0].at_utc)
    minute = now.tm_hour * 60 + now.tm_min
    limits = Limits(warning_mb=299, limit_mb=300, restart_settle_s=60)
    quiet, busy = (Quiet((minute + begins) % 1440, (minute + begins + 180) % 1440) for begins in (0, 720))
    met, waited = (replay(spans, replace(limits, quiet=window), START_MB).events for window in (quiet, busy))
    assert [(event.verdict, event.cause) for event in met] == [("restart", "forecast")]
    assert [(event.verdict, event.cause) for event in waited] == [("warning", "forecast"), ("restart", "memory")]
    assert "waits for the quiet window" in (waited[0].reason or "")


def test_a_real_restart_for_memory_under_a_higher_limit_is_counted_as_cut_short() -> None:
    """What the process would have held above 480 MB nobody has seen."""
    first = ended_by(spans_of(leak, 2), "strike:memory", "restart:memory")
    spans = [*first, *spans_of(leak, 2, pid=101, from_h=2)]
    higher = tried(spans, 600)
    assert (higher.restarts, higher.crashes, higher.cut_short) == (0, 0, 1)
    same = tried(spans, 290)
    assert (same.restarts, same.cut_short) == (2, 0)
    real = happened(spans)
    assert (real.restarts, real.cut_short) == (1, None)


def test_an_operators_restart_counts_for_nothing() -> None:
    """Nobody was asked, nobody is blamed."""
    spans = [span for nth in range(8) for span in spans_of(lambda _: 100, 0.02, pid=100 + nth, from_h=nth * 0.02)]
    outcome = tried(spans)
    assert (outcome.events, outcome.cut_short) == ((), 0)


@pytest.mark.parametrize("verdict", ["crashed:crashed", "restart:hung", "restart:stuck"])
def test_crashes_and_hangs_are_taken_as_they_happened(verdict: str) -> None:
    """Four of them and one restart for memory are a quarantine, as they would be together."""
    spans: list[Span] = []
    for nth in range(4):
        spans += ended_by(spans_of(lambda _: 100, 0.02, pid=100 + nth, from_h=nth * 0.02), verdict)
    spans += spans_of(lambda at_h: 100 + 10_000 * at_h, 0.05, pid=104, from_h=0.08)
    outcome = tried(spans)
    assert (outcome.crashes, outcome.quarantines) == (4, 1)


def test_a_crash_seen_only_after_it_was_mended_is_one_crash() -> None:
    """Supervisord was quicker than the watchdog: the verdict is in the first span of the new process."""
    old, new = spans_of(lambda _: 100, 0.1), spans_of(lambda _: 100, 0.1, pid=101, from_h=0.1)
    new[0] = replace(new[0], verdicts=("crashed:crashed",))
    third = spans_of(lambda _: 100, 0.1, pid=102, from_h=0.2)
    assert tried([*old, *new, *third]).crashes == 1


def test_a_crash_is_told_of_the_process_that_crashed() -> None:
    """Supervisord's word at the end of its last span is about what came after it."""
    old, new = spans_of(lambda _: 100, 0.1), spans_of(lambda _: 100, 0.1, pid=101, from_h=0.1)
    old[-1] = replace(old[-1], verdicts=("crashed:crashed",), supervisor="EXITED")
    (event,) = tried([*old, *new]).events
    assert event.reason == "process 100 ended without being asked to"


def test_what_was_not_measured_is_judged_by_nobody() -> None:
    """A stop, and a watchdog that was away."""
    gap = replace(spans_of(lambda _: 100, 0.01)[0], identity=None, last_mb=None, highest_mb=None, supervisor="STOPPED")
    before, after = spans_of(lambda _: 200, 1), spans_of(lambda _: 200, 1, from_h=9)
    assert tried([*before, gap, *after]).events == ()
    assert tried([gap]).events == ()


def test_a_start_is_not_judged_by_its_memory() -> None:
    """Loading a model needs more than is kept."""
    spans = [replace(span, state="starting") for span in spans_of(lambda _: 900, 0.03)]
    assert tried(spans).restarts == 0


def test_what_really_happened_is_counted_by_episodes() -> None:
    """Three spans of one warning are one warning; a probe that failed is no second quarantine."""
    spans = spans_of(lambda _: 100, 0.03)
    for nth, verdicts in {
        2: ("warning:memory",),
        3: ("warning:memory",),
        4: ("warning:memory", "restart:memory"),
        6: ("warning:memory",),
        7: ("quarantined:memory",),
        8: ("quarantined:", "probing:"),
    }.items():
        spans[nth] = replace(spans[nth], verdicts=verdicts)
    outcome = happened(spans)
    assert (outcome.warnings, outcome.warned_s, outcome.restarts, outcome.quarantines) == (2, 40, 1, 1)
