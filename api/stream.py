"""One client that listens to the feed, and all of them: who is there, and who had to leave.

A stream begins when the answer of its request is through all middleware, in the place where other answers send their
body. So it is no request in hand for whoever counts, times or bounds requests, and holds up neither a drain nor a stop.

Backpressure: a client that takes nothing keeps what the kernel and the server buffer for it, some 200 kB, and is
dropped :data:`SLOW_S` after they are full. Nobody waits for it.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from aiohttp import web

from ipc import logs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.feed import Feed

_log = logs.log(__name__)

#: A comment follows so much silence, so that both sides and all proxies between see that the connection is alive.
HEARTBEAT_S: Final = 15.0
#: How long a full buffer may stay full. Chosen, not measured.
SLOW_S: Final = 10.0
#: What a client should wait before it comes back, in ms. Chosen: a restart of the API takes a second.
RETRY_MS: Final = 3000
#: The same for one that found no room.
RETRY_FULL_S: Final = 30
#: What the kernel may hold of a stream (it takes the double), instead of megabytes. Chosen: ten minutes of events.
_SEND_BUFFER_BYTES: Final = 64 * 1024

_HEADERS: Final = {
    # Asks nginx not to collect the stream before it passes it on.
    "X-Accel-Buffering": "no",
    "Cache-Control": "no-store",
}
_HEARTBEAT: Final = b": still here\n\n"
_FULL: Final = f"retry: {RETRY_FULL_S * 1000}\n: too many listen; come back later\n\n".encode()
_END: Final = b": the API ends, come back\n\n"


class Clients:
    """All streams that are open."""

    def __init__(self, feed: Feed, most: int) -> None:
        #: What they listen to.
        self.feed = feed
        self.most = most
        self.heartbeat_s = HEARTBEAT_S
        self.slow_s = SLOW_S
        self._streams: set[EventStream] = set()
        #: Those that took nothing for too long, and those that came when it was full.
        self.dropped = 0
        self.refused = 0

    def __len__(self) -> int:
        return len(self._streams)

    @property
    def is_full(self) -> bool:
        """Whether nobody else can listen."""
        return len(self._streams) >= self.most

    @property
    def has_gone(self) -> bool:
        """Whether anybody's connection has ended, whose stream does not know it yet."""
        return any(stream.is_gone for stream in self._streams)

    @contextmanager
    def listening(self, stream: EventStream) -> Iterator[None]:
        """Count a stream while inside."""
        self._streams.add(stream)
        try:
            yield
        finally:
            self._streams.discard(stream)


class EventStream(web.StreamResponse):
    """The answer to a client: ``first``, then what is told behind ``place``, until one of both sides ends."""

    def __init__(self, request: web.Request, clients: Clients, place: int, first: bytes) -> None:
        super().__init__(headers=_HEADERS)
        self.content_type = "text/event-stream"
        self.charset = "utf-8"
        self.force_close()  # nothing can follow a stream
        self._request = request
        self._feed = clients.feed
        self._clients = clients
        self._place = place
        self._first = first

    @property
    def is_gone(self) -> bool:
        """Whether the client's connection has ended."""
        return self._request.transport is None or self._request.transport.is_closing()

    async def write_eof(self, data: bytes = b"") -> None:
        """Stream to the end, then end the answer. aiohttp calls it once the headers are sent."""
        if self._request.method != "HEAD":
            if self._clients.is_full:  # others came while this one was on its way
                self._clients.refused += 1
                await self.write(_FULL)
            else:
                with self._clients.listening(self):
                    await self._stream()
        await super().write_eof(data)

    async def _stream(self) -> None:
        self._bound_kernel_buffer()
        await self._send(f"retry: {RETRY_MS}\n".encode() + self._first)
        while not self._feed.is_closed:
            if not await self._feed.news(self._place, self._clients.heartbeat_s):
                await self._send(_HEARTBEAT)
            if self.is_gone:
                raise ConnectionResetError("the client has gone")
            events, self._place = self._feed.after(self._place), self._feed.newest
            if events is None:
                self._drop("its events have left the ring")
            elif events:
                await self._send(events)
        await self._send(_END)

    async def _send(self, text: bytes) -> None:
        """Send; wait while the buffers are full, and no longer than ``slow_s``."""
        try:
            async with asyncio.timeout(self._clients.slow_s):
                await self.write(text)
        except TimeoutError:
            self._drop(f"it took nothing for {self._clients.slow_s:g} s")

    def _drop(self, reason: str) -> None:
        self._clients.dropped += 1
        _log.info("Client of events dropped", peer=self._request.remote, reason=reason)
        if self._request.transport is not None:
            self._request.transport.abort()
        raise ConnectionResetError(reason)

    def _bound_kernel_buffer(self) -> None:
        transport = self._request.transport
        if transport is not None and (connection := transport.get_extra_info("socket")) is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
