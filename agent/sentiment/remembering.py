"""An engine that does not score the same text twice: the scores of the last texts, by a hash of each.

Reddit repeats itself: bots' notices, "this", the same link in five subreddits, and every item that is looked at again.
Pure over another engine; bounded, forgetting first what was asked for least lately.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from agent.sentiment.engine import Outcome, Scores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.sentiment.engine import Engine

#: Texts that are remembered. Chosen: at 330 bytes each by measure, all of them hold 6 to 9 MB.
CAPACITY: Final = 20_000
#: Of a hash, as long as a UUID: that two texts of a billion share one has a chance of 1 to 10^20.
_HASH_BYTES: Final = 16


class Remembering:
    """An :class:`agent.sentiment.engine.Engine` around one model; a text that breaks it is not remembered."""

    def __init__(self, engine: Engine, capacity: int = CAPACITY) -> None:
        self._engine = engine
        self._capacity = capacity
        self._known: OrderedDict[bytes, Scores] = OrderedDict()

    @property
    def name(self) -> str:
        """The model's own name."""
        return self._engine.name

    def score(self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None) -> list[Outcome]:
        """Score what is not known yet, once each; see :class:`agent.sentiment.engine.Engine`."""
        hashes = [_hash(text) for text in texts]
        found: dict[bytes, Outcome] = {key: self._known[key] for key in hashes if key in self._known}
        new = {key: text for key, text in zip(hashes, texts, strict=True) if key not in found}
        if on_progress is not None and len(new) < len(texts):
            on_progress(len(texts) - len(new))
        if new:
            found |= zip(new, self._engine.score(list(new.values()), on_progress), strict=True)
        for key in hashes:
            self._remember(key, found[key])
        return [found[key] for key in hashes]

    def _remember(self, key: bytes, outcome: Outcome) -> None:
        if not isinstance(outcome, Scores):
            return
        self._known[key] = outcome
        self._known.move_to_end(key)
        if len(self._known) > self._capacity:
            self._known.popitem(last=False)


def _hash(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_HASH_BYTES).digest()
