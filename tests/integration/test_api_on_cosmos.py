"""The API over Cosmos DB: the account goes away under it and comes back, and it never has to be restarted."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from fakes.cosmos.faults import Hang
from fakes.cosmos_store import account
from fakes.running_api import running_api
from fakes.stored import item, scored

if TYPE_CHECKING:
    from pathlib import Path

    from fakes.running_api import RunningApi


async def test_health_follows_the_account_away_and_back(short_path: Path) -> None:
    """503 with the reason at once when it is gone and within 3 s when it hangs; well again within 5 s of its return."""
    async with account() as cosmos:
        environ = {"COSMOS_ENDPOINT": cosmos.url, "COSMOS_KEY": cosmos.key}
        async with running_api(short_path, **environ) as api:
            now_utc = int(time.time())
            await api.store(scored(item("t3_a", created_utc=now_utc - 60, collected_utc=now_utc)))
            assert (await api.get("/sentiment/stats"))["statistics"]["total"] == 1
            await cosmos.stop()
            gone = await api.get("/health", status=503)
            assert "can't be reached" in gone["database"]["error"]
            await cosmos.start()
            await _until_well(api)
            cosmos.faults.inject(Hang(), times=None)
            began_s = time.monotonic()
            assert (await api.ask("GET", "/api/v1/health")).status == 503
            assert time.monotonic() - began_s < 3
            cosmos.faults.clear()
            await _until_well(api)
            assert (await api.get("/sentiment/stats"))["statistics"]["total"] == 1


async def _until_well(api: RunningApi) -> None:
    async with asyncio.timeout(5):
        while (await api.ask("GET", "/api/v1/health")).status != 200:
            await asyncio.sleep(0.05)
