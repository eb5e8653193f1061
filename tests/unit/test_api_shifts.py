from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from api.intervals import Counts
from api.levels import Levels
from api.shifts import MIN_DIFFERENCE, MIN_ITEMS, anywhere, find

if TYPE_CHECKING:
    from collections.abc import Sequence

Shares = tuple[float, float]


def bucket(rng: random.Random, total: int, shares: Shares) -> Counts:
    """Return ``total`` items, of which these shares are positive and negative."""
    positive, negative = shares
    drawn = rng.choices((1, -1, 0), (positive, negative, 1 - positive - negative), k=total)
    return Counts(drawn.count(1), drawn.count(-1), total)


def level(rng: random.Random, buckets: int, items: int, shares: Shares) -> list[Counts]:
    """Return a series without a shift."""
    return [bucket(rng, items, shares) for _ in range(buckets)]


@pytest.mark.parametrize(
    ("buckets", "items", "shares"),
    [(8, 40, (0.3, 0.3)), (24, 5, (0.3, 0.3)), (24, 20, (0.1, 0.1)), (56, 8, (0.6, 0.1)), (56, 20, (0.2, 0.3))],
)
def test_noise_seldom_shows_a_shift(buckets: int, items: int, shares: Shares) -> None:
    """At most about one series of pure noise in twenty, whatever its length, its size and its mood."""
    rng = random.Random(6)  # noqa: S311 - a simulation
    runs = 600
    found = sum(bool(find(level(rng, buckets, items, shares))) for _ in range(runs))
    assert found <= 0.05 * runs


def test_noise_in_many_series_seldom_shows_a_shift() -> None:
    """Thirteen series that are looked at together have one error between them, not thirteen."""
    rng = random.Random(6)  # noqa: S311 - a simulation
    runs = 60
    found = sum(any(find(level(rng, 24, 10, (0.3, 0.3)), series=13) for _ in range(13)) for _ in range(runs))
    assert found <= 0.05 * runs


def test_items_that_agree_within_an_hour_are_no_shift() -> None:
    """Each bucket has a level of its own, as threads make it: strangers' formulas would see shifts in most series."""
    rng = random.Random(6)  # noqa: S311 - a simulation
    runs = 60
    found = 0
    for _ in range(runs):
        moods = [max(-0.2, min(0.2, rng.gauss(0, 0.1))) for _ in range(56)]
        found += bool(find([bucket(rng, 100, (0.3 + mood / 2, 0.3 - mood / 2)) for mood in moods]))
    assert found <= 0.1 * runs


#: 200 items a side where one in five has an opinion; and 200 a bucket where six in ten have one.
QUIET = (0.05, 0.15), (0.15, 0.05)
LOUD = (0.25, 0.35), (0.35, 0.25)


@pytest.mark.parametrize(
    ("buckets", "items", "levels", "near", "at_least"),
    [(4, 100, QUIET, 0, 0.95), (10, 40, QUIET, 1, 0.85), (10, 200, LOUD, 1, 0.95), (24, 200, LOUD[::-1], 0, 0.85)],
)
def test_a_shift_of_a_fifth_is_found_at_its_bucket(
    buckets: int, items: int, levels: tuple[Shares, Shares], near: int, at_least: float
) -> None:
    """In most runs, at the bucket in which it happened or as near as the items allow; with its direction."""
    rng = random.Random(9)  # noqa: S311 - a simulation
    half, runs, found = buckets // 2, 150, 0
    for _ in range(runs):
        shifts = find(level(rng, half, items, levels[0]) + level(rng, half, items, levels[1]))
        up = levels[1] > levels[0]
        found += any(abs(shift.place - half) <= near and (shift.difference > 0) == up for shift in shifts)
    assert found >= at_least * runs


