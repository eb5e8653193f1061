"""The intake of a process: whether it takes new work, what it has in hand, and what it has counted.

A service asks here before each unit of work and says here when it is done, so that somebody else (the
control door) can close the intake for a while and wait until nothing is in hand. A closed intake always
has a moment at which it opens by itself: no process stays paused because whoever paused it has gone.

Belongs to the event loop.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from contextlib import AbstractContextManager

#: Why an intake is closed.
Closed = Literal["paused", "draining"]


class Intake:
    """Open until it is closed; closed for a time at most."""

    def __init__(self) -> None:
        #: None while it is open.
        self.closed: Closed | None = None
        #: Items that were taken, and those that were done with, since the start of the process.
        self.items_in = 0
        self.items_out = 0
        #: Where an item that was taken waits on disk, and not in memory: called before the two are compared.
        self.count: Callable[[], Awaitable[None]] | None = None
        self._in_hand = 0
        self._item = _Item(self)
        self._is_open = asyncio.Event()
        self._is_open.set()
        self._is_idle = asyncio.Event()
        self._is_idle.set()
        self._opening: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[None]:
        """Wait until the intake is open, then hold one unit of work in hand."""
        await self.opened()
        with self.in_hand():
            yield

    async def opened(self) -> bool:
        """Wait until the intake is open; return True. What is begun then, without a pause, is begun in time."""
        while self.closed:  # it may have been closed again before the waiter had its turn
            await self._is_open.wait()
        return True

    @contextmanager
    def in_hand(self) -> Iterator[None]:
        """Hold one unit of work in hand, whether the intake is open or not."""
        self.take()
        try:
            yield
        finally:
            self.put_down()

    def item(self) -> AbstractContextManager[None]:
        """Do the same with a unit that is one item, counted in and out."""
        return self._item

    def take(self) -> None:
        """Have one unit of work more in hand."""
        self._in_hand += 1
        self._is_idle.clear()

    def put_down(self) -> None:
        """Have one less."""
        self._in_hand -= 1
        if not self._in_hand:
            self._is_idle.set()

    def close(self, why: Closed, for_s: float) -> None:
        """Take nothing new for ``for_s`` seconds, or until :meth:`open`; closed already, the new time counts."""
        self._cancel_opening()
        self.closed = why
        self._is_open.clear()
        self._opening = asyncio.get_running_loop().call_later(for_s, self.open)

    def open(self) -> None:
        """Take new work again. Open already, does nothing."""
        self._cancel_opening()
        self.closed = None
        self._is_open.set()

    async def idle_within(self, limit_s: float) -> bool:
        """Wait until nothing is in hand; return whether that came."""
        try:
            async with asyncio.timeout(limit_s):
                return await self._is_idle.wait()
        except TimeoutError:
            return False

    def _cancel_opening(self) -> None:
        if self._opening:
            self._opening.cancel()
            self._opening = None


class _Item:
    """The items that an intake has in hand: one for all, because it holds nothing of any of them.

    A generator for each would cost a microsecond, which is 2 % of a request that the API answers (measured).
    """

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def __enter__(self) -> None:
        self._intake.items_in += 1
        self._intake.take()

    def __exit__(self, *_: object) -> None:
        self._intake.items_out += 1
        self._intake.put_down()
