"""Posts a second from a sender to a receiver in another process, acknowledged: our channel against its peer.

The peer is the standard library's ``multiprocessing.connection`` with pickled batches of the same posts,
one acknowledgement a batch and the same window. Run it by itself:

    .venv/bin/python benchmarks/bench_delivery.py [--posts 200000]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import tempfile
import time
from importlib.metadata import version
from multiprocessing import Process
from multiprocessing.connection import Client, Listener
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from ipc.channel import Connection, Door
from ipc.delivery import WINDOW, SocketCarrier
from ipc.messages import Ack, AnyMessage, Batch, Item

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH_ITEMS = 64
RUNS = 3


def example_items() -> tuple[Item, ...]:
    """Return a batch's items, of about 540 bytes each."""
    return tuple(
        Item(
            name=f"t3_{number:06x}",
            subreddit="programming",
            author="sample_user",
            title="A title of an ordinary length, as people write them",
            content="x" * 320,
            url="https://www.reddit.com/r/programming/comments/abcdef/a_title/",
            created_utc=1_700_000_000,
            collected_utc=1_700_000_100,
            upvotes=12,
            comment_count=3,
            source="sample",
        )
        for number in range(BATCH_ITEMS)
    )


def serve_ours(path: Path) -> None:
    """Acknowledge every batch, for ever."""

    async def take(connection: Connection, message: AnyMessage) -> None:
        assert isinstance(message, Batch)  # noqa: S101 - the door takes nothing else
        await connection.send(Ack(seq=message.seq))

    async def serve() -> None:
        async with Door(path, Batch, take):
            await asyncio.Event().wait()

    uvloop.run(serve())


def send_ours(path: Path, batches: int) -> float:
    """Return the seconds from the first offer to the last acknowledgement."""

    async def send() -> float:
        done = asyncio.Event()
        items = example_items()

        async def on_ack(seq: int) -> None:
            if seq == batches:
                done.set()

        carrier = SocketCarrier(path, on_ack)
        running = asyncio.create_task(carrier.run())
        while not carrier.is_connected:  # noqa: ASYNC110 - before the clock starts
            await asyncio.sleep(0.01)
        began_s = time.perf_counter()
        for seq in range(1, batches + 1):
            await carrier.offer(Batch(seq=seq, items=items))
        await done.wait()
        took_s = time.perf_counter() - began_s
        running.cancel()
        return took_s

    return uvloop.run(send())


def serve_peer(path: Path) -> None:
    """Acknowledge every batch of one connection after the other."""
    with Listener(str(path), "AF_UNIX") as listener:
        while True:
            with listener.accept() as connection:
                try:
                    while True:
                        seq, _items = connection.recv()
                        connection.send(seq)
                except EOFError:
                    continue


def send_peer(path: Path, batches: int) -> float:
    """Return the same, with the same window."""
    while not path.exists():
        time.sleep(0.01)
    items = example_items()
    with Client(str(path), "AF_UNIX") as connection:
        began_s = time.perf_counter()
        acknowledged = 0
        for seq in range(1, batches + 1):
            connection.send((seq, items))
            while seq - acknowledged >= WINDOW:
                acknowledged = connection.recv()
        while acknowledged < batches:
            acknowledged = connection.recv()
        return time.perf_counter() - began_s


def measure(serve: Callable[[Path], None], send: Callable[[Path, int], float], path: Path, batches: int) -> float:
    """Return the posts a second of the best of a few runs."""
    server = Process(target=serve, args=(path,), daemon=True)
    server.start()
    try:
        return max(batches * BATCH_ITEMS / send(path, batches) for _ in range(RUNS))
    finally:
        server.kill()
        server.join()


def main() -> None:
    """Measure both in turn and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=200_000)
    batches = parser.parse_args().posts // BATCH_ITEMS
    with tempfile.TemporaryDirectory(prefix="sa", dir="/tmp") as folder:
        ours = measure(serve_ours, send_ours, Path(folder) / "run" / "ours.sock", batches)
        peer = measure(serve_peer, send_peer, Path(folder) / "peer.sock", batches)
    print(
        f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, uvloop {version('uvloop')}"
    )
    print(f"batches of {BATCH_ITEMS} posts, window {WINDOW}, best of {RUNS}")
    print(f"this channel                {ours:>10,.0f} posts/s")
    print(f"multiprocessing.connection  {peer:>10,.0f} posts/s")
    print(f"ratio                       {ours / peer:>10.2f}")


if __name__ == "__main__":
    main()
