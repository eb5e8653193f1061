"""The figures of judges, by hand: small tables whose numbers anybody can count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.sentiment.figures import Answer, compare, mcnemar, measure

if TYPE_CHECKING:
    from agent.sentiment.engine import Sentiment

P: Sentiment = "positive"
N: Sentiment = "neutral"
M: Sentiment = "negative"


def answers(*said: Sentiment | None) -> list[Answer]:
    """Return answers without confidence."""
    return [Answer(each) for each in said]


def test_figures_are_those_of_the_table() -> None:
    """Six texts, four right: each class counted by hand."""
    found = measure([P, P, P, N, N, M], answers(P, P, N, N, M, M))
    assert found.n == 6
    assert found.accuracy == pytest.approx(4 / 6)
    assert found.confusion["positive"] == {"positive": 2, "neutral": 1, "negative": 0}
    assert found.classes["positive"].precision == 1
    assert found.classes["positive"].recall == pytest.approx(2 / 3)
    assert found.classes["positive"].f1 == pytest.approx(0.8)
    assert found.classes["neutral"].f1 == pytest.approx(0.5)
    assert found.classes["negative"].f1 == pytest.approx(2 / 3)
    assert found.macro_f1 == pytest.approx((0.8 + 0.5 + 2 / 3) / 3)


def test_a_class_that_nobody_names_is_no_zero() -> None:
    """On a file of two classes, the third neither helps nor harms the mean."""
    found = measure([P, M], answers(P, M))
    assert found.macro_f1 == 1
    assert (found.classes["neutral"].f1, found.classes["neutral"].recall) == (None, None)
    assert measure([P, M], answers(P, N)).macro_f1 == pytest.approx(1 / 3)


def test_a_text_that_broke_the_model_counts_as_wrong() -> None:
    """It is told apart, and nobody gains by failing."""
    found = measure([P, M], answers(P, None))
    assert (found.accuracy, found.failed) == (0.5, 1)
    assert sum(sum(row.values()) for row in found.confusion.values()) == 1


def test_the_calibration_error_is_the_mean_gap() -> None:
    """Two texts at 0.9 of which one is right: 0.4 off; two at 0.5 of which one is right: nothing off."""
    said = [Answer(P, 0.9), Answer(N, 0.9), Answer(P, 0.5), Answer(N, 0.5)]
    found = measure([P, P, P, P], said)
    assert found.ece == pytest.approx(0.2)
    assert [(each.n, each.accuracy) for each in found.calibration] == [(2, 0.5), (2, 0.5)]


def test_a_judge_without_probabilities_has_no_calibration() -> None:
    """Missing is not zero."""
    found = measure([P], answers(P))
    assert (found.ece, found.calibration) == (None, [])


def test_certainty_falls_into_the_last_bin() -> None:
    """A confidence of 1.0 has no bin above it."""
    assert measure([P], [Answer(P, 1.0)]).ece == 0


@pytest.mark.parametrize(("first", "second", "p"), [(0, 0, 1.0), (5, 5, 1.0), (0, 5, 0.0625), (1, 9, 0.021484375)])
def test_mcnemar_is_the_exact_one(first: int, second: int, p: float) -> None:
    """Values of the binomial table."""
    assert mcnemar(first, second) == pytest.approx(p)
    assert mcnemar(second, first) == pytest.approx(p)


def test_mcnemar_of_large_counts_is_still_a_number() -> None:
    """Two to the ten-thousandth is no float."""
    assert 0 < mcnemar(4900, 5100) < 0.05
    assert mcnemar(0, 10_000) == 0


def test_a_better_judge_is_told_with_its_interval() -> None:
    """Always right against right in two of three: the interval excludes nothing to choose."""
    labels = [P, N, M] * 200
    worse = [P, N, P] * 200
    found = compare(labels, answers(*labels), answers(*worse))
    assert found.accuracy == pytest.approx(1 / 3)
    assert 0.28 < found.accuracy_low < 1 / 3 < found.accuracy_high < 0.39
    assert found.macro_f1_low < found.macro_f1 < found.macro_f1_high
    assert (found.only_first_right, found.only_second_right) == (200, 0)
    assert found.mcnemar_p < 1e-9


def test_a_judge_does_not_differ_from_itself() -> None:
    """No difference, no interval, no surprise."""
    found = compare([P, N, M], answers(P, P, M), answers(P, P, M))
    assert (found.macro_f1, found.macro_f1_low, found.macro_f1_high, found.mcnemar_p) == (0, 0, 0, 1.0)


def test_the_interval_is_as_wide_as_the_texts_allow() -> None:
    """The standard error of a share: of 400 texts, half of them, two in a hundred and a half on either side twice."""
    labels = [P] * 400
    found = compare(labels, answers(*([P, N] * 200)), answers(*([N] * 400)))
    assert found.accuracy == 0.5
    assert found.accuracy_low == pytest.approx(0.5 - 1.96 * 0.025, abs=0.008)
    assert found.accuracy_high == pytest.approx(0.5 + 1.96 * 0.025, abs=0.008)
