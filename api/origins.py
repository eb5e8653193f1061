"""Which other sites' pages may read answers in a browser (CORS), and the headers that every answer carries.

An origin that the operator named is allowed, by exact match; ``*`` among the names allows every origin, as it did in
the backend before this one. Cookies and other credentials are never part of it: there are none here.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from api.answers import SOURCE_HEADER
from api.errors import problem
from api.known_answers import AGE_HEADER

if TYPE_CHECKING:
    from collections.abc import Collection

    from aiohttp.typedefs import Middleware

    from api.errors import Handler

#: How long a browser may remember a preflight's answer, in seconds. Chosen, not measured.
_MAX_AGE_S: Final = 600

#: JSON is no page: nothing in it is ever loaded or run. The page brings a policy of its own.
_SECURITY: Final = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # No other site's page may embed an answer; one that may read it asks by CORS, for which this does not count.
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    # Instead of the versions of Python and aiohttp.
    "Server": "SentimentAgent",
}

#: What a page of another origin may read of an answer beside its body and what browsers show to all.
_EXPOSED: Final = f"{SOURCE_HEADER}, {AGE_HEADER}, ETag, Link, X-Next-Cursor, Content-Disposition, Retry-After"

#: Of pages alone: no window of another site holds on to one, and none asks for a device or for where the reader is.
_OF_PAGES: Final = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def decorate(origins: Collection[str]) -> Middleware:
    """Return the middleware that answers preflights and adds these headers to every answer."""
    allowed = frozenset(origins)

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get(hdrs.ORIGIN)
        is_allowed = origin is not None and (origin in allowed or "*" in allowed)
        if request.method == "OPTIONS" and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers:
            response: web.StreamResponse = _preflight(is_allowed=is_allowed)
        else:
            response = await handler(request)
        for name, value in _SECURITY.items():
            response.headers.setdefault(name, value)
        if response.headers.get(hdrs.CONTENT_TYPE, "").startswith("text/html"):
            response.headers.update(_OF_PAGES)
        if allowed:
            response.headers.add("Vary", "Origin")
        if is_allowed and origin is not None:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED
        return response

    return middleware


def _preflight(*, is_allowed: bool) -> web.Response:
    if not is_allowed:
        return problem(HTTPStatus.FORBIDDEN, "foreign_origin", "API_CORS_ORIGINS does not name this origin.")
    return web.Response(
        status=HTTPStatus.NO_CONTENT,
        headers={
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": "Authorization, Content-Type, If-None-Match, X-Admin-Token",
            "Access-Control-Max-Age": str(_MAX_AGE_S),
        },
    )
