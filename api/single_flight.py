"""Work that several ask for at the same time, done once.

Whoever asks first does it; nobody else's task is needed. Should that one go away, the next of those who wait does it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from ipc.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from agent.store.protocol import Reading

T = TypeVar("T")

#: A store that needs longer to say its state is busy or away: each request asks it by itself then. Chosen, not
#: measured.
LOOK_S: Final = 0.25


class SingleFlight(Generic[T]):
    """Running work by key."""

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Future[T | None]] = {}

    async def run(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """Return what ``work`` returns, or raise what it raises; what runs under this key is waited for instead."""
        while (running := self._running.get(key)) is not None:
            done = await asyncio.shield(running)  # one who stops waiting stops nobody else
            if done is not None:
                return done
        running = self._running[key] = asyncio.get_running_loop().create_future()
        try:
            done = await work()
        except Exception as error:
            running.set_exception(error)
            running.exception()  # perhaps nobody waits: then it is no error that nobody took it
            raise
        else:
            running.set_result(done)
            return done
        finally:
            del self._running[key]
            if not running.done():  # cancelled
                running.set_result(None)


class StateLooks:
    """The store's state, looked at one time after the other, each for all requests that came during the one before.

    So each request is told a state that was looked at after it came: what was written before it is in its answer.
    """

    def __init__(self, store: Reading) -> None:
        self._store = store
        self._looking = asyncio.Lock()
        #: Of the next look; None while nobody waits for it.
        self._waiting: list[asyncio.Future[str | None]] | None = None

    async def state(self) -> str | None:
        """Return the state; None where the store can't say it, or not at once."""
        if self._waiting is not None:
            told: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
            self._waiting.append(told)
            return await told
        waiting = self._waiting = []
        state = None
        try:
            async with self._looking:
                self._waiting = None
                state = await self._look()
        finally:
            if self._waiting is waiting:
                self._waiting = None
            for each in waiting:
                if not each.done():  # its request was cancelled
                    each.set_result(state)
        return state

    async def _look(self) -> str | None:
        try:
            async with asyncio.timeout(LOOK_S):
                return await self._store.state()
        except (StoreUnavailable, TimeoutError):
            return None
