from __future__ import annotations

import random
from collections import Counter

import pytest

from api.log_odds import NOTABLE, PRIOR_SHARE, log_odds


def test_the_weight_is_that_of_the_paper() -> None:
    """Equations 15, 18 and 22 of Monroe, Colaresi and Quinn, worked out for one term by hand."""
    found = log_odds({"refund": 10, "other": 90}, {"refund": 2, "other": 98})
    # Prior: 10 % of each term's 12 and 188. Odds 11.2 / 108.8 and 3.2 / 116.8; their four inverses are the variance.
    assert PRIOR_SHARE == 0.1
    assert found["refund"] == pytest.approx((-2.27360 + 3.59731) / 0.64774, abs=1e-3)
    assert found["other"] == pytest.approx(-found["refund"])  # of two terms, one is what the other is not


def test_turning_the_sides_turns_the_signs() -> None:
    """What came in one direction went in the other."""
    one, other = {"a": 5, "b": 1, "c": 7}, {"a": 1, "b": 4, "d": 2}
    there, back = log_odds(one, other), log_odds(other, one)
    assert there.keys() == back.keys() == {"a", "b", "c", "d"}
    assert all(there[term] == pytest.approx(-back[term]) for term in there)


def test_a_term_of_two_texts_is_no_finding_and_one_of_twelve_is() -> None:
    """Rare terms are pulled towards no difference, whatever the other side lacks."""
    rest = {f"word{index}": 20 for index in range(100)}
    for count in (1, 2, 3):
        assert 0 < log_odds(rest | {"refund": count}, rest)["refund"] < NOTABLE
    for count in (12, 30):
        assert log_odds(rest | {"refund": count}, rest)["refund"] > NOTABLE


def test_the_same_texts_differ_in_nothing() -> None:
    """Two halves of one flow of words, of whatever sizes: few terms look as if they differed."""
    rng = random.Random(6)  # noqa: S311 - a simulation
    vocabulary = [f"word{index}" for index in range(500)]
    shares = [1 / (rank + 3) for rank in range(500)]
    after = Counter(rng.choices(vocabulary, shares, k=3000))
    before = Counter(rng.choices(vocabulary, shares, k=9000))
    found = log_odds(after, before, least=3)
    assert sum(abs(weight) > NOTABLE for weight in found.values()) <= 0.05 * len(found)


def test_rare_terms_are_counted_and_not_told() -> None:
    """They belong to the totals of their side."""
    assert log_odds({"a": 3, "b": 1}, {"a": 1, "c": 2}, least=3).keys() == {"a"}


@pytest.mark.parametrize(("after", "before"), [({}, {}), ({"a": 3}, {}), ({}, {"a": 3}), ({"a": 3}, {"a": 9})])
def test_nothing_to_compare_weighs_nothing(after: dict[str, int], before: dict[str, int]) -> None:
    """One term alone, or one side: no error, and no finding."""
    assert set(log_odds(after, before).values()) <= {0.0}
