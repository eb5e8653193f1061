"""The analyzer's answer to :class:`~ipc.messages.Explain`: the words behind a verdict, worked out between two batches.

The model's one thread does it, after the batch in hand; whoever waits longer than a moment is told so instead. Few
may wait at once, so that a busy page never keeps batches from being scored.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from agent.sentiment.engine import TextFailure
from agent.sentiment.explain import explain
from agent.sentiment.rules import prepare
from ipc import logs
from ipc.messages import Explain, Explained, Explanation, WordEffect

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from agent.sentiment.engine import Engine, Scores
    from agent.sentiment.explain import Word

_log = logs.log(__name__)

#: From the question to the answer. An explanation takes some 0.2 s once the thread is free; a batch of long posts
#: takes seconds, and nobody waits for an explanation as long. Chosen.
DEADLINE_S: Final = 2.0
#: Questions that wait at once; the next is told that there are too many. Chosen.
MAX_WAITING: Final = 4
#: Words of an answer: more than anybody reads. Chosen.
MAX_WORDS: Final = 20


class Explaining:
    """Answers questions in the model's thread. Belongs to the event loop."""

    def __init__(self, engine: Engine, thread: Executor) -> None:
        self._engine = engine
        self._thread = thread
        self._waiting = 0

    async def answer(self, asked: Explain) -> Explained:
        """Return the explanation, or why there is none; never raises, and never later than ``DEADLINE_S``."""
        if self._waiting >= MAX_WAITING:
            return Explained(explanation=None, reason="Too many explanations are asked for at once.")
        self._waiting += 1
        try:
            async with asyncio.timeout(DEADLINE_S):
                # On a time-out what has not begun is taken off the thread's queue; what has begun is short.
                return await asyncio.get_running_loop().run_in_executor(self._thread, _explained, self._engine, asked)
        except TimeoutError:
            return Explained(explanation=None, reason=f"The analyzer was busy scoring for {DEADLINE_S:g} s.")
        except Exception as error:  # noqa: BLE001 - a question must not end the process that scores; it has its answer
            # Only the error's type: its words may quote the text.
            _log.error("No explanation", error=type(error).__name__)
            return Explained(explanation=None, reason=f"The model failed on this text: {type(error).__name__}.")
        finally:
            self._waiting -= 1


def _explained(engine: Engine, asked: Explain) -> Explained:
    """Explain one item's text; blocks."""
    prepared = prepare(asked.title, asked.content)
    if prepared.text is None:
        assert prepared.fixed is not None  # noqa: S101 - exactly one of the two is there
        return Explained(explanation=_told(prepared.fixed, prepared.rule, engine, [], is_whole=True))
    found = explain(engine, prepared.text)
    if isinstance(found, TextFailure):
        return Explained(explanation=None, reason=f"The model failed on this text: {found.error.partition(':')[0]}.")
    return Explained(explanation=_told(found.scores, prepared.rule, engine, found.words, is_whole=found.is_whole))


def _told(scores: Scores, rule: str, engine: Engine, words: list[Word], *, is_whole: bool) -> Explanation:
    return Explanation(
        sentiment=scores.sentiment,
        confidence=scores.confidence,
        rule=rule,
        model=engine.name,
        words=tuple(WordEffect(word=each.word, effect=each.effect) for each in words[:MAX_WORDS]),
        is_whole=is_whole,
    )
