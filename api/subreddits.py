"""The route of the subreddits that have items."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from api.answers import Subreddits, named, reply

if TYPE_CHECKING:
    from agent.store.protocol import Reading


class SubredditRoutes:
    """GET /subreddits."""

    def __init__(self, store: Reading) -> None:
        self._store = store

    def routes(self) -> list[web.RouteDef]:
        """Return what is served."""
        return [web.get("/api/v1/subreddits", self._all)]

    async def _all(self, _request: web.Request) -> web.Response:
        names, contents = await asyncio.gather(self._store.subreddits(), self._store.contents())
        source = named(contents.sources)
        return reply(Subreddits(subreddits=names, count=len(names), source=source), source)
