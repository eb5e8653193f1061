"""A stand-in for Reddit's OAuth API on 127.0.0.1, for the real asyncpraw to talk to.

It signs in an app, lists a subreddit's posts and comments newest first in pages, and fails in every way
that Reddit and the way to it are known to: :attr:`FakeReddit.failures` by subreddit,
:attr:`FakeReddit.token_failure` for the sign-in. It writes down what was asked, and how many asked at once.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

#: Reddit's listings end here, whatever is asked for.
LISTING_END: Final = 1000
CLIENT_ID: Final = "fake-client-id"
CLIENT_SECRET: Final = "fake-client-secret"  # noqa: S105 - of the fake alone
_CREDENTIALS: Final = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()

#: What answers in place of what should.
Failure: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]
Thing: TypeAlias = dict[str, Any]


class FakeReddit:
    """An async context manager; :attr:`url` is where it answers."""

    def __init__(self) -> None:
        #: By subreddit in lower case, oldest first.
        self.posts: dict[str, list[Thing]] = {}
        self.comments: dict[str, list[Thing]] = {}
        #: By subreddit in lower case: what it answers instead of its listings.
        self.failures: dict[str, Failure] = {}
        self.token_failure: Failure | None = None
        #: The path and query of every request for data, in order.
        self.requests: list[str] = []
        self.token_requests = 0
        self.user_agents: set[str] = set()
        self.most_at_once = 0
        self.rate_headers = {"x-ratelimit-remaining": "990.0", "x-ratelimit-used": "10", "x-ratelimit-reset": "590"}
        self.url = ""
        self._at_once = 0
        self._count = 0
        self._never = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Answer on a free port."""
        app = web.Application()
        app.router.add_post("/api/v1/access_token", self._token)
        app.router.add_get("/api/info{end:/?}", self._data)
        app.router.add_get("/r/{subreddit}/{listing:new|comments}{end:/?}", self._data)
        # No grace for requests that hang on purpose.
        self._runner = web.AppRunner(app, shutdown_timeout=0.01)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Answer no more; what hangs is let go."""
        self._never.set()
        await self._runner.cleanup()

    def add_post(self, subreddit: str, created_utc: float | None, **fields: object) -> str:
        """Add a post and return its name; ``fields`` replace or add to what Reddit would send."""
        thing = self._thing("t3", subreddit, created_utc)
        path = f"/r/{subreddit}/comments/{thing['id']}/a_title/"
        thing |= {"title": f"Post {thing['id']}", "selftext": "", "num_comments": 3, "permalink": path}
        thing |= {"url": f"https://www.reddit.com{path}", "is_self": True} | fields
        self.posts.setdefault(subreddit.lower(), []).append(thing)
        return str(thing["name"])

    def add_comment(self, subreddit: str, created_utc: float | None, **fields: object) -> str:
        """Add a comment and return its name."""
        thing = self._thing("t1", subreddit, created_utc)
        thing |= {"body": f"Comment {thing['id']}", "link_id": "t3_zzz", "parent_id": "t3_zzz"}
        thing |= {"permalink": f"/r/{subreddit}/comments/zzz/a_title/{thing['id']}/"} | fields
        self.comments.setdefault(subreddit.lower(), []).append(thing)
        return str(thing["name"])

    def edit(self, name: str, **fields: object) -> None:
        """Change an item, as when its author edits it, or votes come in."""
        self._named(name).update(fields)

    def take_away(self, name: str) -> None:
        """Leave of an item what Reddit leaves when its author deletes it: a name, and markers in place of texts."""
        text = "selftext" if name.startswith("t3_") else "body"
        self.edit(name, author=None, **{text: "[deleted]"})

    def _named(self, name: str) -> Thing:
        listings = (*self.posts.values(), *self.comments.values())
        return next(thing for listing in listings for thing in listing if thing["name"] == name)

    def delete(self, name: str) -> None:
        """Take an item out of its listing, as when its author or a moderator removed it."""
        for listing in (*self.posts.values(), *self.comments.values()):
            listing[:] = [thing for thing in listing if thing["name"] != name]

    def answer(self, status: int, headers: Mapping[str, str] | None = None, text: str = "{}") -> Failure:
        """Return a failure: this answer, as JSON unless the headers say otherwise."""

        async def fail(_request: web.Request) -> web.StreamResponse:
            sent = {"content-type": "application/json"} | dict(headers or {})
            return web.Response(status=status, headers=sent, body=text.encode())

        return fail

    async def hang(self, _request: web.Request) -> web.StreamResponse:
        """Be the failure of taking a request and never answering it."""
        await self._never.wait()
        raise web.HTTPServiceUnavailable

    async def hang_within(self, request: web.Request) -> web.StreamResponse:
        """Be the failure of sending half an answer and no more."""
        response = web.StreamResponse(headers={"content-type": "application/json"})
        await response.prepare(request)
        await response.write(b'{"kind": "Listing", "data": {')
        await self._never.wait()
        return response

    async def cut(self, request: web.Request) -> web.StreamResponse:
        """Be the failure of closing the connection without an answer."""
        if request.transport is not None:
            request.transport.close()
        return web.Response()

    def _thing(self, kind: str, subreddit: str, created_utc: float | None) -> Thing:
        self._count += 1
        name = f"{self._count:06d}"
        return {
            "id": name,
            "name": f"{kind}_{name}",
            "subreddit": subreddit,
            "author": "fake_author",
            "created_utc": created_utc,
            "score": 7,
        }

    async def _token(self, request: web.Request) -> web.StreamResponse:
        self.token_requests += 1
        self.user_agents.add(request.headers["user-agent"])
        if self.token_failure is not None:
            return await self.token_failure(request)
        if request.headers["authorization"] != f"Basic {_CREDENTIALS}":
            return web.json_response({"message": "Unauthorized", "error": 401}, status=401)
        token = {"access_token": "fake-token", "token_type": "bearer", "expires_in": 86400, "scope": "*"}
        return web.json_response(token)

    async def _data(self, request: web.Request) -> web.StreamResponse:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        self.requests.append(request.path_qs)
        try:
            # Long enough for a second request to arrive, if one is on its way.
            await asyncio.sleep(0.002)
            return await self._answer(request)
        finally:
            self._at_once -= 1

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.headers["authorization"] != "bearer fake-token":
            return web.json_response({}, status=401, headers={"www-authenticate": 'Bearer error="invalid_token"'})
        if request.path.startswith("/api/info"):
            return await self._info(request)
        subreddit = request.match_info["subreddit"].lower()
        if subreddit in self.failures:
            return await self.failures[subreddit](request)
        things = (self.posts if request.match_info["listing"] == "new" else self.comments).get(subreddit)
        if things is None and subreddit not in self.posts | self.comments:
            return web.Response(status=302, headers={"location": "/subreddits/search?q=" + subreddit})
        page = self._page(things or [], request.query.get("after"), int(request.query.get("limit", "25")))
        # The standard library's JSON, which writes half an emoji or NaN as Reddit's might.
        return web.Response(text=json.dumps(page), content_type="application/json", headers=self.rate_headers)

    async def _info(self, request: web.Request) -> web.StreamResponse:
        """Answer the items of the given names that there are, in no order to count on."""
        if "info" in self.failures:
            return await self.failures["info"](request)
        wanted = set(request.query["id"].split(",")[:100])
        listings = (*self.posts.values(), *self.comments.values())
        found = [thing for listing in listings for thing in listing if thing["name"] in wanted]
        children = [{"kind": thing["name"][:2], "data": thing} for thing in found]
        page = {"kind": "Listing", "data": {"after": None, "dist": len(children), "children": children}}
        return web.Response(text=json.dumps(page), content_type="application/json", headers=self.rate_headers)

    def _page(self, things: list[Thing], after: str | None, limit: int) -> dict[str, object]:
        listed = list(reversed(things))[:LISTING_END]
        names = [thing["name"] for thing in listed]
        start = names.index(after) + 1 if after in names else 0
        end = start + min(limit, 100)
        children = [{"kind": thing["name"][:2], "data": thing} for thing in listed[start:end]]
        more = names[end - 1] if children and end < len(listed) else None
        return {"kind": "Listing", "data": {"after": more, "before": None, "dist": len(children), "children": children}}
