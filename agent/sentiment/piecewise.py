"""What every engine does the same way around its model: pieces, batches, failures, merging, progress.

An engine of this project is a :class:`PiecewiseEngine` over a :class:`Model`; the model only turns texts into rows and
rows into probabilities.
"""

from __future__ import annotations

import ctypes
import math
from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from agent.sentiment import batching, rules
from agent.sentiment.engine import Outcome, TextFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

#: (positive, neutral, negative), which sum to 1.
Probabilities: TypeAlias = tuple[float, float, float]

#: What one batch may cost in padded tokens: its longest row times its rows. Measured: 512 was faster than
#: 1024 to 4096 by 4 to 20 %, and it bounds memory best.
BATCH_TOKENS = 512
#: A piece is cut here, whatever its characters: 240 characters are 60 tokens of prose, but 240 of mere punctuation.
PIECE_TOKENS = 128
#: Texts tokenised at a time, so that a call with 30,000 texts holds the tokens of only these.
WINDOW_TEXTS = 512


class Model(Protocol):
    """What :class:`PiecewiseEngine` needs of a classifier: rows in, probabilities out."""

    def rows(self, texts: Sequence[str]) -> Sequence[Sequence[Any]]:
        """Turn texts into rows, whose length is what a row costs."""
        ...

    def run(self, rows: Sequence[Sequence[Any]]) -> list[Probabilities]:
        """Return (positive, neutral, negative) of every row, in order. May raise anything."""
        ...


class PiecewiseEngine:
    """An :class:`agent.sentiment.engine.Engine` over a :class:`Model`: pieces, batches, failures, progress."""

    def __init__(self, name: str, model: Model) -> None:
        self._name = name
        self.model = model

    @property
    def name(self) -> str:
        """The setting's word, and for a folder the first digits of the weights' SHA-256."""
        return self._name

    def score(self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None) -> list[Outcome]:
        """Score prepared texts; see :class:`agent.sentiment.engine.Engine`."""
        outcomes: list[Outcome] = []
        for start in range(0, len(texts), WINDOW_TEXTS):
            outcomes += self._score_window(texts[start : start + WINDOW_TEXTS], on_progress)
        _give_back_memory()
        return outcomes

    def _score_window(self, texts: Sequence[str], on_progress: Callable[[int], None] | None) -> list[Outcome]:
        pieces = [(owner, piece) for owner, text in enumerate(texts) for piece in rules.pieces(text)]
        rows = batching.isolate(self.model.rows, [piece for _, piece in pieces])
        parts: list[list[Probabilities | TextFailure]] = [[] for _ in texts]
        missing = Counter(owner for owner, _ in pieces)
        told = 0
        for batch in batching.plan([_cost(row) for row in rows], BATCH_TOKENS):
            for index, result in zip(batch, self._run(rows, batch), strict=True):
                owner = pieces[index][0]
                parts[owner].append(result)
                missing[owner] -= 1
                if not missing[owner]:
                    del missing[owner]
            if on_progress is not None and len(texts) - len(missing) > told:
                on_progress(len(texts) - len(missing) - told)
                told = len(texts) - len(missing)
        if on_progress is not None and told < len(texts):
            on_progress(len(texts) - told)
        return [_outcome(results) for results in parts]

    def _run(
        self, rows: Sequence[Sequence[Any] | TextFailure], batch: Sequence[int]
    ) -> Iterator[Probabilities | TextFailure]:
        """Run one batch's good rows; a row that could not even be made keeps its failure."""
        good = [row for index in batch if not isinstance(row := rows[index], TextFailure)]
        results = iter(batching.isolate(self._run_checked, good))
        for index in batch:
            row = rows[index]
            yield row if isinstance(row, TextFailure) else next(results)

    def _run_checked(self, rows: Sequence[Sequence[Any]]) -> list[Probabilities]:
        results = self.model.run(rows)
        for result in results:
            if not math.isfinite(sum(result)):
                raise ArithmeticError(f"the model answered {result}, which is no probability")
        return results


def _cost(row: Sequence[Any] | TextFailure) -> int:
    return 0 if isinstance(row, TextFailure) else len(row)


def _outcome(parts: Sequence[Probabilities | TextFailure]) -> Outcome:
    """One text's outcome of its pieces': a failure if any failed, as half a text's score would pass for the whole's."""
    good: list[Probabilities] = []
    for part in parts:
        if isinstance(part, TextFailure):
            return part
        good.append(part)
    return batching.merge(good) if good else rules.NOTHING


def _give_back_memory() -> None:
    """Ask the C library to return freed memory; without it the process keeps its peak for ever, as if it leaked."""
    if _trim is not None:
        _trim(0)


#: glibc's malloc_trim; None elsewhere.
_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
