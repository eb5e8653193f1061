"""A text seen before is not scored twice, and what is remembered is bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.sentiment.engine import Outcome, Scores, TextFailure, scores_of
from agent.sentiment.remembering import Remembering

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Counting:
    """An engine that keeps what it was asked, and breaks on the text "bad"."""

    name = "counting"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def score(self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None) -> list[Outcome]:
        self.asked += texts
        if on_progress is not None:
            on_progress(len(texts))
        return [TextFailure("bad") if text == "bad" else scores_of(len(text) / 100, 0.1, 0.0) for text in texts]


def test_a_text_seen_before_is_not_scored_again() -> None:
    """In one call or in two, with the same scores, in the texts' order."""
    counting = Counting()
    engine = Remembering(counting)
    first = engine.score(["a", "bb", "a"])
    assert engine.score(["bb", "ccc", "a"]) == [first[1], scores_of(0.03, 0.1, 0.0), first[0]]
    assert first[0] == first[2]
    assert counting.asked == ["a", "bb", "ccc"]
    assert engine.name == "counting"


def test_progress_adds_up_to_the_texts() -> None:
    """Also where none of them is new: a heartbeat counts them all."""
    engine = Remembering(Counting())
    told: list[int] = []
    engine.score(["a", "b", "a"], told.append)
    engine.score(["a", "c"], told.append)
    engine.score(["a"], told.append)
    assert sum(told) == 6


def test_a_text_that_broke_the_model_is_tried_again() -> None:
    """Its failure may have been the moment's."""
    counting = Counting()
    engine = Remembering(counting)
    assert engine.score(["bad"]) == engine.score(["bad"]) == [TextFailure("bad")]
    assert counting.asked == ["bad", "bad"]


def test_what_was_asked_for_least_lately_is_forgotten_first() -> None:
    """The bound holds, also within one call that is longer than it."""
    counting = Counting()
    engine = Remembering(counting, capacity=2)
    engine.score(["a", "bb"])
    engine.score(["a", "ccc"])  # bb is forgotten, a was just asked for
    counting.asked.clear()
    engine.score(["a", "ccc"])
    assert counting.asked == []
    found = engine.score(["bb", "dddd", "eeeee"])
    assert counting.asked == ["bb", "dddd", "eeeee"]
    assert [outcome.positive for outcome in found if isinstance(outcome, Scores)] == [0.02, 0.04, 0.05]


def test_a_lone_surrogate_has_a_hash() -> None:
    """No text ends the batch."""
    assert len(Remembering(Counting()).score(["\ud800", "\ud800"])) == 2
