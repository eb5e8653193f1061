"""Connections to the API: how many there may be, and for how long one may neither ask nor take what it is told.

aiohttp bounds how long a connection may be idle. That a request comes in drops, that an answer is never taken, and how
many connections there are is bounded here.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiohttp import web

from api.errors import Problem
from ipc.addresses import is_loopback

if TYPE_CHECKING:
    from ipc.settings import ApiSettings

#: What loopback addresses have beyond the bound: the operator must get in while strangers hold all the rest.
RESERVE: Final = 64
#: How long a connection that was refused may take to read why. Chosen, not measured.
_FAREWELL_S: Final = 1.0


def _full() -> bytes:
    body = msgspec.json.encode(Problem("All connections are taken (API_MAX_CONNECTIONS).", "too_many_connections"))
    head = (
        f"HTTP/1.1 503 {HTTPStatus.SERVICE_UNAVAILABLE.phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nRetry-After: 5\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


_FULL: Final = _full()


async def listen(server: web.Server, settings: ApiSettings, **options: Any) -> asyncio.Server:  # noqa: ANN401 - aiohttp's
    """Listen for connections, which ``server`` then has; ``options`` are those of aiohttp for each.

    Raises:
        OSError: the address can't be had.

    """

    def connection() -> Connection:
        return Connection(server, settings.api_request_timeout_s, settings.api_max_connections, **options)

    loop = asyncio.get_running_loop()
    listener = await loop.create_server(connection, settings.api_host, settings.api_port)
    if sys.platform == "linux":
        # tcp(7): what is sent and not taken for so long ends the connection. Each accepted one inherits it.
        for each in listener.sockets:
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(settings.api_request_timeout_s * 1000))
    return listener


class Connection(web.RequestHandler):
    """A connection that is refused when there are ``most`` of them, and closed when no request comes in time."""

    def __init__(self, server: web.Server, limit_s: float, most: int, **options: Any) -> None:  # noqa: ANN401 - aiohttp's
        super().__init__(server, loop=asyncio.get_running_loop(), **options)
        self._server = server
        self._limit_s = limit_s
        self._most = most
        self._overdue: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first request, unless all connections are taken."""
        peer = transport.get_extra_info("peername")
        is_near = isinstance(peer, tuple) and is_loopback(str(peer[0]))
        if len(self._server.connections) >= self._most + (RESERVE if is_near else 0):
            self._refuse(transport)
            return
        super().connection_made(transport)
        self._overdue = asyncio.get_running_loop().call_later(self._limit_s, self.force_close)

    def _refuse(self, transport: asyncio.BaseTransport) -> None:
        self.force_close()  # what it still sends is dropped unread by the parser
        if isinstance(transport, asyncio.WriteTransport):
            transport.write(_FULL)
            transport.write_eof()
        self._overdue = asyncio.get_running_loop().call_later(_FAREWELL_S, transport.close)

    def arrived(self) -> None:
        """Note that a whole head of a request has come: from now on aiohttp's own limit of idleness counts."""
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None

    def connection_lost(self, exc: BaseException | None) -> None:
        """End waiting."""
        self.arrived()
        super().connection_lost(exc)


def arrived(request: web.Request) -> None:
    """Note that this request has come."""
    if isinstance(request.protocol, Connection):
        request.protocol.arrived()
