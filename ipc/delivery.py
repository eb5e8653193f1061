"""Delivery of batches: what the collector and the analyzer agree on, whatever carries it.

The sender's promise: batches go out in order, each again after every reconnect until it is
acknowledged. The receiver's: an :class:`~ipc.messages.Ack` goes out after the durable commit, and
an item that came twice is kept once. Together: nothing acknowledged is lost, nothing counts twice.

Backpressure: at most ``window`` batches are in flight; :meth:`Carrier.offer` waits for room, so
that what is not yet deliverable stays in the outbox, on disk.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from ipc import logs
from ipc.channel import Connection, connections
from ipc.errors import WireError
from ipc.messages import Ack, Batch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

_log = logs.log(__name__)

#: Batches in flight. Measured for frames of 64 posts: a window of 8 with uvloop carries 566,000 posts a second.
WINDOW: Final = 8


class Carrier(Protocol):
    """All that the collector sees of the way to the analyzer."""

    async def offer(self, batch: Batch) -> None:
        """Take ``batch`` for delivery; wait while the window is full. ``batch.seq`` grows from call to call."""

    async def run(self) -> None:
        """Deliver for ever; a task of the owner's. Calls the owner back with each acknowledged ``seq``."""


class SocketCarrier:
    """A :class:`Carrier` over the analyzer's Unix socket.

    ``on_ack(seq)`` is awaited for each acknowledgement, which is cumulative, before the window opens.
    """

    def __init__(self, door: Path, on_ack: Callable[[int], Awaitable[None]], window: int = WINDOW) -> None:
        self._door = door
        self._on_ack = on_ack
        self._window = window
        self._in_flight: deque[Batch] = deque()
        self._changed = asyncio.Condition()
        self.is_connected = False

    async def offer(self, batch: Batch) -> None:
        """Take ``batch`` for delivery; wait while the window is full."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._in_flight) < self._window)
            self._in_flight.append(batch)
            self._changed.notify_all()

    async def run(self) -> None:
        """Deliver for ever, reconnecting as often as it takes."""
        async for connection in connections(self._door):
            self.is_connected = True
            try:
                await self._converse(connection)
            finally:
                self.is_connected = False
                await connection.close()

    async def _converse(self, connection: Connection) -> None:
        """Send and receive until the connection is lost."""
        # No TaskGroup: where a task of it fails in the very moment in which we are cancelled, Python 3.11 reports
        # the failure alone, and the cancellation would be lost.
        tasks = [asyncio.create_task(self._send(connection)), asyncio.create_task(self._receive(connection))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, WireError):
                _log.warning("Connection to the analyzer lost", reason=str(outcome), in_flight=len(self._in_flight))
            elif isinstance(outcome, Exception):
                raise outcome

    async def _send(self, connection: Connection) -> None:
        """Send everything in flight, oldest first, then each batch as it is offered."""
        sent = 0
        while True:
            batch = await self._next_after(sent)
            await connection.send(batch)
            sent = batch.seq

    async def _next_after(self, seq: int) -> Batch:
        def after() -> Batch | None:
            return next((batch for batch in self._in_flight if batch.seq > seq), None)

        async with self._changed:
            await self._changed.wait_for(lambda: after() is not None)
            batch = after()
        assert batch is not None  # noqa: S101 - what wait_for waited for
        return batch

    async def _receive(self, connection: Connection) -> None:
        async for message in connection.messages():
            if not isinstance(message, Ack):
                raise WireError(f"a {type(message).__name__} where an acknowledgement was due")
            await self._settle(message.seq)
        raise WireError("the analyzer closed the connection")

    async def _settle(self, seq: int) -> None:
        if not self._in_flight or seq < self._in_flight[0].seq:
            return  # an answer to a batch that was settled on the connection before
        if seq > self._in_flight[-1].seq:
            raise WireError(f"an acknowledgement of batch {seq}, which was never sent")
        await self._on_ack(seq)
        async with self._changed:
            while self._in_flight and self._in_flight[0].seq <= seq:
                self._in_flight.popleft()
            self._changed.notify_all()
