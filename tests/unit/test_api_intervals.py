from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.records import Totals
from api.intervals import Counts, added, counts, holm, interval, spread, standardised, two_sided


def coverage(total: int, positive: float, negative: float) -> float:
    """Return how often the interval holds the true net: every outcome of the multinomial, by its probability."""
    found = 0.0
    for up in range(total + 1):
        for down in range(total - up + 1):
            ends = interval(Counts(up, down, total))
            assert ends
            if ends[0] <= positive - negative <= ends[1]:
                found += (
                    math.comb(total, up)
                    * math.comb(total - up, down)
                    * positive**up
                    * negative**down
                    * (1 - positive - negative) ** (total - up - down)
                )
    return found


@pytest.mark.parametrize("total", [1, 2, 5, 10, 25, 50])
def test_the_interval_holds_the_truth_as_often_as_it_says(total: int) -> None:
    """Nowhere much less than 95 %, from one item on; on average a little more. Summed exactly, nothing is drawn."""
    shares = [(p / 20, q / 20) for p in range(0, 20, 3) for q in range(0, 20 - p, 3)]
    found = [coverage(total, p, q) for p, q in shares]
    assert min(found) > 0.92
    assert sum(found) / len(found) > 0.945


def test_the_interval_is_no_wider_than_it_must_be() -> None:
    """Of fifty items it holds the truth in 95 to 97 % of all cases, where neither side is rare."""
    for p, q in ((0.3, 0.3), (0.5, 0.2), (0.2, 0.4), (0.15, 0.15)):
        assert 0.94 < coverage(50, p, q) < 0.97


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_what_was_counted_lies_within_the_interval(positive: int, negative: int, neutral: int) -> None:
    """A line outside of its own band would be a lie; and no band leaves [-1, 1]."""
    of = Counts(positive, negative, positive + negative + neutral)
    ends = interval(of)
    if of.net is None:
        assert ends is None
        return
    assert ends
    assert -1 <= ends[0] <= of.net <= ends[1] <= 1


@given(st.lists(st.tuples(*[st.integers(0, 50)] * 3), max_size=5))
def test_counts_add_up(parts: list[tuple[int, int, int]]) -> None:
    """The sum of no parts is nothing, and has no net."""
    each = [Counts(p, n, p + n + o) for p, n, o in parts]
    assert added(each) == Counts(*(sum(part[k] for part in map(tuple, map(_fields, each))) for k in range(3)))


def test_counts_are_those_of_the_totals() -> None:
    """Neutral ones count in the total alone."""
    found = counts(Totals(total=10, positive=6, negative=1, neutral=3, avg_sentiment=0.5))
    assert found == Counts(6, 1, 10)
    assert found.net == 0.5
    assert Counts().net is None


def test_a_single_item_and_items_that_all_agree_do_not_vary() -> None:
    """No division by zero, and no difference that is infinitely sure."""
    assert spread(Counts(1, 0, 1)) == spread(Counts(7, 0, 7)) == spread(Counts()) == 0
    assert standardised(Counts(5, 0, 5), Counts(9, 0, 9)) == 0
    assert standardised(Counts(), Counts(3, 0, 9)) == 0


def test_the_difference_is_that_of_mantels_test() -> None:
    """Against the figures of a 2x3 table worked out by hand: M2 = (N - 1) r2, with r2 = 0.04 over 100 items."""
    before, after = Counts(20, 30, 50), Counts(30, 20, 50)
    # Scores are -1 and 1 alone: r is the phi coefficient of the table, (30*30 - 20*20) / 2500 = 0.2.
    assert standardised(before, after) ** 2 == pytest.approx(99 * 0.2**2)
    assert standardised(after, before) == pytest.approx(-standardised(before, after))


def test_p_values_are_those_of_the_normal_distribution() -> None:
    """The figures of every table."""
    assert two_sided(0) == 1
    assert two_sided(1.959964) == pytest.approx(0.05, abs=1e-6)
    assert two_sided(-2.575829) == pytest.approx(0.01, abs=1e-6)


def test_holm_corrects_for_how_many_were_tried() -> None:
    """Smallest times all of them, the next times one less, none below the one before it, none above 1."""
    assert holm([]) == []
    assert holm([0.03]) == [0.03]
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_keeps_the_order(p_values: list[float]) -> None:
    """What was the smaller stays no larger, and none becomes smaller than it was."""
    corrected = holm(p_values)
    assert all(one <= other for one, other in zip(p_values, corrected, strict=True))
    ranked = [corrected[index] for index in sorted(range(len(p_values)), key=p_values.__getitem__)]
    assert all(one <= other for one, other in pairwise(ranked))


def _fields(of: Counts) -> tuple[int, int, int]:
    return of.positive, of.negative, of.total
