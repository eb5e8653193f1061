"""The route of the subreddits that have items."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from api.answers import Subreddits, named, reply
from api.endpoint import Endpoint

if TYPE_CHECKING:
    from aiohttp import web

    from agent.store.protocol import Reading


class SubredditRoutes:
    """GET /subreddits."""

    def __init__(self, store: Reading) -> None:
        self._store = store

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        return [
            Endpoint(
                path="/api/v1/subreddits",
                handler=self._all,
                summary="The subreddits that have items.",
                answer=Subreddits,
                made_of="store",
            )
        ]

    async def _all(self, _request: web.Request) -> web.Response:
        names, contents = await asyncio.gather(self._store.subreddits(), self._store.contents())
        source = named(contents.sources)
        return reply(Subreddits(subreddits=names, count=len(names), source=source), source)
