"""The page at ``/``: health, the last 24 hours by subreddit, the newest posts. Made here, works without any script.

Everything that came from Reddit is escaped, cut to a length, and isolated from the direction of its surroundings. With
the store away, what was shown last is shown again under a notice that says how old it is. Where scripts run, the
modules in ``static/`` take its place with the views Now, Posts and System.
"""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

from aiohttp import web

from api import page_parts as parts
from api.answers import SOURCE_HEADER
from api.endpoint import Endpoint
from api.html import Html, fill
from api.sentiment import total, window
from ipc.errors import StoreUnavailable

if TYPE_CHECKING:
    from agent.store.protocol import Reading
    from api.health import Health, HealthRoutes
    from api.static_files import StaticFiles

#: Subreddits in the table and posts in the list. Chosen: a screen or two of each.
SUBREDDITS: Final = 30
POSTS: Final = 25
_HOURS: Final = 24

#: Nothing is loaded from elsewhere and nothing inline is run or applied. Trusted types: no script may make markup of
#: text, so that what strangers wrote stays text whatever a module does.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS: Final = {"Content-Security-Policy": _POLICY}


class _Shown(NamedTuple):
    """What the store said, as HTML; monotonic."""

    body: Html
    source: str | None
    at_s: float


class PageRoutes:
    """GET / and the files that it needs."""

    def __init__(self, store: Reading, health: HealthRoutes, files: StaticFiles) -> None:
        self._store = store
        self._health = health
        self._last: _Shown | None = None
        self._files = files
        self._loads = parts.loads(files)

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        return [
            Endpoint(
                path="/",
                handler=self._page,
                summary="The page.",
                media_type="text/html",
                made_of="system",
                statuses=(200, 503),
                headers=(SOURCE_HEADER,),
            ),
            *self._files.endpoints(),
        ]

    async def _page(self, _request: web.Request) -> web.Response:
        health = await self._health.health()
        try:
            if health.database.connected:
                self._last = _Shown(await self._data(), health.source, time.monotonic())
                return self._answer(health, self._last.body, self._last.source, HTTPStatus.OK)
        except StoreUnavailable:  # it went away in this very moment
            pass
        return self._again(health)

    def _again(self, health: Health) -> web.Response:
        """Show what was shown last, and that the store is away."""
        if self._last is None:
            return self._answer(health, parts.AWAY, None, HTTPStatus.SERVICE_UNAVAILABLE)
        notice = parts.stale(time.monotonic() - self._last.at_s)
        body = fill("{notice}{body}", notice=notice, body=self._last.body)
        return self._answer(health, body, self._last.source, HTTPStatus.SERVICE_UNAVAILABLE)

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

    def _answer(self, health: Health, body: Html, source: str | None, status: HTTPStatus) -> web.Response:
        page = parts.page(health, body, source, self._loads)
        response = web.Response(status=status, text=page, content_type="text/html", headers=_HEADERS)
        if source:
            response.headers[SOURCE_HEADER] = source
        return response
