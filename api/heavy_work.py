"""Answers that take long to compute: one at a time, for all who ask, bounded in time, and kept while they are true.

An answer stands as long as the store's state does, at most a minute, because the windows move with the clock. Where
the database can't say its state, it stands for five: reading some thousand items costs request units. While data stream
in, each state is another one: what took long then stands for ten times as long as it took, so that no more than a tenth
of a core goes into it. What takes longer than anybody waits is computed to its end, for whoever asks next.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from ipc import logs
from ipc.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from aiohttp import web

    from agent.store.protocol import Reading

T = TypeVar("T")

_log = logs.log(__name__)

#: Nobody is kept waiting longer. Chosen, not measured.
PATIENCE_S: Final = 5.0
#: What takes longer is a database in trouble: it is given up, and others have their turn. Chosen, not measured.
LONGEST_S: Final = 60.0
#: How long an answer may stand on the same data, and on data of which nobody knows whether they are the same. Chosen.
KEPT_S: Final = 60.0
KEPT_UNKNOWN_S: Final = 300.0
#: What took less is computed anew for each state.
_CHEAP_S: Final = 0.1
_REST: Final = 10
#: Four windows of a page, and themes; each may hold some dozen posts. Chosen.
_MOST: Final = 6


class _Kept(msgspec.Struct, frozen=True):
    answer: Any
    state: str | None
    at_s: float
    took_s: float


class HeavyWork:
    """Computes and keeps; ``clock_s`` is monotonic."""

    def __init__(
        self,
        store: Reading,
        clock_s: Callable[[], float] = time.monotonic,
        patience_s: float = PATIENCE_S,
        longest_s: float = LONGEST_S,
    ) -> None:
        self._store = store
        self._clock_s = clock_s
        self._patience_s = patience_s
        self._longest_s = longest_s
        #: The one computation, and when that is done the last one.
        self._running: asyncio.Task[None] | None = None
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()

    async def close(self, _application: web.Application) -> None:
        """End what is being computed; the store is closed next."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    async def once(self, asked: Hashable, compute: Callable[[], Awaitable[T]]) -> T:
        """Return the answer to what is asked, computed now or a moment ago.

        Raises:
            Unavailable: it took too long, this work or what was before it; this work goes on.

        """
        state = await self._store.state()
        try:
            async with asyncio.timeout(self._patience_s):
                while (kept := self._kept.get(asked)) is None or not self._stands(kept, state):
                    await self._turn(asked, state, compute)
                answer: T = kept.answer
                return answer
        except TimeoutError as error:
            raise Unavailable(
                f"this takes longer than {self._patience_s:.0f} s at the moment", retry_after_s=self._patience_s
            ) from error

    async def _turn(self, asked: Hashable, state: str | None, compute: Callable[[], Awaitable[Any]]) -> None:
        """Wait for what is being computed, or else compute, in a task that outlasts whoever waits for it."""
        if self._running is not None and not self._running.done():
            await asyncio.wait([self._running])
            return
        task = self._running = asyncio.create_task(self._computed(asked, state, compute))
        try:
            await asyncio.shield(task)
        finally:
            if not task.done():
                task.add_done_callback(_note)

    def _stands(self, kept: _Kept, state: str | None) -> bool:
        age_s = self._clock_s() - kept.at_s
        is_resting = kept.took_s >= _CHEAP_S and age_s < _REST * kept.took_s
        return is_resting or (kept.state == state and age_s < (KEPT_UNKNOWN_S if state is None else KEPT_S))

    async def _computed(self, asked: Hashable, state: str | None, compute: Callable[[], Awaitable[Any]]) -> None:
        began_s = self._clock_s()
        async with asyncio.timeout(self._longest_s):
            answer = await compute()
        now_s = self._clock_s()
        self._keep(asked, _Kept(answer, state, now_s, now_s - began_s))

    def _keep(self, asked: Hashable, kept: _Kept) -> None:
        self._kept[asked] = kept
        self._kept.move_to_end(asked)
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)


def _note(task: asyncio.Task[None]) -> None:
    """Log how work failed that nobody waited for any more."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.warning("Work that took long failed", reason=repr(error))
