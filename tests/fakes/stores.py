"""Each implementation of the store, open and empty: the rows of the contract suite."""

from __future__ import annotations

import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from fakes.cosmos import emulator as second
from fakes.cosmos.mended import mended
from fakes.cosmos_store import account, prepare, settings_for

from agent.store.cosmos_reader import CosmosReader
from agent.store.cosmos_writer import CosmosWriter
from agent.store.sqlite_reader import SqliteReader
from agent.store.sqlite_writer import SqliteWriter
from ipc.settings import Secret, StoreSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from agent.store.protocol import Reading, Writing


class Store(NamedTuple):
    """Both sides of one store that is open."""

    writer: Writing
    reader: Reading


@asynccontextmanager
async def sqlite(folder: Path) -> AsyncIterator[Store]:
    """Open SQLite in a folder of its own."""
    path = folder / "sentiment.db"
    async with SqliteWriter(path, StoreSettings()) as writer, SqliteReader(path, StoreSettings()) as reader:
        yield Store(writer, reader)


@asynccontextmanager
async def cosmos(_folder: Path) -> AsyncIterator[Store]:
    """Open Cosmos DB in an account of its own."""
    async with account() as service:
        settings = settings_for(service)
        async with CosmosWriter(settings) as writer, CosmosReader(settings) as reader:
            yield Store(writer, reader)


@asynccontextmanager
async def emulated(url: str) -> AsyncIterator[Store]:
    """Open Cosmos DB in a new database of the npm emulator, with what it can't do at all made good."""
    async with mended(url) as address:
        settings = StoreSettings(
            cosmos_endpoint=address, cosmos_key=Secret(second.KEY), cosmos_database=f"d{uuid.uuid4().hex}"
        )
        await prepare(settings)
        async with CosmosWriter(settings) as writer, CosmosReader(settings) as reader:
            yield Store(writer, reader)


IMPLEMENTATIONS: dict[str, Callable[[Path], AbstractAsyncContextManager[Store]]] = {"sqlite": sqlite, "cosmos": cosmos}
