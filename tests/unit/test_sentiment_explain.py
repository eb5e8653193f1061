"""Which words drove a verdict, on an engine that counts words and is right by construction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.sentiment.engine import Outcome, TextFailure, scores_of
from agent.sentiment.explain import MAX_WORDS, Explanation, explain
from agent.sentiment.rules import PIECE_CHARS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class CountingEngine:
    """Each "good" adds to positive, each "bad" to negative; breaks on "poison"."""

    name = "counting"

    def __init__(self) -> None:
        self.passes = 0

    def score(self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None) -> list[Outcome]:
        del on_progress
        self.passes += len(texts)
        return [self._score(text) for text in texts]

    def _score(self, text: str) -> Outcome:
        if "poison" in text:
            return TextFailure("ValueError: poison")
        good, bad = text.count("good"), text.count("bad")
        whole = 0.5 + good + bad
        return scores_of(good / whole, 0.5 / whole, bad / whole)


def explained(text: str, engine: CountingEngine | None = None) -> Explanation:
    """Return the explanation of a text that does not break the engine."""
    found = explain(engine or CountingEngine(), text)
    assert isinstance(found, Explanation)
    return found


def test_the_words_that_moved_the_verdict_stand_first() -> None:
    """Two for it, one against it: the signs say which."""
    found = explained("this is good and good but bad")
    assert found.scores.sentiment == "positive"
    assert found.is_whole
    effects = {word.word: word.effect for word in found.words}
    assert [word.word for word in found.words[:3]] == ["bad", "good", "good"]
    assert effects["good"] == pytest.approx(2 / 3.5 - 1 / 2.5)
    assert effects["bad"] == pytest.approx(2 / 3.5 - 2 / 2.5)
    assert effects["this"] == 0


def test_a_lone_word_is_held_against_no_text_at_all() -> None:
    """Without it nothing is left, which is scored as nothing."""
    (word,) = explained("good").words
    assert (word.word, word.effect) == ("good", pytest.approx(1 / 1.5))


def test_the_score_is_the_one_that_the_engine_gives_the_whole_text() -> None:
    """An explanation of another verdict than the stored one would explain nothing."""
    engine = CountingEngine()
    found = explained("good good bad", engine)
    assert [found.scores] == engine.score(["good good bad"])


def test_a_long_text_costs_a_bounded_number_of_passes() -> None:
    """Its pieces once, and at most MAX_WORDS of its words; the answer says that there are more."""
    engine = CountingEngine()
    text = " ".join(["Then we went on to the next step of the plan."] * 80 + ["In the end it was bad."])
    found = explained(text, engine)
    pieces = -(-len(text) // PIECE_CHARS) + 5
    assert engine.passes <= pieces + MAX_WORDS
    assert not found.is_whole
    assert found.words[0].word == "bad."


def test_a_text_that_breaks_the_model_has_no_words() -> None:
    """Its failure comes back; a word whose absence breaks it is only left out."""
    assert explain(CountingEngine(), "good poison") == TextFailure("ValueError: poison")
    words = [word.word for word in explained("good poi son").words]
    assert "good" in words
