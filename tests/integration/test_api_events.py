"""Events with real clients: what they are told, what one that comes back missed, what becomes of one that is slow."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from fakes.listener import listening
from fakes.processes import FakeWatchdog, process_report, status_report
from fakes.running_api import RunningApi, running_api
from fakes.stored import item, scored

from agent.store.choose import open_writer
from api.observer import HealthChanged
from ipc.environment import load
from ipc.messages import Incident

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def watchdog(short_path: Path) -> AsyncIterator[FakeWatchdog]:
    """Return a watchdog that stands at its door before the API begins."""
    run = short_path / "run"
    run.mkdir(mode=0o700)
    async with FakeWatchdog().at(run / "watchdog.sock") as standing:
        yield standing


@pytest.fixture
async def api(short_path: Path, watchdog: FakeWatchdog) -> AsyncIterator[RunningApi]:
    """Return an API with an item, which has heard of the watchdog and looked once."""
    (short_path / "state").mkdir(mode=0o700)
    async with open_writer(load({"SENTIMENTAGENT_HOME": str(short_path)})) as writer:
        await writer.write([scored(item(created_utc=int(time.time()) - 90))], [], [])
    async with running_api(short_path, BEAT_INTERVAL_S="0.1", API_EVENT_CLIENTS="3") as running:
        async with asyncio.timeout(5):
            while not watchdog.asked or (await metric(running, "sentimentagent_events_total")) < 3:
                await asyncio.sleep(0.02)
        yield running


async def metric(api: RunningApi, name: str) -> float:
    """Return the sum of a metric's lines; 0 where it has none. What is told is a tenth of a second old at most."""
    response = await api.ask("GET", "/metrics")
    lines = (await response.text()).splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


async def until(api: RunningApi, name: str, value: float) -> None:
    """Wait until a metric has a value, for five seconds."""
    async with asyncio.timeout(5):
        while await metric(api, name) != value:
            await asyncio.sleep(0.02)


def large(nth: int) -> HealthChanged:
    """Return something to tell of 100 kB."""
    words = ["x" * 100_000]
    return HealthChanged(timestamp=datetime.now(UTC), status="healthy", reasons=(str(nth),), notes=words)


async def test_a_client_is_told_how_things_are_and_then_what_changes(api: RunningApi) -> None:
    """Hello with the last of each kind; then an item comes, and the count with it."""
    async with listening(api.address) as listener:
        headers = listener.response.headers
        assert headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        hello = await listener.next()
        assert (hello.kind, listener.retry_ms) == ("hello", 3000)
        assert not hello.body["is_resumed"]
        assert hello.body["heartbeat_s"] == 15
        assert hello.body["version"]
        assert hello.body["data"]["items"] == 1
        assert hello.body["data"]["source"] == "reddit"
        assert hello.body["health"]["status"] == "healthy"
        assert hello.body["system"]["processes"]["collector"]["pid"] == 4242
        await api.store(scored(item("t3_b", created_utc=int(time.time()))))
        told = await listener.next("data")
        assert told.body["items"] == 2
        assert told.body["newest_collected_at"].endswith("Z")
        assert told.id > hello.id


async def test_a_process_that_is_down_is_told_at_once(api: RunningApi, watchdog: FakeWatchdog) -> None:
    """As health, with its reason, and as the system's; figures that only move are no news."""
    async with listening(api.address) as listener:
        await listener.next("hello")
        stopped = process_report("collector", supervisor_state="STOPPED", beat=None, verdict="stopped", pid=None)
        incident = Incident(
            id="i1", process="collector", kind="crashed", opened_utc=1.0, closed_utc=None, reason="r", action="a"
        )
        watchdog.report = status_report(stopped, incidents=(incident,))
        health, system = await listener.next("health"), await listener.next("system")
        assert health.body["status"] == "degraded"
        assert health.body["reasons"] == ["collector is down (STOPPED)"]
        assert system.body["incidents_open"] == 1
        assert system.body["processes"]["collector"]["verdict"] == "stopped"
        watchdog.report = status_report(
            stopped, process_report("analyzer", memory_mb=90.0, uptime_s=62.0), incidents=(incident,)
        )
        with pytest.raises(TimeoutError):
            await listener.next(within_s=0.5)


async def test_a_client_that_comes_back_gets_what_it_missed(api: RunningApi) -> None:
    """By the id of the last event that it saw: as a header, which browsers send, or as a parameter."""
    async with listening(api.address) as first:
        seen = (await first.next("hello")).id
    await api.store(scored(item("t3_b", created_utc=int(time.time()))))
    async with listening(api.address) as other:
        await other.next("data")
    for query, headers in (("", {"Last_Event_ID": seen}), (f"?last_event_id={seen}", {})):
        async with listening(api.address, query, **headers) as again:
            hello = await again.next()
            assert (hello.body["is_resumed"], hello.body["data"]) == (True, None)
            assert (await again.next("data")).body["items"] == 2


