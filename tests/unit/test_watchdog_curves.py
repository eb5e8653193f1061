from __future__ import annotations

import time
import tracemalloc
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from fakes.spans import BEGAN_UTC, spans_of
from msgspec.structs import replace

from ipc.messages import PROCESSES, MemoryPoint, Recalled
from watchdog import chronicle
from watchdog.curves import Curves

if TYPE_CHECKING:
    from pathlib import Path

HOUR_S, DAY_S, WEEK_S = 3600, 86_400, 7 * 86_400


def fed(hours: float, began_utc: float = BEGAN_UTC) -> Curves:
    """Return the curves of an API that grows by 10 MB an hour from 50 MB on."""
    found = Curves()
    for span in spans_of(lambda at_h: 50 + 10 * at_h, hours, began_utc=began_utc):
        found.take(span)
    return found


def points(recalled: Recalled, process: str = "api") -> tuple[MemoryPoint, ...]:
    """Return the points of one process."""
    return next(curve.points for curve in recalled.curves if curve.process == process)


@pytest.mark.parametrize(
    ("hours", "span_s", "every_s", "count"),
    [
        (0.5, DAY_S, 15, 121),
        (30, HOUR_S, 15, 240),
        (30, DAY_S, 300, 288),
        (30, WEEK_S, 2400, 46),
        (200, WEEK_S, 2400, 252),
        (200, 10 * WEEK_S, 2400, 252),
    ],
)
def test_a_span_comes_in_the_shortest_intervals_that_reach_back_so_far(
    hours: float, span_s: int, every_s: int, count: int
) -> None:
    """No more is known of half an hour than half an hour, whatever is asked; and never more than 300 points."""
    answer = fed(hours).recall(span_s, BEGAN_UTC + hours * HOUR_S)
    found = points(answer)
    assert answer.every_s == every_s
    assert len(found) == count
    assert {after.at_utc - before.at_utc for before, after in pairwise(found)} == {every_s}


def test_a_point_is_the_lowest_and_the_highest_of_its_interval() -> None:
    """A leak lifts the lowest, a peak only the highest."""
    found = points(fed(24).recall(DAY_S, BEGAN_UTC + DAY_S))
    hundredth = found[100]
    at_h = (hundredth.at_utc - BEGAN_UTC) / HOUR_S
    assert hundredth.lowest_mb == pytest.approx(50 + 10 * at_h, abs=0.2)
    assert hundredth.highest_mb - hundredth.lowest_mb == pytest.approx(10 * 300 / HOUR_S, abs=0.2)


def test_what_was_not_measured_is_a_gap() -> None:
    """Missing is not zero: while no process lived there is no point."""
    found = Curves()
    spans = spans_of(lambda _: 50.0, 1)
    for span in spans:
        is_down = 1200 <= span.at_utc - BEGAN_UTC < 1800
        found.take(replace(span, identity=None, lowest_mb=None, highest_mb=None) if is_down else span)
    at_s = [point.at_utc - int(BEGAN_UTC) for point in points(found.recall(HOUR_S, BEGAN_UTC + HOUR_S))]
    assert max(after - before for before, after in pairwise(at_s)) == 615
    assert len(at_s) == 200


def test_nothing_is_known_at_first() -> None:
    """The answer says so with no curve at all."""
    assert Curves().recall(DAY_S, BEGAN_UTC).curves == ()


@pytest.mark.parametrize("span_s", [0, -1, -(2**62), 2**62])
def test_no_question_breaks_it(span_s: int) -> None:
    """Whoever asks is another process, perhaps of another version."""
    assert len(points(fed(1).recall(span_s, BEGAN_UTC + HOUR_S))) <= 300


def test_a_clock_that_jumps_costs_only_what_it_overwrites() -> None:
    """A year ahead and back: what is measured afterwards is told, and nothing of the year to come."""
    found = fed(1, BEGAN_UTC + 365 * DAY_S)
    for span in spans_of(lambda _: 70.0, 1):
        found.take(span)
    told = points(found.recall(HOUR_S, BEGAN_UTC + HOUR_S))
    assert len(told) == 240
    assert {(point.lowest_mb, point.highest_mb) for point in told} == {(70.0, 70.0)}


async def test_a_new_life_takes_up_what_was_before(tmp_path: Path) -> None:
    """From the files of the long history, and without counting anything twice."""
    now_utc = time.time()
    before = [*spans_of(lambda at_h: 50 + at_h, 60, began_utc=now_utc - 60 * HOUR_S)]
    chronicle.write(tmp_path, before)
    chronicle.write(tmp_path, [replace(before[0], process="stranger")])
    alive = Curves()
    for span in before[-60:]:
        alive.take(span)
    await alive.take_up(tmp_path, 0)
    answer = alive.recall(WEEK_S, time.time())
    assert [curve.process for curve in answer.curves] == ["api"]
    assert (answer.every_s, len(points(answer))) == (2400, 91)
    assert points(answer)[0].lowest_mb == pytest.approx(50, abs=0.2)
    assert points(answer)[-1].highest_mb == pytest.approx(110, abs=0.2)


async def test_no_files_are_no_error(tmp_path: Path) -> None:
    """The first start of all."""
    alive = Curves()
    await alive.take_up(tmp_path / "samples")
    assert alive.recall(DAY_S, time.time()).curves == ()


def test_it_takes_what_the_module_says() -> None:
    """The watchdog is small: 54 kB for all of its processes, however long it runs."""
    spans = [replace(span, process=name) for name in PROCESSES for span in spans_of(lambda _: 50.0, 10)]
    tracemalloc.start()
    try:
        before_bytes = tracemalloc.get_traced_memory()[0]
        found = Curves()
        for span in spans:
            found.take(span)
        held_bytes = tracemalloc.get_traced_memory()[0] - before_bytes
    finally:
        tracemalloc.stop()
    assert held_bytes < 64_000
    assert len(found.recall(DAY_S, BEGAN_UTC + 10 * HOUR_S).curves) == len(PROCESSES)
