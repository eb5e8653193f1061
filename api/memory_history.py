"""The memory of all processes over time: asked of the watchdog, who alone has it, and no more often than it changes."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Final

import msgspec

from ipc.channel import ask
from ipc.errors import Unavailable, WireError
from ipc.messages import Recall, Recalled

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: The spans that are asked for, in hours; what is asked of the API is part of one of them.
SPANS_H: Final = (1, 24, 168)
#: An answer is told again for so long, a failure too: the shortest interval has 15 s. Chosen, not measured.
KEPT_S: Final = 5.0
_ANSWER_S: Final = 1.0
_HOUR_S: Final = 3600


class Remembered(msgspec.Struct, frozen=True):
    """What the watchdog answered, or why there is no answer; one of both is None."""

    answer: Recalled | None
    reason: str | None
    at_s: float


class MemoryHistory:
    """Asks for all who ask here, one question at a time; ``clock_s`` is monotonic."""

    def __init__(self, watchdog: Path, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._watchdog = watchdog
        self._clock_s = clock_s
        self._known: dict[int, Remembered] = {}
        self._asking: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def of(self, hours: int) -> Remembered:
        """Return what is known of the last ``hours`` or more."""
        span_h = next((each for each in SPANS_H if each >= hours), SPANS_H[-1])
        async with self._asking[span_h]:
            known = self._known.get(span_h)
            if known is None or self._clock_s() - known.at_s >= KEPT_S:
                known = self._known[span_h] = await self._ask(span_h)
        return known

    async def _ask(self, span_h: int) -> Remembered:
        try:
            answer = await ask(self._watchdog, Recall(span_s=span_h * _HOUR_S), _ANSWER_S)
        except (Unavailable, WireError) as error:
            return Remembered(None, f"the watchdog does not tell it: {error}", self._clock_s())
        if not isinstance(answer, Recalled):
            return Remembered(None, "the watchdog answered with something else", self._clock_s())
        if not answer.curves:
            return Remembered(None, "the watchdog has measured nothing yet", self._clock_s())
        return Remembered(answer, None, self._clock_s())
