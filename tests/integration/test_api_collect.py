"""POST /admin/collect through real connections: who may, what the collector says, and what if it is away."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import web
from fakes.passage import behind_passage
from fakes.processes import FakeCollector
from fakes.running_api import RunningApi, running_api

from api.admin import AdminRoutes
from ipc.settings import ApiSettings, Secret

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PATH = "/api/v1/admin/collect"
TOKEN = "a-token-of-the-operator"  # noqa: S105 - of a test


@pytest.fixture
async def collector(short_path: Path) -> AsyncIterator[FakeCollector]:
    """Return a collector that stands at its door."""
    run = short_path / "run"
    run.mkdir(mode=0o700)
    async with FakeCollector().at(run / "collector.sock") as standing:
        yield standing


@pytest.fixture
async def api(short_path: Path, collector: FakeCollector) -> AsyncIterator[RunningApi]:
    """Return an API without a token, beside a collector."""
    assert collector.asked == 0
    async with running_api(short_path) as running:
        yield running


async def test_the_runbooks_bare_curl_begins_a_cycle(api: RunningApi, collector: FakeCollector) -> None:
    """From this machine no token is needed; the answer comes at once and names the cycle."""
    response = await api.ask("POST", PATH)
    assert response.status == 200
    body = await response.json()
    assert body.pop("timestamp").endswith("Z")
    assert body == {
        "status": "triggered",
        "message": "A collection cycle has begun.",
        "cycle_id": "c8",
        "started": True,
    }
    assert collector.asked == 1


async def test_a_cycle_that_is_running_answers_for_the_next(api: RunningApi, collector: FakeCollector) -> None:
    """No second one is begun, and the caller learns that; it is triggered all the same."""
    collector.is_running = True
    body = await (await api.ask("POST", PATH)).json()
    assert (body["status"], body["started"], body["cycle_id"]) == ("triggered", False, "c7")
    assert "already running" in body["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Forwarded_For": "192.0.2.7"},
        {"Forwarded": "for=192.0.2.7"},
        {"Via": "1.1 proxy"},
        {"X_Real_IP": "127.0.0.1"},
        {"Host": "evil.example"},
        {"Origin": "http://evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
    ],
)
async def test_each_broken_condition_closes_the_door(
    short_path: Path, collector: FakeCollector, headers: dict[str, str]
) -> None:
    """Without a token configured 503 says how to get in; with one, 401 until it is right."""
    async with running_api(short_path) as api:
        response = await api.ask("POST", PATH, **headers)
        body = await response.json()
        assert (response.status, body["error"]) == (503, "no_token_configured")
        assert "ADMIN_TOKEN" in body["detail"]
    async with running_api(short_path, ADMIN_TOKEN=TOKEN) as api:
        for wrong in ({}, {"X_Admin_Token": ""}, {"X_Admin_Token": TOKEN[:-1]}, {"X_Admin_Token": f"{TOKEN} x"}):
            response = await api.ask("POST", PATH, **headers, **wrong)
            assert (response.status, (await response.json())["error"]) == (401, "wrong_token")
        assert collector.asked == 0
        response = await api.ask("POST", PATH, **headers, X_Admin_Token=TOKEN)
        assert response.status == 200
        assert collector.asked == 1


async def test_a_peer_that_is_not_loopback_needs_the_token(short_path: Path, collector: FakeCollector) -> None:
    """A connection that came over a Unix socket has no loopback address: its Host alone opens nothing."""
    endpoints = AdminRoutes(short_path / "run" / "collector.sock").endpoints()
    runner = web.AppRunner(behind_passage(endpoints, ApiSettings(admin_token=Secret(TOKEN))))
    await runner.setup()
    await web.UnixSite(runner, short_path / "http.sock").start()
    connector = aiohttp.UnixConnector(str(short_path / "http.sock"))
    async with aiohttp.ClientSession(connector=connector) as client:
        async with client.post(f"http://localhost{PATH}") as response:
            assert response.status == 401
        async with client.post(f"http://localhost{PATH}", headers={"X-Admin-Token": TOKEN}) as response:
            assert response.status == 200
    await runner.cleanup()
    assert collector.asked == 1


async def test_a_token_of_strange_bytes_is_a_wrong_one(short_path: Path, collector: FakeCollector) -> None:
    """What no text encodes is compared like any other token, and answered like any wrong one."""
    async with running_api(short_path, ADMIN_TOKEN=TOKEN) as api:
        reader, writer = await asyncio.open_connection(*api.service.addresses[0])
        writer.write(f"POST {PATH} HTTP/1.1\r\nHost: evil.example\r\nX-Admin-Token: ".encode() + b"\xff\xfe\r\n\r\n")
        async with asyncio.timeout(5):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 401")
        writer.close()
        assert collector.asked == 0


async def test_without_a_collector_nothing_is_triggered_and_that_is_told(short_path: Path) -> None:
    """503 at once, in words: no cycle was begun."""
    async with running_api(short_path) as api:
        began_s = time.monotonic()
        response = await api.ask("POST", PATH)
        assert time.monotonic() - began_s < 1
        body = await response.json()
        assert (response.status, body["error"]) == (503, "collector_unavailable")
        assert body["detail"].startswith("The collector does not answer, so no cycle was begun")
