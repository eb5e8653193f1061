"""Which other sites' pages may read answers in a browser (CORS).

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

    from multidict import CIMultiDict

#: How long a browser may remember a preflight's answer, in seconds. Chosen, not measured.
_MAX_AGE_S: Final = 600

#: What a page of another origin may read of an answer beside its body and what browsers show to all.
_EXPOSED: Final = f"{SOURCE_HEADER}, {AGE_HEADER}, ETag, Link, X-Next-Cursor, Content-Disposition, Retry-After"


class Origins:
    """The origins of API_CORS_ORIGINS."""

    def __init__(self, allowed: Collection[str]) -> None:
        self._allowed = frozenset(allowed)

    def preflight(self, request: web.Request) -> web.Response | None:
        """Return the answer to a preflight, None to what is none."""
        if request.method != "OPTIONS" or hdrs.ACCESS_CONTROL_REQUEST_METHOD not in request.headers:
            return None
        if self._admitted(request) is None:
            return problem(HTTPStatus.FORBIDDEN, "foreign_origin", "API_CORS_ORIGINS does not name this origin.")
        return web.Response(
            status=HTTPStatus.NO_CONTENT,
            headers={
                "Access-Control-Allow-Methods": "GET, POST",
                "Access-Control-Allow-Headers": "Authorization, Content-Type, If-None-Match, X-Admin-Token",
                "Access-Control-Max-Age": str(_MAX_AGE_S),
            },
        )

    def mark(self, request: web.Request, headers: CIMultiDict[str]) -> None:
        """Say in the headers of an answer whose pages may read it."""
        if not self._allowed:
            return
        headers.add(hdrs.VARY, hdrs.ORIGIN)
        if (origin := self._admitted(request)) is not None:
            headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _EXPOSED

    def _admitted(self, request: web.Request) -> str | None:
        """Return the origin that asks, None where it is not allowed, or there is none."""
        origin = request.headers.get(hdrs.ORIGIN)
        return origin if origin in self._allowed or "*" in self._allowed else None
