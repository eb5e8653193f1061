"""GET /live and /ready of the running API: what each says while the database goes and while a restart comes."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from fakes.running_api import running_api

from api.errors import Refused
from api.probes import READY, ProbeRoutes

if TYPE_CHECKING:
    from pathlib import Path

    from aiohttp import web

    from agent.store.protocol import Reading
    from ipc.life import Pulse


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


class _Hanging:
    """A store that never answers, and counts how often it is asked."""

    asked = 0

    async def contents(self) -> None:
        self.asked += 1
        await asyncio.Event().wait()

    async def collections(self, _now_utc: float) -> None:
        await asyncio.Event().wait()


async def test_a_store_that_hangs_is_asked_once_for_all_probes() -> None:
    """Whoever may ask without a token must not make it work: not those at the same time, nor the one right after."""
    store, pulse = _Hanging(), SimpleNamespace(state="ready", intake=SimpleNamespace(closed=None))
    endpoints = ProbeRoutes(cast("Reading", store), cast("Pulse", pulse)).endpoints()
    ready = next(each.handler for each in endpoints if each.path == READY)
    request = cast("web.Request", None)
    told = await asyncio.gather(*(ready(request) for _ in range(5)), return_exceptions=True)
    with pytest.raises(Refused):
        await ready(request)
    assert all(isinstance(each, Refused) for each in told)
    assert store.asked == 1
