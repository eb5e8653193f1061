"""The real SDK's client, set as it is for the service, at a fake or an emulator."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from azure.cosmos import PartitionKey
from azure.cosmos.aio import CosmosClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from azure.cosmos.aio import ContainerProxy

#: The SDK's own settings wait for minutes.
TUNED: Final[dict[str, Any]] = {
    "connection_timeout": 2,
    "read_timeout": 4,
    "retry_total": 1,
    "retry_read": 0,
    "retry_connect": 1,
    "retry_backoff_max": 1,
    "retry_throttle_total": 3,
    "retry_throttle_backoff_max": 5,
}


@asynccontextmanager
async def client(url: str, key: str, enter_s: float = 5.0, **changed: object) -> AsyncIterator[CosmosClient]:
    """Open a client; it is closed even if entering fails, which the SDK leaves to the caller."""
    opened = CosmosClient(url, key, **TUNED | changed)
    try:
        async with asyncio.timeout(enter_s):
            await opened.__aenter__()
        yield opened
    finally:
        await opened.close()


async def container(opened: CosmosClient, name: str = "items", **settings: object) -> ContainerProxy:
    """Return a container with the partition key ``/pk``, made if it is missing."""
    database = await opened.create_database_if_not_exists("sentiment")
    made: Any = database.create_container_if_not_exists
    proxy: ContainerProxy = await made(name, PartitionKey("/pk"), **settings)
    return proxy
