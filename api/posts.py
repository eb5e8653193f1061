"""The routes of posts and comments: the newest, and one by its id."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from aiohttp import web

from api.answers import named, post, reply
from api.errors import Refused
from api.parameters import PostParameters, RecentParameters, read
from api.sentiment import window

if TYPE_CHECKING:
    from agent.store.protocol import Reading

_FULLNAME: Final = re.compile(r"t[13]_.+", re.DOTALL)


class PostRoutes:
    """GET /posts/recent and /posts/{id}."""

    def __init__(self, store: Reading) -> None:
        self._store = store

    def routes(self) -> list[web.RouteDef]:
        """Return what is served."""
        return [
            web.get("/api/v1/posts/recent", self._recent),
            web.get("/api/v1/posts/{id}", self._one),
        ]

    async def _recent(self, request: web.Request) -> web.Response:
        wanted = read(request, RecentParameters)
        since_utc, _ = window(wanted.hours)
        items = await self._store.recent(wanted.only, since_utc, wanted.limit, wanted.kind)
        return reply([post(one) for one in items], named(one.item.source for one in items))

    async def _one(self, request: web.Request) -> web.Response:
        """Answer one item; an id without a prefix is a post's."""
        wanted = read(request, PostParameters)
        given = request.match_info["id"]
        found = await self._store.item(given if _FULLNAME.fullmatch(given) else f"t3_{given}")
        if found is None or (wanted.only and found.item.subreddit.lower() != wanted.only.lower()):
            raise Refused(HTTPStatus.NOT_FOUND, "unknown_post", "There is no such post here.")
        return reply(post(found), found.item.source)
