"""A Cosmos DB account with what the store needs in it, and settings that lead there."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fakes.cosmos.server import FakeCosmos

from agent.store import cosmos_init
from agent.store.cosmos_client import CosmosDatabase
from ipc.settings import Secret, StoreSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def settings_for(cosmos: FakeCosmos, request_timeout_s: float = 10.0) -> StoreSettings:
    """Return the settings of a copy that uses this account."""
    return StoreSettings(
        cosmos_endpoint=cosmos.url,
        cosmos_key=Secret(cosmos.key),
        cosmos_request_timeout_s=request_timeout_s,
    )


async def prepare(settings: StoreSettings) -> None:
    """Do what ``sentimentagent store init`` does."""
    async with CosmosDatabase(settings) as database:
        await cosmos_init.create(database, await cosmos_init.plan(database, settings.cosmos_database))


@asynccontextmanager
async def account() -> AsyncIterator[FakeCosmos]:
    """Run an account with empty containers; nothing is counted of what that took."""
    async with FakeCosmos() as cosmos:
        await prepare(settings_for(cosmos))
        cosmos.meter.reset()
        yield cosmos
