"""Bounds of the running API in number and time: connections, requests that do not come, answers that nobody takes."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import psutil
import pytest
from aiohttp import web
from fakes.passage import behind_passage
from fakes.running_api import RunningApi, running_api
from fakes.stored import item, scored

from api.connections import RESERVE
from api.endpoint import Endpoint
from ipc.settings import ApiSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

HEAD = b"GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\n"


async def connected(api: RunningApi, stack: AsyncExitStack) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a connection that is closed with the stack."""
    reader, writer = await asyncio.open_connection(*api.service.addresses[0])
    stack.callback(writer.close)
    return reader, writer


async def test_connections_are_bounded_and_the_next_one_is_told_why(short_path: Path) -> None:
    """A 503 in HTTP without a request; a connection that ends makes room for another."""
    async with running_api(short_path, API_MAX_CONNECTIONS="2") as api, AsyncExitStack() as stack, asyncio.timeout(5):
        held = [await connected(api, stack) for _ in range(2 + RESERVE)]
        for reader, writer in held:
            writer.write(HEAD + b"\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        reader, writer = await connected(api, stack)
        writer.write(HEAD + b"\r\n")
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b"Retry-After: 5\r\n" in answer
        assert answer.endswith(b'"error":"too_many_connections"}')
        held[0][1].close()
        while not await _answers(api):
            await asyncio.sleep(0.01)


async def _answers(api: RunningApi) -> bool:
    reader, writer = await asyncio.open_connection(*api.service.addresses[0])
    try:
        writer.write(HEAD + b"Connection: close\r\n\r\n")
        return (await reader.read()).startswith(b"HTTP/1.1 200")
    finally:
        writer.close()


@pytest.mark.parametrize("sent", [b"", HEAD, b"G"])
async def test_a_request_that_comes_in_drops_is_not_waited_for(short_path: Path, sent: bytes) -> None:
    """Nothing, or a head without its end: the connection is closed in time, however often a byte comes."""
    async with running_api(short_path, API_REQUEST_TIMEOUT_S="0.3") as api, AsyncExitStack() as stack:
        reader, writer = await connected(api, stack)
        began_s = time.monotonic()
        writer.write(sent)
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        assert 0.2 < time.monotonic() - began_s < 2


async def test_a_connection_that_has_asked_is_kept(short_path: Path) -> None:
    """A page asks again over the same one, later than a first request must come."""
    async with running_api(short_path, API_REQUEST_TIMEOUT_S="0.2") as api, AsyncExitStack() as stack:
        reader, writer = await connected(api, stack)
        for _ in range(2):
            writer.write(HEAD + b"\r\n")
            async with asyncio.timeout(5):
                assert (await reader.readline()).startswith(b"HTTP/1.1 200")
                await reader.readuntil(b"}")
            await asyncio.sleep(0.4)  # twice the limit: what is tested is that nothing happens


async def test_an_answer_that_nobody_takes_ends_its_connection(short_path: Path) -> None:
    """The kernel gives up on a client whose window stays shut, and the API's end of the connection is gone."""
    async with running_api(short_path, API_REQUEST_TIMEOUT_S="0.5") as api:
        now = int(time.time())
        await api.store(*(scored(item(f"t3_{n}", created_utc=now - n, content="x" * 20_000)) for n in range(500)))
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(api.service.addresses[0])
            deaf.sendall(b"GET /api/v1/posts/recent?limit=500 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            async with asyncio.timeout(20):
                while not _is_held(deaf):
                    await asyncio.sleep(0.01)
                while _is_held(deaf):
                    await asyncio.sleep(0.1)


def _is_held(client: socket.socket) -> bool:
    """Tell whether the API, which is this process, still has its end of the client's connection."""
    return any(each.raddr == client.getsockname() for each in psutil.Process().net_connections("tcp"))


@pytest.fixture
async def slow() -> AsyncIterator[str]:
    """Return the address of an application with an answer that does not come, and one that goes on."""

    async def never(_request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(4):
            await response.write(b"x")
            await asyncio.sleep(0.1)
        return response

    async def unscoped(_request: web.Request) -> web.Response:
        return web.Response()

    endpoints = [
        Endpoint(path="/never", handler=never, summary="-"),
        Endpoint(path="/stream", handler=stream, summary="-", is_stream=True),
    ]
    application = behind_passage(endpoints, ApiSettings(api_request_timeout_s=0.2))
    application.router.add_get("/unscoped", unscoped)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield "{}:{}".format(*runner.addresses[0])
    await runner.cleanup()


async def _get(address: str, path: str, host: str = "localhost") -> bytes:
    reader, writer = await asyncio.open_connection(*address.split(":"))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    try:
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()


async def test_an_answer_that_does_not_come_is_a_503_in_time(slow: str) -> None:
    """With a Retry-After; its handler is cancelled."""
    answer = await _get(slow, "/never")
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"Retry-After" in answer
    assert b'"error":"timed_out"' in answer


async def test_a_stream_goes_on(slow: str) -> None:
    """Beyond the time of other answers."""
    answer = await _get(slow, "/stream")
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.count(b"\r\nx\r\n") == 4


async def test_a_route_without_a_scope_is_shut(slow: str) -> None:
    """Whoever adds one without an endpoint has opened nothing to strangers."""
    assert (await _get(slow, "/unscoped", "evil.example")).startswith(b"HTTP/1.1 503")
    assert (await _get(slow, "/nothing", "evil.example")).startswith(b"HTTP/1.1 404")
