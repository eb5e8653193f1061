from __future__ import annotations

import pytest
from fakes.spans import ended_by, spans_of
from msgspec.structs import replace

from ipc.baseline import BASELINE_MB
from ipc.messages import PROCESSES
from ipc.settings import WatchdogSettings
from watchdog.advice import ENOUGH_DAYS, Advice, advise
from watchdog.forecast import Terms
from watchdog.learned import Learned, learn

TERMS = Terms()
SETTINGS = WatchdogSettings()


def learned(process: str, **changes: object) -> Learned:
    """Return a week of a process that holds next to nothing, with ``changes``."""
    held_mb = float(BASELINE_MB[process])
    usual = {"p50_mb": held_mb, "p99_mb": held_mb, "p999_mb": held_mb, "highest_mb": held_mb}
    week = {"spans": 60480, "days": 7.0, "lives": 1, "left_out": 0}
    return Learned(process=process, **(week | usual | changes))  # type: ignore[arg-type] # a table's names


def advised(settings: WatchdogSettings = SETTINGS, **changes: dict[str, object]) -> Advice:
    """Return the advice for four processes, ``changes`` by process."""
    return advise([learned(process, **changes.get(process, {})) for process in PROCESSES], settings, BASELINE_MB)


def test_a_baseline_is_learned_after_the_warm_up() -> None:
    """The first ten minutes, with their peak, are no part of it."""
    spans = spans_of(lambda at_h: 900 if at_h < 0.16 else 200 + (at_h > 9.94), 10)
    found = learn("api", spans, TERMS)
    assert (found.spans, found.lives, found.left_out) == (3541, 1, 0)
    assert found.days == pytest.approx(3541 * 10 / 86400)
    assert (found.p50_mb, found.p99_mb, found.p999_mb, found.highest_mb) == (200, 200, 201, 201)
    assert found.growth_mb_per_day is None


def test_a_life_that_was_ended_for_its_memory_teaches_nothing() -> None:
    """Else a leak would raise its own limit."""
    leaking = ended_by(spans_of(lambda at_h: 100 + 100 * at_h, 4), "restart:memory")
    crashed = ended_by(spans_of(lambda _: 110, 1, pid=101, from_h=4), "crashed:crashed")
    spans = [*leaking, *crashed, *spans_of(lambda _: 100, 4, pid=102, from_h=5)]
    found = learn("api", spans, TERMS)
    assert (found.lives, found.left_out, found.highest_mb) == (2, 1, 110)


def test_what_a_start_holds_is_read_at_forty_seconds() -> None:
    """As in ipc/baseline; a process that was there before the history has no start."""
    spans = spans_of(lambda _: 90, 1, uptime_s=5000)
    for nth, mb in enumerate((50, 60, 400)):
        spans += spans_of(lambda at_h, mb=mb: mb if at_h <= 0.012 else 500, 1, pid=200 + nth, from_h=nth + 1)  # type: ignore[misc] # mypy has no word for a default in a lambda
    found = learn("api", spans, TERMS)
    assert (found.start_mb, found.starts) == (60, 3)


def test_growth_is_that_of_the_longest_life() -> None:
    """1 MB an hour for three days, steady."""
    spans = [*spans_of(lambda _: 100, 5), *spans_of(lambda at_h: 100 + at_h, 72, pid=101, from_h=5)]
    assert learn("api", spans, TERMS).growth_mb_per_day == pytest.approx(24, rel=0.02)


def test_nothing_is_learned_from_nothing() -> None:
    """And nothing is guessed."""
    assert learn("api", [], TERMS) == Learned(process="api", spans=0, days=0, lives=0, left_out=0)
    absent = replace(spans_of(lambda _: 1, 0.01)[0], identity=None, highest_mb=None, last_mb=None, lowest_mb=None)
    assert learn("api", [absent], TERMS).p50_mb is None


def test_the_margins_are_half_of_what_is_needed_and_not_less_than_50_mb() -> None:
    """Up to the next 10 MB; the neediest of the three that share a setting has it."""
    small, large = advised(api={"p999_mb": 61.0}, analyzer={"p999_mb": 601.0}).proposals
    assert (small.warning, small.warning_mb, small.limit, small.limit_mb) == (
        "MEMORY_WARNING_MB", 120, "MEMORY_LIMIT_MB", 170
    )  # fmt: skip
    assert (small.process, small.reason) == ("api", "api needs 61 MB and gets margins of 50 MB")
    assert (large.warning, large.warning_mb, large.limit_mb) == ("ANALYZER_MEMORY_WARNING_MB", 910, 1210)
    assert (large.warning_now_mb, large.limit_now_mb) == (1000, 1300)


def test_nothing_is_advised_below_a_baseline() -> None:
    """A history of a process that never did anything still knows what a start needs."""
    (_, large) = advised(analyzer={"p999_mb": 20.0}).proposals
    assert large.warning_mb == 780


def test_a_weeks_growth_is_part_of_it() -> None:
    """So that the advice holds until it is asked for again."""
    small, _ = advised(api={"p999_mb": 61.0, "growth_mb_per_day": 5.0}).proposals
    assert (small.warning_mb, small.limit_mb) == (150, 200)
    assert small.reason == "api needs 96 MB, 35 MB of them for a week's growth, and gets margins of 50 MB"


def test_a_leak_is_called_one() -> None:
    """No threshold is right for it, and none is made from it."""
    found = advised(api={"p50_mb": 60.0, "p999_mb": 61.0, "growth_mb_per_day": 40.0})
    assert found.proposals[0].warning_mb == 120
    (warning,) = found.warnings
    assert warning.startswith("api grows by 40 MB a day: a leak, for which no threshold is right; a planned restart")


def test_too_little_history_is_said_and_nothing_is_guessed() -> None:
    """How much there is, and how much is needed; the other setting is advised all the same."""
    found = advised(collector={"days": 0.5}, api={"days": 2.94, "left_out": 3})
    assert [proposal.process for proposal in found.proposals] == ["analyzer"]
    assert found.not_enough == {
        "MEMORY_WARNING_MB and MEMORY_LIMIT_MB": (
            "collector was measured for 12.0 hours after its warm-up; 3 days are needed",
            (
                "api was measured for 2.9 days after its warm-up, without its lives that ended for their memory (3),"
                " which teach nothing; 3 days are needed"
            ),
        )
    }
    assert ENOUGH_DAYS == 3


def test_a_threshold_below_what_a_process_holds_is_a_warning() -> None:
    """Of a start, as `config check` has it, and of the history."""
    settings = WatchdogSettings(analyzer_memory_warning_mb=510, analyzer_memory_limit_mb=600)
    assert [warning.split(" that ") for warning in advised(settings, analyzer={"p50_mb": 610.4}).warnings] == [
        [
            "ANALYZER_MEMORY_WARNING_MB=510 is below the 520 MB",
            "analyzer holds right after its start: health would warn for ever",
        ],
        [
            "ANALYZER_MEMORY_WARNING_MB=510 is below the 611 MB",
            "analyzer holds half of the time: health would warn for ever",
        ],
        [
            "ANALYZER_MEMORY_LIMIT_MB=600 is below the 611 MB",
            "analyzer holds half of the time: it would be restarted again and again",
        ],
    ]
    young = advised(settings, analyzer={"p50_mb": 610.4, "days": 1.0})
    assert [warning for warning in young.warnings if "half of the time" in warning] == []
