"""A client of server-sent events, which reads as a browser's does."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp
import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Event(NamedTuple):
    """One event, or a comment under the kind ``:``."""

    kind: str
    id: str
    body: Any


class Listener:
    """An open stream."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        #: What a client should wait before it comes back.
        self.retry_ms: int | None = None

    async def next(self, kind: str | None = None, within_s: float = 5) -> Event:
        """Return the next event, or the next of a kind. Raises EOFError at the end of the stream."""
        async with asyncio.timeout(within_s):
            while True:
                event = await self._one()
                if kind is None or event.kind == kind:
                    return event

    async def rest(self, within_s: float = 5) -> list[Event]:
        """Return all events up to the end of the stream."""
        found: list[Event] = []
        try:
            while True:
                found.append(await self.next(within_s=within_s))
        except EOFError:
            return found

    async def _one(self) -> Event:
        fields: dict[str, str] = {}
        while line := await self.response.content.readline():
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if not name and not value:
                if not line.startswith(b":") and "data" in fields:
                    return Event(fields["event"], fields.get("id", ""), msgspec.json.decode(fields["data"]))
            elif line.startswith(b":"):
                return Event(":", "", line.decode()[1:].strip())
            elif name == "retry":
                self.retry_ms = int(value)
            else:
                fields[name] = value
        raise EOFError


@asynccontextmanager
async def listening(address: str, query: str = "", **headers: str) -> AsyncIterator[Listener]:
    """Listen to the API at ``address`` while inside."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    limit = aiohttp.ClientTimeout(total=None)
    async with (
        aiohttp.ClientSession(timeout=limit) as session,
        session.get(f"{address}/api/v1/events{query}", headers=named) as response,
    ):
        yield Listener(response)
