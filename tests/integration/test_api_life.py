"""The API as a process: its start, many clients, its stop, and the sentences of what can be wrong with its address."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING

import aiohttp
import pytest
from fakes.running_api import running_api
from fakes.stored import item, scored

from api.service import ApiService
from ipc.environment import load
from ipc.errors import SettingsError
from ipc.life import Pulse

if TYPE_CHECKING:
    from pathlib import Path


async def test_fifty_clients_at_once_are_all_answered(short_path: Path) -> None:
    """Each asks for everything while items are written: every answer is a 200, and beats count the work."""
    now = int(time.time())
    paths = ("/health", "/sentiment/stats", "/sentiment/trends", "/posts/recent?limit=50", "/subreddits", "/posts/0")
    async with running_api(short_path) as api:
        await api.store(*(scored(item(f"t3_{n}", created_utc=now - n)) for n in range(200)))
        before = api.pulse.progress

        async def client() -> None:
            for path in paths:
                await api.get(path)

        async def writer() -> None:
            for n in range(10):
                await api.store(scored(item(f"t3_later{n}", created_utc=now)))

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(writer())
            for _ in range(50):
                tasks.create_task(client())
        assert api.pulse.progress - before == 50 * len(paths)
        assert (await api.get("/sentiment/stats"))["statistics"]["total"] == 210


async def test_a_taken_port_is_one_sentence(short_path: Path) -> None:
    """The settings are what the operator can change, so that is what the error is."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"127\.0\.0\.1:{port} .* is taken by another process"):
            await _open(short_path, API_PORT=str(port))


async def test_an_address_of_another_machine_is_one_sentence(short_path: Path) -> None:
    """192.0.2.0/24 is for documentation (RFC 5737): no machine has it."""
    with pytest.raises(SettingsError, match=r"192\.0\.2\.1:0 .* is no address of this machine"):
        await _open(short_path, API_PORT="0", API_HOST="192.0.2.1", API_PUBLIC_READ="yes")


async def test_the_process_is_up_soon_and_stops_when_it_is_told(short_path: Path) -> None:
    """The console script's own life: the first answer within two seconds, exit 0 on SIGTERM with clients connected."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environ = os.environ | {"SENTIMENTAGENT_HOME": str(short_path), "API_PORT": str(port)}
    began_s = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from api.main import main; main()", env=environ, stdout=asyncio.subprocess.PIPE
    )
    async with aiohttp.ClientSession() as client:
        status = await _first_answer(client, f"http://127.0.0.1:{port}/api/v1/health")
        assert time.monotonic() - began_s < 4  # two seconds on a machine that has nothing else to do
        assert status == 503  # no analyzer has made a database here
        process.send_signal(signal.SIGTERM)
        output, _ = await asyncio.wait_for(process.communicate(), 5)
    assert process.returncode == 0
    assert b"event=Serving" in output
    assert output.rstrip().endswith(b"event=Stopped")


async def test_the_process_exits_78_when_its_port_is_taken(short_path: Path) -> None:
    """EX_CONFIG, so that supervisord does not start it over and over, and one line that says why."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        environ = os.environ | {"SENTIMENTAGENT_HOME": str(short_path), "API_PORT": str(port)}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "from api.main import main; main()", env=environ, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 78
    assert len(output.splitlines()) == 1
    assert b"is taken by another process" in output


async def _open(folder: Path, **environ: str) -> None:
    async with ApiService(load({"SENTIMENTAGENT_HOME": str(folder), **environ}), Pulse("api")):
        pass


async def _first_answer(client: aiohttp.ClientSession, url: str) -> int:
    async with asyncio.timeout(10):
        while True:
            try:
                async with client.get(url) as response:
                    return response.status
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.02)
