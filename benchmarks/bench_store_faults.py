"""How long each fault of an SQLite file takes to be told, and how long after its end the next call succeeds.

With the default settings, on a store of 20,000 items. The peer, in the same run, is Python's sqlite3 as it comes, which
says it in SQLite's words and waits 5 s for a lock. Run it by itself, with the development dependencies:

    .venv/bin/python benchmarks/bench_store_faults.py
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import sqlite3
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

# The tests' own items and limits, so that both show the same.
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from fakes.limits import files_of_at_most, nobody
from fakes.stored import item, scored

from agent.store.sqlite_reader import SqliteReader
from agent.store.sqlite_writer import SqliteWriter
from ipc.errors import StoreUnavailable
from ipc.settings import StoreSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

ITEMS: Final = 20_000
SETTINGS: Final = StoreSettings()


@contextmanager
def full(_path: Path) -> Iterator[None]:
    """Leave room for less than a batch."""
    with files_of_at_most(500_000):
        yield


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    """Take the right to write away from everybody but root."""
    for folder in (path.parent, path.parent.parent):
        folder.chmod(0o777)
    before = path.stat().st_mode
    path.chmod(0o444)
    try:
        with nobody():
            yield
    finally:
        path.chmod(before)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Leave a transaction open."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def damaged(path: Path) -> Iterator[None]:
    """Write noise over the second half."""
    before = path.read_bytes()
    path.write_bytes(before[: len(before) // 2] + os.urandom(len(before) - len(before) // 2))
    try:
        yield
    finally:
        path.write_bytes(before)


@contextmanager
def away(path: Path) -> Iterator[None]:
    """Take the folder away, as a disk that is not mounted."""
    elsewhere = path.parent.with_name("elsewhere")
    path.parent.rename(elsewhere)
    try:
        yield
    finally:
        elsewhere.rename(path.parent)


FAULTS: Final[dict[str, Callable[[Path], AbstractContextManager[None]]]] = {
    "disk full": full,
    "read-only": read_only,
    "locked by another writer": locked,
    "damaged": damaged,
    "folder away": away,
}


async def row(name: str, path: Path) -> None:
    """Make the fault while the store is opened, and print what came of it."""
    with FAULTS[name](path):
        began_s = time.perf_counter()
        words = await refused(path)
        told_ms = (time.perf_counter() - began_s) * 1000
        peer_ms, peer_words = peer(path)
    began_s = time.perf_counter()
    async with SqliteWriter(path, SETTINGS) as writer:
        await writer.write([scored(item(f"t3_{name}"))], [], [])
        well_ms = (time.perf_counter() - began_s) * 1000
    print(f"{name:<26}{told_ms:>9.1f}{well_ms:>9.1f}{peer_ms:>9.1f}  {words.replace(str(path), 'PATH')}")
    print(f"{'':<53}  peer: {peer_words}")


async def refused(path: Path) -> str:
    """Open, write 500 items, and return the words in which that was refused."""
    try:
        async with SqliteWriter(path, SETTINGS) as writer:
            await writer.write([scored(item(f"t3_x{n}", content="x" * 5000)) for n in range(500)], [], [])
    except StoreUnavailable as error:
        return str(error)
    raise SystemExit("the fault was not noticed")


def peer(path: Path) -> tuple[float, str]:
    """Write a row with sqlite3 as it comes; return milliseconds and its words."""
    began_s = time.perf_counter()
    words = "nothing: it was written"
    try:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("INSERT INTO set_aside VALUES (?, 0, '', ?)", (str(began_s), "x" * 5_000_000))
            connection.execute("DELETE FROM set_aside")
            connection.commit()
    except sqlite3.Error as error:
        words = str(error)
    return (time.perf_counter() - began_s) * 1000, words


async def main() -> None:
    """Measure each fault and print the table."""
    print(
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores, {ITEMS:,} items"
    )
    print(f"{'milliseconds':<26}{'told':>9}{'well':>9}{'peer':>9}  words\n")
    with tempfile.TemporaryDirectory(prefix="bench_faults") as folder:
        path = Path(folder) / "state" / "sentiment.db"
        path.parent.mkdir()
        async with SqliteWriter(path, SETTINGS) as writer:
            for start in range(0, ITEMS, 500):
                await writer.write([scored(item(f"t3_{start + n}", content="x" * 320)) for n in range(500)], [], [])
        for name in FAULTS:
            await row(name, path)
        async with SqliteReader(path.with_name("none.db"), SETTINGS) as reader:
            began_s = time.perf_counter()
            try:
                await reader.contents()
            except StoreUnavailable as error:
                print(f"{'a reader without a file':<26}{(time.perf_counter() - began_s) * 1000:>9.1f}{'':>20}{error}")


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    asyncio.run(main())
