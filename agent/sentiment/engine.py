"""What an engine takes and gives. Light on purpose: whoever stores or shows scores imports this, never a model.

There are two, :mod:`agent.sentiment.flair_engine` and :mod:`agent.sentiment.onnx_engine`; tests bring small
ones of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: The three words of the whole project, in code, wire, store and API.
Sentiment: TypeAlias = Literal["positive", "neutral", "negative"]

#: In the order of the model's outputs.
SENTIMENTS: tuple[Sentiment, Sentiment, Sentiment] = ("positive", "neutral", "negative")


class Scores(msgspec.Struct, frozen=True):
    """One text's sentiment. The three probabilities sum to 1; `sentiment` names the largest."""

    sentiment: Sentiment
    #: The calibrated probability of `sentiment`; 0.0 where there was no text to judge (see `rules.NOTHING`).
    confidence: float
    positive: float
    neutral: float
    negative: float

    @property
    def compound(self) -> float:
        """Positive less negative: -1.0 (surely negative) to 1.0 (surely positive)."""
        return self.positive - self.negative


class TextFailure(msgspec.Struct, frozen=True):
    """The place of a text that the model could not score, so that its neighbours keep theirs."""

    #: What the model said, as "TypeName: message".
    error: str


#: What comes back for one text.
Outcome: TypeAlias = Scores | TextFailure


class Engine(Protocol):
    """Scores texts. Blocking: call it in one worker thread, never from two at once."""

    @property
    def name(self) -> str:
        """The model in words an operator knows, as shown by status."""
        ...

    def score(self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None) -> list[Outcome]:
        """Score prepared texts; the answer has their order and length.

        A text that breaks the model comes back as :class:`TextFailure`; the others are scored.

        `on_progress` is called from the same thread with the number of texts finished since its last call, and those
        numbers add up to `len(texts)`. It is meant for a heartbeat during a long call.

        Raises:
            MemoryError: there was no memory even for one text, so that no text is to blame.
        """
        ...


def scores_of(positive: float, neutral: float, negative: float) -> Scores:
    """Name the largest of three probabilities; on a tie neutral wins, then positive."""
    largest = max(positive, neutral, negative)
    sentiment: Sentiment = "neutral" if neutral == largest else "positive" if positive == largest else "negative"
    return Scores(sentiment, largest, positive, neutral, negative)
