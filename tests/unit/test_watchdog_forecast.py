from __future__ import annotations

import random

import pytest

from watchdog.forecast import POINTS, Course, Growth, Terms, crossing_in_s, growth

TERMS = Terms(window_s=1800, warm_up_s=600, steadiness=0.8, growth_mb=10)


def line(slope_mb_per_h: float, noise_mb: float = 0.0) -> list[tuple[float, float]]:
    """Return points of a line from 200 MB, 45 s apart, with noise that is the same in every run."""
    noise = random.Random(7)  # noqa: S311 - noise, not a secret
    return [(45.0 * n, 200 + slope_mb_per_h * n / 80 + noise.uniform(-noise_mb, noise_mb)) for n in range(POINTS)]


@pytest.mark.parametrize("slope_mb_per_h", [30.0, 100.0, 600.0])
def test_a_leak_has_its_slope(slope_mb_per_h: float) -> None:
    """Within a tenth, through noise of 1 MB."""
    found = growth(line(slope_mb_per_h, noise_mb=1))
    assert found.slope_mb_per_h == pytest.approx(slope_mb_per_h, rel=0.1)
    assert found.is_believed(TERMS)


def test_peaks_move_the_slope_little() -> None:
    """Every tenth point is 300 MB too high: a line of least squares would follow them."""
    points = [(at_s, mb + 300 * (n % 10 == 3)) for n, (at_s, mb) in enumerate(line(100))]
    assert growth(points).slope_mb_per_h == pytest.approx(100, rel=0.05)


@pytest.mark.parametrize(
    "points",
    [
        line(0),
        line(0, noise_mb=30),
        line(-100),
        [(45.0 * n, 200.0 + 100 * (n > 20)) for n in range(POINTS)],
        [(45.0 * n, 200.0 + 50 * (n % 10)) for n in range(POINTS)],
        line(10),
    ],
    ids=["level", "noise", "falling", "one step", "saw", "too little"],
)
def test_what_is_no_leak_is_not_believed(points: list[tuple[float, float]]) -> None:
    """None of these is a reason to restart anybody."""
    assert not growth(points).is_believed(TERMS)


def test_a_course_forgets_the_warm_up_and_foretells_from_half_a_window_on() -> None:
    """100 MB an hour from 200 MB: 480 MB are 2.8 hours away."""
    course = Course(TERMS)
    first_s = None
    for second in range(0, 2400, 5):
        memory_mb = 200 + second * 100 / 3600 if second > 600 else 50 + second / 4
        course.note(second, second, memory_mb)
        if first_s is None and course.growth:
            first_s = second
    assert first_s == pytest.approx(600 + 900, abs=10)
    assert course.growth
    assert course.growth.slope_mb_per_h == pytest.approx(100, rel=0.02)
    assert course.reaches_in_s(480, 200) == pytest.approx(2.8 * 3600, rel=0.02)
    assert course.reaches_in_s(480, 500) == 0


def test_a_saw_on_a_rising_floor_is_a_leak() -> None:
    """Garbage of 40 MB goes up and down within each interval; the floor rises."""
    course = Course(TERMS)
    for second in range(600, 2700):
        course.note(second, second, 200 + second / 20 + second % 30 * 40 / 30)
    assert course.growth
    assert course.growth.is_believed(TERMS)
    assert course.growth.slope_mb_per_h == pytest.approx(180, rel=0.05)


def test_without_growth_there_is_no_forecast() -> None:
    """Missing is not zero."""
    course = Course(TERMS)
    assert course.reaches_in_s(480, 200) is None
    course.growth = Growth(slope_mb_per_h=0.0, steadiness=0.0, growth_mb=0.0)
    assert course.reaches_in_s(480, 200) is None


@pytest.mark.parametrize(
    ("held_mb", "crossing_s"),
    [
        ((), None),
        ((470,), None),
        ((470, 470), None),
        ((470, 460), None),
        ((430, 460), 0.2),
        ((460, 480), 0.0),
        ((470, 490), None),
        ((100, 430), 0.045),
    ],
)
def test_what_grows_is_foretold_by_its_last_two_samples(held_mb: tuple[float, ...], crossing_s: float | None) -> None:
    """Each 0.3 s after the other; what does not grow, or is over its limit of 480 MB, is not waited for."""
    held = tuple((0.3 * nth, memory_mb) for nth, memory_mb in enumerate(held_mb))
    assert crossing_in_s(held, 480) == (None if crossing_s is None else pytest.approx(crossing_s, abs=0.001))
