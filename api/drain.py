"""Requests as items of the API's intake: refused for the moment before a restart, with an answer: come again.

One that was taken is finished first.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from api.errors import Refused
from api.probes import LIVE

if TYPE_CHECKING:
    from aiohttp import web

    from ipc.intake import Intake

#: The new process is ready after about a second.
_RETRY_AFTER: Final = {"Retry-After": "1"}


def see_that_it_is_open(intake: Intake, request: web.Request) -> None:
    """Let the request in, unless the API drains; a restart does not end that it lives.

    Raises:
        Refused: 503.

    """
    if intake.closed == "draining" and request.path != LIVE:
        detail = "The API is being restarted and takes no new request."
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "restarting", detail, _RETRY_AFTER)
