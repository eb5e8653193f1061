"""From items to scored items: the rules make the text, the engine judges it, what breaks is set aside.

Blocking and without a loop: the analyzer runs it in the model's thread.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from agent.records import Score, Scored, SetAside
from agent.sentiment.engine import TextFailure
from agent.sentiment.rules import Prepared, prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.sentiment.engine import Engine, Scores
    from ipc.messages import Item


def score_items(
    engine: Engine, items: Sequence[Item], progressed: Callable[[int], None]
) -> tuple[list[Scored], list[SetAside]]:
    """Return each item either with its score or set aside with the error of its text.

    ``progressed`` is called with the number of texts that were done since its last call.
    """
    prepared = [_prepared(item) for item in items]
    texts = [answer.text for answer in prepared if isinstance(answer, Prepared) and answer.text is not None]
    outcomes = iter(engine.score(texts, progressed) if texts else [])
    scored: list[Scored] = []
    set_aside: list[SetAside] = []
    for item, answer in zip(items, prepared, strict=True):
        if isinstance(answer, TextFailure):
            set_aside.append(_set_aside(item, answer))
            continue
        outcome = answer.fixed or next(outcomes)
        if isinstance(outcome, TextFailure):
            set_aside.append(_set_aside(item, outcome))
        else:
            scored.append(Scored(item=item, score=_score(outcome, answer.rule, engine.name)))
    return scored, set_aside


def _prepared(item: Item) -> Prepared | TextFailure:
    try:
        return prepare(item.title, item.content)
    except Exception as error:  # noqa: BLE001 - one odd text must not end the batch; it is set aside with this error
        return TextFailure(f"{type(error).__name__}: {error}")


def _set_aside(item: Item, failure: TextFailure) -> SetAside:
    return SetAside(item=item, error=failure.error, failed_utc=time.time())


def _score(scores: Scores, rule: str, model: str) -> Score:
    return Score(
        sentiment=scores.sentiment,
        confidence=scores.confidence,
        positive=scores.positive,
        neutral=scores.neutral,
        negative=scores.negative,
        rule=rule,
        model=model,
    )
