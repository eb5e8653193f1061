"""Whoever says of texts whether they are positive, neutral or negative: our models, and the tools beside them.

VADER and TextBlob are no dependencies: they judge where they are installed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from agent.sentiment.choose import open_engine
from agent.sentiment.engine import SENTIMENTS, TextFailure
from agent.sentiment.figures import Answer
from agent.sentiment.rules import prepare
from ipc.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.sentiment.engine import Engine, Outcome, Sentiment
    from agent.sentiment.labelled import Example

#: Texts that are easy to get wrong, by kind, written for this project.
HARD_CASES: Final = Path(__file__).parent / "hard_cases.tsv"
#: VADER's authors call a text neutral between -0.05 and 0.05; TextBlob's name no edges, and get the same.
EDGE: Final = 0.05
#: Before a model's name: the same weights in the other engine, so that the two can be held against each other.
_ONNX: Final = "onnx:"


class Judge(Protocol):
    """Says of each text what it is."""

    @property
    def name(self) -> str:
        """Its name in tables."""
        ...

    def judge(self, examples: Sequence[Example], on_progress: Callable[[int], None] | None = None) -> list[Answer]:
        """Answer for each text, in order; ``on_progress`` hears how many were done since its last call."""
        ...


class ModelJudge:
    """An engine behind the service's own rules: what a post with these words would be stored with."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.name = engine.name

    def judge(self, examples: Sequence[Example], on_progress: Callable[[int], None] | None = None) -> list[Answer]:
        """Answer for each text, in order."""
        prepared = [prepare(example.title, example.text) for example in examples]
        outcomes = iter(self._engine.score([one.text for one in prepared if one.text is not None], on_progress))
        # What a rule decided has no confidence of the model's: it is no part of its calibration.
        return [Answer(one.fixed.sentiment) if one.fixed else _answer(next(outcomes)) for one in prepared]


class LexiconJudge:
    """A tool that gives a text one number from -1 to 1. It sees the text as it is: the rules are ours, not its own."""

    def __init__(self, name: str, polarity: Callable[[str], float]) -> None:
        self.name = name
        self._polarity = polarity

    def judge(self, examples: Sequence[Example], on_progress: Callable[[int], None] | None = None) -> list[Answer]:
        """Answer for each text, in order; without confidence, for its number is no probability."""
        answers = [Answer(_named(self._polarity(f"{each.title}\n{each.text}".strip()))) for each in examples]
        if on_progress is not None:
            on_progress(len(answers))
        return answers


def open_judge(name: str, *, engine: str = "flair", threads: int = 1) -> Judge:
    """Open "vader", "textblob", or a model as SENTIMENT_MODEL names it; after "onnx:" in that engine.

    Raises:
        ModelError: it is missing, damaged, of another kind, or not installed. One sentence for the operator.

    """
    makers = {"vader": _vader, "textblob": _textblob}
    if name.lower() in makers:
        return makers[name.lower()]()
    if name.startswith(_ONNX):
        name, engine = name.removeprefix(_ONNX), "onnx"
    return ModelJudge(open_engine(name, engine=engine, threads=threads))


def _vader() -> Judge:
    try:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer  # noqa: PLC0415 - where it is installed
    except ImportError as error:
        raise ModelError("VADER is not installed: pip install vaderSentiment") from error
    analyzer = SentimentIntensityAnalyzer()
    return LexiconJudge("VADER", lambda text: float(analyzer.polarity_scores(text)["compound"]))


def _textblob() -> Judge:
    try:
        from textblob import TextBlob  # noqa: PLC0415 - where it is installed
    except ImportError as error:
        raise ModelError("TextBlob is not installed: pip install textblob") from error
    return LexiconJudge("TextBlob", lambda text: float(TextBlob(text).sentiment.polarity))


def _answer(outcome: Outcome) -> Answer:
    return Answer(None) if isinstance(outcome, TextFailure) else Answer(outcome.sentiment, outcome.confidence)


def _named(polarity: float) -> Sentiment:
    return SENTIMENTS[0 if polarity >= EDGE else 2 if polarity <= -EDGE else 1]
