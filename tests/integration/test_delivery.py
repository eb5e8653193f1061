from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from ipc.channel import Connection, Door
from ipc.delivery import SocketCarrier
from ipc.messages import Ack, AnyMessage, Batch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Receiver:
    """The far end: keeps what arrives; acknowledges each batch unless told to hold."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seqs: list[int] = []
        self.holds = False
        self.arrived = asyncio.Condition()

    async def take(self, connection: Connection, message: AnyMessage) -> None:
        assert isinstance(message, Batch)
        async with self.arrived:
            self.seqs.append(message.seq)
            self.arrived.notify_all()
        if not self.holds:
            await connection.send(Ack(seq=message.seq))

    def door(self) -> Door:
        return Door(self.path, Batch, self.take)

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(5), self.arrived:
            await self.arrived.wait_for(lambda: len(self.seqs) >= count)


class Acks:
    """What the sender learns."""

    def __init__(self) -> None:
        self.seqs: list[int] = []
        self.changed = asyncio.Condition()

    async def __call__(self, seq: int) -> None:
        async with self.changed:
            self.seqs.append(seq)
            self.changed.notify_all()

    async def wait_for(self, seq: int) -> None:
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(lambda: bool(self.seqs) and self.seqs[-1] >= seq)


@asynccontextmanager
async def carrying(path: Path, acks: Acks, window: int = 8) -> AsyncIterator[SocketCarrier]:
    """Run a carrier for the time of a test."""
    carrier = SocketCarrier(path, acks, window)
    task = asyncio.create_task(carrier.run())
    try:
        yield carrier
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def receiver(short_path: Path) -> Receiver:
    """Return a far end at a door of its own."""
    return Receiver(short_path / "run" / "analyzer.sock")


async def test_batches_arrive_in_order_and_are_acknowledged(receiver: Receiver) -> None:
    """The ordinary case, many times the window."""
    acks = Acks()
    async with receiver.door(), carrying(receiver.path, acks) as carrier:
        for seq in range(1, 101):
            await carrier.offer(Batch(seq=seq, items=()))
        await acks.wait_for(100)
    assert receiver.seqs == list(range(1, 101))


async def test_offering_waits_while_the_window_is_full(receiver: Receiver) -> None:
    """Backpressure: what is not acknowledged stays with its owner."""
    acks = Acks()
    receiver.holds = True
    async with receiver.door(), carrying(receiver.path, acks, window=3) as carrier:
        for seq in (1, 2, 3):
            await carrier.offer(Batch(seq=seq, items=()))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await carrier.offer(Batch(seq=4, items=()))
        await receiver.wait_for(3)
    assert receiver.seqs == [1, 2, 3]


async def test_what_was_not_acknowledged_is_sent_again_after_a_reconnect(receiver: Receiver) -> None:
    """A receiver that dies before its commit gets the same batches again, oldest first."""
    acks = Acks()
    receiver.holds = True
    async with carrying(receiver.path, acks) as carrier:
        async with receiver.door():
            for seq in (10, 20, 30):
                await carrier.offer(Batch(seq=seq, items=()))
            await receiver.wait_for(3)
        receiver.holds = False
        async with receiver.door():
            await acks.wait_for(30)
    assert receiver.seqs == [10, 20, 30, 10, 20, 30]


async def test_an_acknowledgement_is_cumulative(short_path: Path) -> None:
    """One answer settles all that came before it."""
    acks = Acks()
    path = short_path / "run" / "analyzer.sock"

    async def last_only(connection: Connection, message: AnyMessage) -> None:
        assert isinstance(message, Batch)
        if message.seq == 8:
            await connection.send(Ack(seq=8))

    async with Door(path, Batch, last_only), carrying(path, acks) as carrier:
        for seq in range(1, 9):
            await carrier.offer(Batch(seq=seq, items=()))
        await acks.wait_for(8)
        async with asyncio.timeout(1):
            await carrier.offer(Batch(seq=9, items=()))
    assert acks.seqs == [8]


async def test_an_acknowledgement_of_what_was_never_sent_is_not_believed(short_path: Path) -> None:
    """Nothing may be deleted for it: the connection is dropped and the batch sent again."""
    acks = Acks()
    path = short_path / "run" / "analyzer.sock"
    answers = iter((99, 1))

    async def wrong_first(connection: Connection, _message: AnyMessage) -> None:
        await connection.send(Ack(seq=next(answers)))

    async with Door(path, Batch, wrong_first), carrying(path, acks) as carrier:
        await carrier.offer(Batch(seq=1, items=()))
        await acks.wait_for(1)
    assert acks.seqs == [1]
