"""The API as it runs: the real service on a free port of 127.0.0.1, over a real store, in a folder of its own."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp

from agent.store.choose import open_writer
from api.service import ApiService
from ipc.environment import load
from ipc.life import Pulse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from agent.records import Scored, SetAside
    from ipc.messages import Cycle


class RunningApi:
    """One running API, a client of it, and the store behind it."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        # The process that is measured is the test's own, which may hold a model from another test.
        roomy = {"MEMORY_WARNING_MB": "8000", "MEMORY_LIMIT_MB": "9000"}
        self.settings = load({"SENTIMENTAGENT_HOME": str(folder), "API_PORT": "0", **roomy, **environ})
        for each in (self.settings.folders.state, self.settings.folders.run):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.pulse = Pulse("api")
        self.service = ApiService(self.settings, self.pulse)
        self.stop = asyncio.Event()
        self._client = aiohttp.ClientSession()

    @property
    def address(self) -> str:
        """Where it serves."""
        host, port = self.service.addresses[0]
        return f"http://{host}:{port}"

    async def get(self, path: str, *, status: int = 200, **headers: str) -> Any:  # noqa: ANN401 - JSON is anything
        """Return the JSON at a path below /api/v1, which must come with this status."""
        response = await self.ask("GET", f"/api/v1{path}", **headers)
        body = await response.json()
        assert response.status == status, (path, response.status, body)
        return body

    async def ask(self, method: str, path: str, **headers: str) -> aiohttp.ClientResponse:
        """Return the answer, read to its end. Header names are written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._client.request(method, self.address + path, headers=named) as response:
            await response.read()
            return response

    async def store(
        self, *scored: Scored, set_aside: tuple[SetAside, ...] = (), cycles: tuple[Cycle, ...] = ()
    ) -> None:
        """Write into the store, as the analyzer does."""
        async with open_writer(self.settings) as writer:
            await writer.write(scored, set_aside, cycles)

    async def close(self) -> None:
        """Close the client."""
        await self._client.close()


@asynccontextmanager
async def running_api(folder: Path, **environ: str) -> AsyncIterator[RunningApi]:
    """Run the API with these settings while inside."""
    api = RunningApi(folder, environ)
    async with AsyncExitStack() as open_:
        open_.push_async_callback(api.close)
        await open_.enter_async_context(api.service)
        tasks = await open_.enter_async_context(asyncio.TaskGroup())
        tasks.create_task(api.service.work(api.stop))
        open_.callback(api.stop.set)
        yield api
