"""The page at ``/``: health, the last 24 hours by subreddit, the newest posts. Made here, works without any script.

Everything that came from Reddit is escaped, cut to a length, and isolated from the direction of its surroundings.
"""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiohttp import web

from api import page_parts as parts
from api.answers import SOURCE_HEADER
from api.html import Html, fill
from api.sentiment import total, window
from ipc.errors import StoreUnavailable

if TYPE_CHECKING:
    from agent.store.protocol import Reading
    from api.health import Health, HealthRoutes

#: Subreddits in the table and posts in the list. Chosen: a screen or two of each.
SUBREDDITS: Final = 30
POSTS: Final = 25
_HOURS: Final = 24

_STATIC: Final = Path(__file__).with_name("static")
_TYPES: Final = {"page.css": "text/css", "icon.svg": "image/svg+xml"}
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}
_KEEP_STATIC: Final = {"Cache-Control": "public, max-age=300"}


class PageRoutes:
    """GET / and the files that it needs."""

    def __init__(self, store: Reading, health: HealthRoutes) -> None:
        self._store = store
        self._health = health
        self._files = {name: (_STATIC / name).read_bytes() for name in _TYPES}

    def routes(self) -> list[web.RouteDef]:
        """Return what is served."""
        return [web.get("/", self._page), web.get("/static/{name}", self._file)]

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self._files:
            raise web.HTTPNotFound
        return web.Response(body=self._files[name], content_type=_TYPES[name], charset="utf-8", headers=_KEEP_STATIC)

    async def _page(self, _request: web.Request) -> web.Response:
        health = await self._health.health()
        try:
            body = await self._data() if health.database.connected else parts.AWAY
        except StoreUnavailable:  # it went away in this very moment
            body = parts.AWAY
        status = HTTPStatus.SERVICE_UNAVAILABLE if body is parts.AWAY else HTTPStatus.OK
        return _answer(health, parts.page(health, body), status)

    async def _data(self) -> Html:
        """Return what the store says, as HTML."""
        now_utc = time.time()
        each, newest = await asyncio.gather(
            self._store.totals_by_subreddit(*window(_HOURS), SUBREDDITS), self._store.recent(None, 0, POSTS)
        )
        everything = total([one.totals for one in each])
        if len(each) == SUBREDDITS:  # there may be more than are shown
            everything = await self._store.totals(None, *window(_HOURS))
        return fill("{table}{posts}", table=parts.table(everything, each), posts=parts.posts(newest, now_utc))


def _answer(health: Health, page: Html, status: HTTPStatus) -> web.Response:
    response = web.Response(status=status, text=page, content_type="text/html", headers=_HEADERS)
    if health.source:
        response.headers[SOURCE_HEADER] = health.source
    return response
