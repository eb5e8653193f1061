"""The routes of lists: posts and comments in pages, by what they are and in any order, and the newest.

A page ends with a cursor, which is a place in the order and no number of rows: what is stored meanwhile shifts nothing.
The address of the next page is in the header ``Link``, so that a client need not know how it is made.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from multidict import MultiDict
from yarl import URL

from agent.records import Asked
from api.answers import Answer, Post, named, post, reply
from api.endpoint import Endpoint
from api.filters import ListParameters, page
from api.parameters import RecentParameters, read

if TYPE_CHECKING:
    from aiohttp import web

    from agent.records import Page
    from agent.store.protocol import Reading

CURSOR_HEADER: Final = "X-Next-Cursor"
LINK_HEADER: Final = "Link"

_HOUR_S: Final = 3600
#: Beyond what any calendar holds: the newest may have been written by a clock that is ahead.
_NO_END_UTC: Final = 2**53


class Posts(Answer, frozen=True, kw_only=True):
    """GET /posts."""

    posts: list[Post]
    #: Ask again with it as ``cursor`` for the next page; null on the last one.
    next_cursor: str | None
    source: str | None


class ListRoutes:
    """GET /posts and /posts/recent."""

    def __init__(self, store: Reading) -> None:
        self._store = store

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        return [
            Endpoint(
                path="/api/v1/posts",
                handler=self._list,
                summary="Posts, comments or both, in pages.",
                parameters=ListParameters,
                answer=Posts,
                made_of="store",
                headers=(LINK_HEADER, CURSOR_HEADER),
            ),
            Endpoint(
                path="/api/v1/posts/recent",
                handler=self._recent,
                summary="The newest posts, comments or both.",
                parameters=RecentParameters,
                answer=list[Post],
                made_of="store",
                headers=(LINK_HEADER, CURSOR_HEADER),
            ),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        wanted = read(request, ListParameters)
        found = await page(self._store, wanted.asked(), wanted.cursor, wanted.limit)
        source = named(each.item.source for each in found.items)
        body = Posts(posts=[post(each) for each in found.items], next_cursor=found.next, source=source)
        return _with_next(request, reply(body, source), found)

    async def _recent(self, request: web.Request) -> web.Response:
        """Answer a bare array, as the backend before this one did; the cursor is in the headers alone."""
        wanted = read(request, RecentParameters)
        since_utc = int(time.time()) + 1 - wanted.hours * _HOUR_S
        asked = Asked(subreddit=wanted.only, since_utc=since_utc, until_utc=_NO_END_UTC, kind=wanted.kind)
        found = await page(self._store, asked, wanted.cursor, wanted.limit)
        body = [post(each) for each in found.items]
        return _with_next(request, reply(body, named(each.item.source for each in found.items)), found)


def _with_next(request: web.Request, response: web.Response, found: Page) -> web.Response:
    """Return the response with where it goes on: the same question with another cursor."""
    if found.next is not None:
        query = MultiDict(request.query)
        query["cursor"] = found.next
        response.headers[LINK_HEADER] = f'<{URL.build(path=request.path, query=query)}>; rel="next"'
        response.headers[CURSOR_HEADER] = found.next
    return response