def test_two_shifts_are_two_with_their_own_sides() -> None:
    """Up and down again: each is compared with what lies between it and its neighbour, not with everything."""
    series = [Counts(30, 30, 100)] * 8 + [Counts(60, 10, 100)] * 6 + [Counts(30, 30, 100)] * 10
    first, second = find(series)
    assert (first.place, second.place) == (8, 14)
    assert (first.before.total, first.after.total, second.before.total, second.after.total) == (800, 600, 600, 1000)
    assert (first.since, first.until, second.since, second.until) == (0, 14, 8, 24)
    assert (first.difference, second.difference) == (0.5, -0.5)
    assert max(first.p_value, second.p_value) < 0.001


def test_a_shift_behind_a_gap_is_where_items_are_again() -> None:
    """Nobody knows what happened while nothing was collected: the new level begins with the first item of it."""
    series = [Counts(30, 10, 100)] * 5 + [Counts()] * 7 + [Counts(10, 30, 100)] * 5
    (shift,) = find(series)
    assert shift.place == 12


def test_a_shift_in_the_middle_of_a_bucket_is_one() -> None:
    """The bucket that is half old and half new belongs to one of both levels, and is none of its own."""
    (shift,) = find([Counts(600, 200, 1000)] * 8 + [Counts(400, 400, 1000)] + [Counts(200, 600, 1000)] * 8)
    assert shift.place in {8, 9}


def test_one_bucket_that_differs_is_no_level() -> None:
    """An evening of anger is an event: nothing changed for longer."""
    assert find([Counts(40, 30, 100)] * 10 + [Counts(10, 80, 100)] + [Counts(40, 30, 100)] * 10) == []


def test_a_difference_too_small_to_matter_is_none() -> None:
    """With a million items everything differs; what moved by less than the least is left out."""
    near = Counts(300_000, 280_000, 1_000_000), Counts(300_000, 260_000, 1_000_000)
    assert near[1].net is not None
    assert near[0].net is not None
    assert near[1].net - near[0].net < MIN_DIFFERENCE
    assert find([near[0]] * 10 + [near[1]] * 10) == []


@pytest.mark.parametrize(
    "series",
    [
        [],
        [Counts()] * 50,
        [Counts(5, 5, 10)],
        [Counts(MIN_ITEMS, 0, MIN_ITEMS)],
        [Counts(MIN_ITEMS - 1, 0, MIN_ITEMS - 1), Counts(0, 1000, 1000)],
        [Counts(100, 0, 100)] * 20,
        [Counts(0, 0, 100)] * 20,
    ],
)
def test_nothing_is_found_in_too_little_or_in_sameness(series: Sequence[Counts]) -> None:
    """Empty, one bucket, a side with too few items, no variation at all: no shift and no error."""
    assert find(series) == []


def test_everything_turned_is_a_shift_though_neither_side_varies() -> None:
    """All negative, then all positive: the variance of both together is what counts."""
    (shift,) = find([Counts(0, 40, 40)] * 3 + [Counts(40, 0, 40)] * 3)
    assert (shift.place, shift.difference) == (3, 2.0)


def test_more_places_make_chance_more_likely() -> None:
    """One place is the plain test; more are worse, up to what the share of common items allows."""
    assert anywhere(1.959964, 1, 0.5, 0.5) == pytest.approx(0.05, abs=1e-6)
    few, many, countless = (anywhere(3.5, places, 0.05, 0.95) for places in (2, 10, 10_000))
    assert few < many < countless == anywhere(3.5, 10**9, 0.05, 0.95) < 0.03
    assert anywhere(0.2, 5, 0.1, 0.9) == 1


def test_the_design_effect_of_strangers_is_about_one() -> None:
    """And larger where each bucket has a level of its own."""
    rng = random.Random(6)  # noqa: S311 - a simulation
    assert 1 <= Levels(level(rng, 50, 100, (0.3, 0.3))).design_effect() < 1.5
    assert Levels([Counts(60, 20, 100), Counts(20, 60, 100)] * 20).design_effect() > 5
    assert Levels([]).design_effect() == Levels([Counts(5, 0, 5)]).design_effect() == 1
