"""The state of the SQLite store: told while another question is being answered."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from fakes.stored import item, scored

from agent.store.sqlite_reader import SqliteReader
from agent.store.sqlite_writer import SqliteWriter
from ipc.settings import StoreSettings

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path


async def test_the_state_waits_behind_no_question(tmp_path: Path) -> None:
    """Whether anything was written is known at once, however long somebody else's question takes."""
    path, go = tmp_path / "sentiment.db", threading.Event()

    def slow(connection: sqlite3.Connection) -> int:
        go.wait(5)
        return int(connection.execute("SELECT count(*) FROM items").fetchone()[0])

    async with SqliteWriter(path, StoreSettings()) as writer, SqliteReader(path, StoreSettings()) as reader:
        before = await reader.state()
        asking = asyncio.create_task(reader._connection.call("slow", slow))
        try:
            async with asyncio.timeout(2):
                assert await reader.state() == before
                await writer.write([scored(item())], [], [])
                assert await reader.state() != before
            assert not asking.done()
        finally:
            go.set()
        assert await asking == 1
