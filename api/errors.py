"""Errors on their way out: one function turns each into a status and a JSON body, so that no handler needs a ``try``.

    Refused            the status that it carries   the request is wrong, or may not be done
    Unavailable        503, Retry-After             store, collector: away for now
    WireError          502                          a process answered in something that is not ours
    aiohttp's own      as they are                  404, 405, 413, ...
    everything else    500                          logged with its traceback; the body tells nothing of it

The body is ``{"detail": sentence for people, "error": code for programs}``.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import web

from ipc import logs
from ipc.errors import SentimentAgentError, StoreUnavailable, Unavailable, WireError

if TYPE_CHECKING:
    from collections.abc import Mapping

_log = logs.log(__name__)

#: What a client should wait when nobody knows better, in seconds. Chosen, not measured.
RETRY_AFTER_S: Final = 5

#: Headers of aiohttp's own errors that are part of the answer and not of its text.
_KEPT: Final = ("Allow", "Location", "Retry-After")


class Refused(SentimentAgentError):
    """A request that is not done, and what is wrong with it: the caller must ask differently.

    Attributes:
        status: the HTTP status that says so.
        code: the same in a word, for programs.
        headers: what else the answer carries.

    """

    def __init__(self, status: HTTPStatus, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.headers = headers


class Problem(msgspec.Struct, frozen=True):
    """The body of every answer of 400 and above."""

    #: A sentence for people.
    detail: str
    #: A word for programs.
    error: str


def answer_to(request: web.Request, error: Exception) -> web.Response:
    """Return the answer that tells the error, as JSON; log one that nobody foresaw."""
    match error:
        case Refused():
            return problem(error.status, error.code, str(error), error.headers)
        case Unavailable():
            return _of_absence(error)
        case WireError():
            return problem(HTTPStatus.BAD_GATEWAY, "bad_gateway", _sentence(str(error)))
        case web.HTTPException():
            return _of_aiohttp(request, error)
    _log.error("Request failed", method=request.method, path=request.path, exc_info=error)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "Something went wrong here. The log has the details.")


def problem(status: HTTPStatus | int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return the answer that tells a problem."""
    body = msgspec.json.encode(Problem(detail, code))
    return web.Response(status=int(status), body=body, content_type="application/json", headers=headers)


def _of_absence(error: Unavailable) -> web.Response:
    retry_after_s = RETRY_AFTER_S if error.retry_after_s is None else round(error.retry_after_s)
    code = "store_unavailable" if isinstance(error, StoreUnavailable) else "unavailable"
    return problem(
        HTTPStatus.SERVICE_UNAVAILABLE, code, _sentence(str(error)), {"Retry-After": str(max(1, retry_after_s))}
    )


def _of_aiohttp(request: web.Request, error: web.HTTPException) -> web.Response:
    details = {
        HTTPStatus.NOT_FOUND: f"There is nothing at {request.path}.",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{request.method} is not done at {request.path}.",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body of the request is too large.",
    }
    status = HTTPStatus(error.status)
    headers = {name: error.headers[name] for name in _KEPT if name in error.headers}
    return problem(status, status.name.lower(), details.get(status, f"{error.reason}."), headers)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
