"""GET /live and /ready of the running API: what each says while the database goes and while a restart comes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fakes.running_api import running_api

if TYPE_CHECKING:
    from pathlib import Path


async def test_an_api_with_its_database_lives_and_is_ready(short_path: Path) -> None:
    """Both in one word, for GET and HEAD."""
    async with running_api(short_path) as api:
        await api.store()
        assert await api.get("/live") == {"status": "live"}
        assert await api.get("/ready") == {"status": "ready"}
        assert (await api.ask("HEAD", "/api/v1/ready")).status == 200


async def test_without_a_database_it_lives_and_is_not_ready(short_path: Path) -> None:
    """A restart would mend nothing; who asks without a token learns no path and no address."""
    async with running_api(short_path) as api:
        assert await api.get("/live") == {"status": "live"}
        told = await api.get("/ready", status=503)
        assert told == {"detail": "The database does not answer.", "error": "store_unavailable"}


async def test_it_is_ready_soon_after_the_database_is(short_path: Path) -> None:
    """What is remembered of the database is a second old at most, and never an answer of before."""
    async with running_api(short_path) as api:
        await api.get("/ready", status=503)
        await api.store()
        async with asyncio.timeout(5):
            while (await api.ask("GET", "/api/v1/ready")).status != 200:
                await asyncio.sleep(0.05)


async def test_before_a_restart_it_lives_and_is_not_ready(short_path: Path) -> None:
    """A load balancer sends the next request elsewhere; nobody kills what is about to end by itself."""
    async with running_api(short_path) as api:
        await api.store()
        api.pulse.intake.close("draining", 30)
        assert await api.get("/live") == {"status": "live"}
        assert (await api.get("/ready", status=503))["error"] == "restarting"
        api.pulse.intake.open()
        assert await api.get("/ready") == {"status": "ready"}
        api.pulse.state = "draining"
        assert (await api.get("/ready", status=503))["error"] == "restarting"
