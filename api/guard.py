"""What every request passes before its handler: who it is, how often, whether it may; and how long a handler may take.

The one place where an endpoint's scope and its bounds are held. Preflights do not come this far: they carry no token.
"""

from __future__ import annotations

import asyncio
import math
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from api.access import Access
from api.connections import arrived
from api.errors import Refused
from api.limits import Buckets
from ipc import logs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp.typedefs import Handler, Middleware

    from api.endpoint import Endpoint, Scope
    from ipc.settings import ApiSettings

_log = logs.log(__name__)


class Guard:
    """Who stands at the door, by the settings."""

    def __init__(self, settings: ApiSettings) -> None:
        self._access = Access(settings)
        self._buckets = Buckets(settings.api_rate_per_second, settings.api_rate_burst)

    def admit(self, request: web.Request, endpoint: Endpoint | None) -> None:
        """Let the request in to what it asks for, None for what is no endpoint.

        Raises:
            Refused: it comes too soon after others of its client, or its client may not.

        """
        arrived(request)
        caller = self._access.caller(request)
        if not caller.is_here:
            _limit(self._buckets.take(caller.name, time.monotonic()))
        scope = _scope(request, endpoint)
        self._access.admit(request, caller, scope)
        if scope == "admin":
            _log.info("Admitted to act", path=request.path, by=caller.name)


def bound(settings: ApiSettings, endpoints: Iterable[Endpoint]) -> Middleware:
    """Return the middleware that bounds how long a handler may take; the innermost: known answers take no time."""
    unbound = {endpoint.handler for endpoint in endpoints if endpoint.is_stream}

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.match_info.handler in unbound:
            return await handler(request)
        return await _within(settings.api_request_timeout_s, request, handler)

    return middleware


def _scope(request: web.Request, endpoint: Endpoint | None) -> Scope:
    """Return the endpoint's scope. Paths that are not served are told to all; what else has none is shut."""
    if endpoint is not None:
        return endpoint.scope
    return "open" if request.match_info.http_exception is not None else "admin"


def _limit(wait_s: float) -> None:
    if wait_s:
        raise Refused(
            HTTPStatus.TOO_MANY_REQUESTS,
            "too_many_requests",
            "These are too many requests for one client (API_RATE_PER_SECOND, API_RATE_BURST).",
            {"Retry-After": str(math.ceil(wait_s))},
        )


async def _within(limit_s: float, request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        async with asyncio.timeout(limit_s) as limit:
            return await handler(request)
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise Refused(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "timed_out",
            f"The answer was not there within {limit_s:g} s (API_REQUEST_TIMEOUT_S).",
            {"Retry-After": "5"},
        ) from error