@pytest.mark.parametrize("last_id", ["00000000-1", "nonsense", "\N{LATIN SMALL LETTER U WITH DIAERESIS}-1"])
async def test_a_client_of_another_life_begins_anew(api: RunningApi, last_id: str) -> None:
    """It is told so, and how things are."""
    async with listening(api.address, Last_Event_ID=last_id) as again:
        hello = await again.next()
        assert not hello.body["is_resumed"]
        assert hello.body["data"]["items"] == 1


async def test_a_quiet_stream_has_heartbeats(api: RunningApi) -> None:
    """A comment, which no client takes for an event."""
    api.service.observer.clients.heartbeat_s = 0.05
    async with listening(api.address) as listener:
        await listener.next("hello")
        assert (await listener.next(":")).body == "still here"


async def test_a_lost_database_is_told_and_its_return_too(api: RunningApi, short_path: Path) -> None:
    """Nobody looks at a page that says nothing about it."""
    store = short_path / "state" / "sentiment.db"
    async with listening(api.address) as listener:
        await listener.next("hello")
        hidden = [(path, path.with_name(f"hidden-{path.name}")) for path in store.parent.glob("sentiment.db*")]
        for path, away in hidden:
            path.rename(away)
        lost = await listener.next("health", within_s=10)
        assert lost.body["status"] == "unhealthy"
        assert lost.body["reasons"][0].startswith("the store does not answer")
        for path, away in hidden:
            away.rename(path)
        assert (await listener.next("health", within_s=10)).body["status"] == "healthy"


async def test_no_more_clients_than_allowed(api: RunningApi) -> None:
    """The fourth of three is told so with a 503; when one has left there is room again."""
    async with AsyncExitStack() as open_:
        one = await open_.enter_async_context(listening(api.address))
        for listener in [one, *[await open_.enter_async_context(listening(api.address)) for _ in range(2)]]:
            await listener.next("hello")
        await until(api, "sentimentagent_event_clients", 3)
        refused: dict[str, Any] = await api.get("/events", status=503)
        assert refused["error"] == "too_many_clients"
        await until(api, "sentimentagent_event_clients_refused_total", 1)
        one.response.close()
        await until(api, "sentimentagent_event_clients", 2)
        async with listening(api.address) as another:
            await another.next("hello")
    await until(api, "sentimentagent_event_clients", 0)
    assert await metric(api, "sentimentagent_event_clients_dropped_total") == 0


async def test_a_slow_client_is_dropped_and_costs_the_others_nothing(api: RunningApi) -> None:
    """One takes nothing while 20 MB are told: it loses its connection, is counted, and the other has all of it."""
    api.service.observer.clients.slow_s = 0.3
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(slow, api.service.addresses[0])
    await loop.sock_sendall(slow, b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    async with listening(api.address) as quick:
        await quick.next("hello")
        await until(api, "sentimentagent_event_clients", 2)
        feed = api.service.observer.feed
        for nth in range(200):
            feed.tell("health", large(nth))
            assert (await quick.next("health")).body["reasons"] == [str(nth)]
        await until(api, "sentimentagent_event_clients_dropped_total", 1)
        await until(api, "sentimentagent_event_clients", 1)
    slow.close()


async def test_a_stop_ends_streams_and_waits_for_none(short_path: Path) -> None:
    """A page that is open all day must not cost a restart its grace."""
    async with AsyncExitStack() as outer:
        async with running_api(short_path) as api:
            listener = await outer.enter_async_context(listening(api.address))
            await listener.next("hello")
            began_s = time.monotonic()
        assert time.monotonic() - began_s < 1
        assert (await listener.rest())[-1].body == "the API ends, come back"


async def test_a_stream_is_no_request_in_hand_for_a_drain(api: RunningApi) -> None:
    """A drained restart waits for answers, not for readers; and its counts agree."""
    async with listening(api.address) as listener:
        await listener.next("hello")
        intake = api.pulse.intake
        assert await intake.idle_within(1)
        assert intake.items_in == intake.items_out
        intake.close("draining", 5)
        assert (await api.get("/events", status=503))["error"] == "restarting"
        intake.open()


async def test_a_stream_counts_as_one_short_request(api: RunningApi) -> None:
    """Were it timed to its end, every reader would make the API look slow."""
    async with listening(api.address) as listener:
        await listener.next("hello")
        await until(api, 'sentimentagent_http_request_seconds_count{route="/api/v1/events"}', 1)


async def test_a_head_tells_the_headers_alone(api: RunningApi) -> None:
    """And does not stay."""
    async with asyncio.timeout(2):
        response = await api.ask("HEAD", "/api/v1/events")
    assert response.status == 200
    assert response.content_type == "text/event-stream"


async def test_an_overlong_id_is_refused(api: RunningApi) -> None:
    """As any parameter out of its range."""
    assert (await api.get(f"/events?last_event_id={'1' * 101}", status=422))["error"] == "wrong_parameter"
