from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from ipc.messages import Beat
from watchdog.records import Limits, Verdict
from watchdog.registry import Heard
from watchdog.span import EVERY_S, Gathering, Look, Span, look_at
from watchdog.watched import Watched

ME = (100, 1)


def look(at_s: float, memory_mb: float | None = 50.0, **changes: object) -> Look:
    """Return a sample of a process that is well, at that second, with ``changes``."""
    well = {"identity": ME if memory_mb is not None else None, "supervisor": "RUNNING", "state": "ready"}
    return Look(at_utc=1000 + at_s, at_s=at_s, memory_mb=memory_mb, **(well | changes))  # type: ignore[arg-type] # a table's names


def gathered(*looks: Look) -> list[Span]:
    """Return the spans of these samples, the last one ended."""
    gathering = Gathering("api")
    spans = [span for each in looks if (span := gathering.take(each))]
    last = gathering.close()
    return [*spans, last] if last else spans


def levels(*memory_mb: float | None) -> Span:
    """Return the one span of samples a second apart."""
    (span,) = gathered(*(look(float(nth), mb) for nth, mb in enumerate(memory_mb)))
    return span


def test_a_span_takes_ten_seconds_and_leaves_no_hole() -> None:
    """A sample a second for 35 s: three spans, and what is left at the end."""
    spans = gathered(*(look(float(second)) for second in range(36)))
    assert [span.span_s for span in spans] == [10.0, 10.0, 10.0, 5.0]
    assert [span.at_utc for span in spans] == [1009.0, 1019.0, 1029.0, 1035.0]
    assert EVERY_S == 10


@pytest.mark.parametrize(
    ("memory_mb", "lowest", "highest", "held", "last"),
    [
        ((50, 50, 50), 50, 50, 50, 50),
        ((50, 90, 50, 50), 50, 90, 50, 50),
        ((50, 90, 50, 80, 50), 50, 90, 80, 50),
        ((50, 90, 95, 50), 50, 95, 90, 50),
        ((50, 60, 70, 80), 50, 80, 70, 80),
        ((90, 50), 50, 90, 50, 50),
        ((70,), 70, 70, 70, 70),
        ((None, 60, None), 60, 60, 60, 60),
        ((None, None), None, None, None, None),
    ],
    ids=["level", "one peak", "two of three", "two in a row", "rising", "two samples", "one", "holes", "nothing"],
)
def test_no_peak_is_lost_and_one_sample_is_not_held(
    memory_mb: tuple[float | None, ...],
    lowest: float | None,
    highest: float | None,
    held: float | None,
    last: float | None,
) -> None:
    """What two of three samples in a row reach is held; a single one is only the highest."""
    span = levels(*memory_mb)
    assert (span.lowest_mb, span.highest_mb, span.held_mb, span.last_mb) == (lowest, highest, held, last)


def test_what_was_held_over_the_end_of_a_span_is_held() -> None:
    """Two samples over, one on either side of the border."""
    looks = [look(float(second), 99.0 if second in {9, 10} else 50.0) for second in range(12)]
    first, second = gathered(*looks)
    assert (first.held_mb, second.held_mb) == (50, 99)


def test_a_peak_between_two_samples_is_kept() -> None:
    """Memory is read more often than it is judged."""
    (span,) = gathered(look(0), look(1, 50.0, highest_mb=300.0), look(2))
    assert (span.highest_mb, span.held_mb, span.last_mb) == (300, 50, 50)


def test_another_process_begins_another_span() -> None:
    """Also where none was seen in between; the end belongs to the old one."""
    looks = [look(0, 400.0), look(1, None, verdict="crashed:crashed"), look(2, 60.0, identity=(101, 7)), look(3, 61.0)]
    looks[3] = look(3, 61.0, identity=(101, 7))
    old, new = gathered(*looks)
    assert (old.identity, old.highest_mb, old.verdicts, old.span_s) == (ME, 400, ("crashed:crashed",), 1.0)
    assert (new.identity, new.highest_mb, new.held_mb) == ((101, 7), 61, 60)


def test_a_process_that_is_not_there_has_no_identity() -> None:
    """Nothing measured is nobody's memory."""
    span = levels(None)
    assert (span.identity, span.cpu_percent, span.beat_age_s, span.uptime_s) == (None, None, None, None)


def test_the_rest_of_a_span_is_its_mean_its_worst_and_its_last() -> None:
    """CPU on average, the oldest beat, and each verdict once."""
    (span,) = gathered(
        look(0, cpu_percent=1.0, beat_age_s=0.2, verdict="warning:memory", restarts=1, uptime_s=5.0),
        look(1, cpu_percent=3.0, beat_age_s=1.4, verdict="strike:memory", restarts=1, uptime_s=6.0),
        look(2, beat_age_s=0.1, verdict="warning:memory", restarts=2, uptime_s=7.0, state="draining"),
    )
    assert (span.cpu_percent, span.beat_age_s, span.restarts, span.uptime_s) == (2, 1.4, 2, 7)
    assert (span.verdicts, span.state) == (("warning:memory", "strike:memory"), "draining")


def test_a_line_is_about_a_hundred_bytes() -> None:
    """So that two weeks are 50 MB, as the docs say."""
    (span, *_) = gathered(*(look(float(n), 432.1, uptime_s=123456.7, cpu_percent=12.3) for n in range(11)))
    line = msgspec.json.encode(span)
    assert len(line) < 120
    assert msgspec.json.decode(line, type=Span) == span


def test_a_look_at_a_process_that_was_not_found_measures_nothing() -> None:
    """Missing is not zero; a verdict of the shadow is no deed."""
    each = Watched("api", Limits(warning_mb=400, limit_mb=480), Path("control.sock"))
    assert look_at(each, None, 5.0, 1005.0) == Look(at_utc=1005, at_s=5)
    each.verdict = Verdict(name="restart", reason="", cause="memory", withheld="restart")
    beat = Beat(process="api", pid=1, state="paused", uptime_s=1, loop_lag_s=0, progress=0)
    found = look_at(each, Heard(beat=beat, at_s=3.0), 5.0, 1005.0)
    assert (found.beat_age_s, found.state, found.verdict) == (2, "paused", "shadow:memory")
