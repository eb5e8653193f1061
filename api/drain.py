"""Requests as items of the API's intake: counted in and out, and refused for the moment before a restart.

A request that is refused has its answer: come again in a second. One that was taken is finished first.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from aiohttp import web

from api.errors import problem
from api.probes import LIVE

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware

    from ipc.intake import Intake

#: The new process is ready after about a second.
_RETRY_AFTER: Final = {"Retry-After": "1"}


def count(intake: Intake) -> Middleware:
    """Return the middleware that takes each request through ``intake``."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if intake.closed == "draining" and request.path != LIVE:  # which a restart does not end
            detail = "The API is being restarted and takes no new request."
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, "restarting", detail, _RETRY_AFTER)
        with intake.in_hand():
            intake.items_in += 1
            try:
                return await handler(request)
            finally:
                intake.items_out += 1

    return middleware
