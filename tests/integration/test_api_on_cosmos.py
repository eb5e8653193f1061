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

    from ipc.messages import Item


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


async def test_shifts_and_themes_are_told_from_the_account_too(short_path: Path) -> None:
    """The same calls, the same answers; they are kept for a while, because the account can't say whether it changed."""
    hour_utc = int(time.time()) // 3600 * 3600
    async with (
        account() as cosmos,
        running_api(short_path, COSMOS_ENDPOINT=cosmos.url, COSMOS_KEY=cosmos.key) as api,
    ):
        await api.store(
            *(
                scored(
                    _outage(f"{hour}x{index}", hour_utc - hour * 3600 - index - 1),
                    "negative" if hour < 4 else "positive",
                )
                for hour in range(8)
                for index in range(12)
            )
        )
        assert [theme["theme"] for theme in await api.get("/trending")] == ["login outage"]
        assert (await api.get("/sentiment/overview"))["all"]["net"] == 0
        shifts = (await api.get("/sentiment/shifts"))["shifts"]
        assert [shift["difference"] for shift in shifts] == [-2, -2]
        assert [len(shift["posts"]) for shift in shifts] == [5, 5]


def _outage(name: str, created_utc: int) -> Item:
    return item(f"t3_{name}", title="Login outage", content="", author=f"by {name}", created_utc=created_utc)


async def _until_well(api: RunningApi) -> None:
    async with asyncio.timeout(5):
        while (await api.ask("GET", "/api/v1/health")).status != 200:
            await asyncio.sleep(0.05)
