"""What is told again: never anything but what would be found by asking anew. And how it goes over the wire."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from fakes.passage import behind_passage
from fakes.running_api import RunningApi, running_api
from fakes.stored import cycle, item, scored

from api.answers import reply
from api.endpoint import Endpoint, MadeOf
from api.known_answers import KnownAnswers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from multidict import CIMultiDictProxy

    from agent.store.protocol import Reading

STATS: Final = "/api/v1/sentiment/stats"
PATHS: Final = (
    STATS,
    "/api/v1/sentiment/trends",
    "/api/v1/posts/recent?kind=all",
    "/api/v1/posts",
    "/api/v1/subreddits",
    "/api/v1/health",
)


@pytest.fixture
async def api(short_path: Path) -> AsyncIterator[RunningApi]:
    """Return an API over thirty posts of the last minutes."""
    now = int(time.time())
    async with running_api(short_path) as running:
        await running.store(
            *(scored(item(f"t3_{number}", created_utc=now - 60 - number)) for number in range(30)),
            cycles=(cycle(finished_utc=now - 5),),
        )
        yield running


class Wire(NamedTuple):
    """What came over the wire."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes


async def raw(api: RunningApi, path: str, method: str = "GET", **headers: str) -> Wire:
    """Return the answer as it came over the wire, not unpacked."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        aiohttp.ClientSession(auto_decompress=False, skip_auto_headers=["Accept-Encoding"]) as client,
        client.request(method, api.address + path, headers=named) as response,
    ):
        return Wire(response.status, response.headers, await response.read())


async def test_a_write_is_in_the_next_answer(api: RunningApi) -> None:
    """Asked, written, asked again, within the same second and for many of them: each answer counts what is there."""
    now = int(time.time())
    for written in range(1, 25):
        before = [await (await api.ask("GET", path)).json() for path in PATHS]
        await api.store(scored(item(f"t3_new{written}", created_utc=now - 1, subreddit=f"sub{written}")))
        stats, trends, recent, posts, names, health = [await (await api.ask("GET", path)).json() for path in PATHS]
        assert before[0]["statistics"]["total"] == 30 + written - 1
        assert stats["statistics"]["total"] == trends["statistics"]["total"] == 30 + written
        assert {post["name"] for post in recent} >= {f"t3_new{each}" for each in range(1, written + 1)}
        assert f"t3_new{written}" in {post["name"] for post in posts["posts"]}
        assert names["count"] == written + 1
        assert health["database"]["items"] == 30 + written


async def test_what_the_last_collection_could_not_read_is_in_the_next_answer(api: RunningApi) -> None:
    """As is a new source, also in an answer that nobody asked for before: neither is remembered beyond a write."""
    now = int(time.time())
    for hours in range(1, 20, 2):
        await api.store(cycles=(cycle(f"failed{hours}", finished_utc=now + hours, failed=True),))
        for path in ("stats", "trends", "overview"):
            assert (await api.get(f"/sentiment/{path}?hours={hours}"))["unread"] == {"aws": "forbidden"}
        await api.store(cycles=(cycle(f"succeeded{hours}", finished_utc=now + hours + 1),))
        for path in ("stats", "trends", "overview"):
            assert (await api.get(f"/sentiment/{path}?hours={hours}"))["unread"] == {}
    await api.store(scored(item("t3_sample", created_utc=now - 5, source="sample")))
    assert (await api.get(f"{STATS.removeprefix('/api/v1')}?hours=100"))["source"] == "reddit, sample"


async def test_an_answer_is_what_one_that_nobody_kept_would_say(api: RunningApi) -> None:
    """Of the same second and store: an address asked twice, and in another spelling, which nobody asked before."""
    for path in PATHS[:5]:
        for attempt in range(20):
            first, again, anew = [
                (await raw(api, each)).body
                for each in (path, path, f"{path}{'&' if '?' in path else '?'}unknown={attempt}")
            ]
            if first == again == anew:  # else a second began meanwhile
                break
        assert first == again == anew


async def test_a_client_that_has_it_is_told_so_until_something_is_written(api: RunningApi) -> None:
    """The tag stays over the seconds, whatever `timestamp` says, and goes with the first write."""
    first = await raw(api, f"{STATS}?hours=168")
    tag = first.headers["ETag"]
    assert tag.startswith('W/"')
    assert first.headers["Cache-Control"] == "private, no-cache"
    timestamp = json.loads(first.body)["timestamp"]
    async with asyncio.timeout(5):
        while json.loads((await raw(api, f"{STATS}?hours=168")).body)["timestamp"] == timestamp:
            await asyncio.sleep(0.1)
    for method in ("GET", "HEAD"):
        same = await raw(api, f"{STATS}?hours=168", method, If_None_Match=f'"older", {tag}')
        assert (same.status, same.body) == (304, b"")
        assert (same.headers["ETag"], same.headers["X-Data-Source"]) == (tag, "reddit")
        assert same.headers["X-Content-Type-Options"] == "nosniff"
        assert "Content-Type" not in same.headers
        assert "Content-Length" not in same.headers
    await api.store(scored(item("t3_more", created_utc=int(time.time()) - 10)))
    more = await raw(api, f"{STATS}?hours=168", If_None_Match=tag)
    assert (more.status, json.loads(more.body)["statistics"]["total"]) == (200, 31)
    assert more.headers["ETag"] != tag


async def test_lists_are_packed_for_those_who_unpack(api: RunningApi) -> None:
    """The same list, smaller; HEAD tells the size without the bytes; without Accept-Encoding it comes as it is."""
    path = "/api/v1/posts?limit=30"
    packed = await raw(api, path, Accept_Encoding="br, gzip")
    plain = await raw(api, path)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert gzip.decompress(packed.body) == plain.body
    assert 5 * int(packed.headers["Content-Length"]) < int(plain.headers["Content-Length"])
    assert packed.headers["ETag"] == plain.headers["ETag"]
    for each in (packed, plain):
        assert "Accept-Encoding" in each.headers.getall("Vary")
    head = await raw(api, path, "HEAD", Accept_Encoding="gzip")
    assert head.headers["Content-Length"] == packed.headers["Content-Length"]
    assert head.body == b""


async def test_pages_of_other_origins_may_read_the_tag_and_ask_by_it(short_path: Path) -> None:
    """CORS names the headers of an answer that a script may see, and the one that it may send."""
    theirs = "http://dash.example"
    async with running_api(short_path, API_CORS_ORIGINS=theirs) as api:
        await api.store(scored(item(created_utc=int(time.time()) - 10)))
        first = await raw(api, "/api/v1/posts", Origin=theirs)
        same = await raw(api, "/api/v1/posts", Origin=theirs, If_None_Match=first.headers["ETag"])
        assert same.status == 304
        for answer in (first, same):
            assert answer.headers["Access-Control-Allow-Origin"] == theirs
            exposed = {name.strip() for name in answer.headers["Access-Control-Expose-Headers"].split(",")}
            assert exposed >= {"ETag", "Link", "X-Data-Source", "X-Next-Cursor", "X-Stale-Seconds"}
            assert "Origin" in answer.headers.getall("Vary")
        asked = {"Access_Control_Request_Method": "GET", "Access_Control_Request_Headers": "if-none-match"}
        preflight = await raw(api, "/api/v1/posts", "OPTIONS", Origin=theirs, **asked)
        assert "If-None-Match" in preflight.headers["Access-Control-Allow-Headers"]


async def test_health_has_no_tag_and_is_not_to_be_kept(api: RunningApi) -> None:
    """A check must never be answered out of a cache of somebody else's."""
    health = await raw(api, "/api/v1/health", If_None_Match="*")
    assert (health.status, health.headers["Cache-Control"]) == (200, "no-store")
    assert "ETag" not in health.headers


async def test_a_database_that_goes_is_seen_by_the_next_who_asks(api: RunningApi) -> None:
    """Health is shared for a tenth of a second, and only as long as the store says the same."""
    for _ in range(3):
        await api.get("/health")
    await asyncio.to_thread(api.settings.folders.store.unlink)
    assert (await api.get("/health", status=503))["database"]["connected"] is False


class Fake:
    """A store whose state the test says, and a handler that counts how often it was asked."""

    def __init__(self) -> None:
        self.now: str | None = "a"
        self.second_utc = 1000.0
        self.asked = 0
        self.made = 0
        self.ended = 0
        self.headers: dict[str, str] = {}
        self.go = asyncio.Event()
        self.go.set()

    async def state(self) -> str | None:
        return self.now

    async def handler(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        number = self.asked
        try:
            await self.go.wait()
            self.made += 1
        finally:
            self.ended += 1
        if "stream" in request.query:
            response = web.StreamResponse(headers={"Content-Type": "text/csv"})
            await response.prepare(request)
            await response.write(b"x" * 4000)
            return response
        if "broken" in request.query:
            raise web.HTTPNotFound
        answer = reply({"number": number, "text": "x" * 10}, "sample")
        answer.headers.update(self.headers)
        return answer


class Served:
    """The fake behind a server of its own."""

    def __init__(self, fake: Fake, client: TestClient[web.Request, web.Application]) -> None:
        self.fake = fake
        self.client = client

    async def ask(self, query: str = "") -> int:
        """Return the number of the handler's run that made the answer."""
        async with self.client.get(f"/{query}") as response:
            return int((await response.json())["number"])

    async def stale(self) -> int:
        """Return the same of an answer that says that it is not of now."""
        async with self.client.get("/") as response:
            assert 0 < float(response.headers["X-Stale-Seconds"]) < 5
            return int((await response.json())["number"])

    async def has_made(self, times: int) -> None:
        """Wait until the handler has answered so often."""
        async with asyncio.timeout(5):
            while self.fake.made < times:
                await asyncio.sleep(0.005)

    async def has_asked(self, times: int) -> None:
        """Wait until the handler was asked so often."""
        async with asyncio.timeout(5):
            while self.fake.asked < times:
                await asyncio.sleep(0.005)


@asynccontextmanager
async def served(made_of: MadeOf = "store", max_bytes: int = 1 << 20, patience_s: float = 3.0) -> AsyncIterator[Served]:
    """Serve a fake at /."""
    fake = Fake()
    store = cast("Reading", fake)  # its state is all that is asked
    endpoints = [Endpoint(path="/", handler=fake.handler, summary="A fake.", made_of=made_of)]
    known = KnownAnswers(store, lambda: fake.second_utc, max_bytes=max_bytes, patience_s=patience_s)
    async with TestClient(TestServer(behind_passage(endpoints, known=known))) as client:
        yield Served(fake, client)


async def test_an_answer_is_made_once_a_second_and_state() -> None:
    """Neither the same second with another state nor the same state in another second is the same."""
    async with served() as at:
        assert [await at.ask() for _ in range(3)] == [1, 1, 1]
        at.fake.now = "b"
        assert [await at.ask() for _ in range(3)] == [2, 2, 2]
        at.fake.second_utc += 0.9
        assert await at.ask() == 2
        at.fake.second_utc += 0.1
        assert await at.ask() == 3
        assert [await at.ask("?other"), await at.ask()] == [4, 3]


async def test_what_the_processes_say_is_shared_for_a_tenth_of_a_second() -> None:
    """Health and metrics: many who ask at once cost what one does."""
    async with served("system") as at:
        assert [await at.ask(), await at.ask()] == [1, 1]
        at.fake.second_utc += 0.11
        assert await at.ask() == 2
        at.fake.now = "b"
        assert await at.ask() == 3


async def test_without_a_state_everything_is_made_anew() -> None:
    """A database that can't say cheaply whether something was written, and a call that is made of more."""
    async with served() as at:
        at.fake.now = None
        assert [await at.ask() for _ in range(3)] == [1, 2, 3]
    async with served("more") as at:
        assert [await at.ask() for _ in range(3)] == [1, 2, 3]


async def test_what_says_that_it_must_not_be_kept_is_made_anew() -> None:
    """Such as the words that the analyzer finds."""
    async with served() as at:
        at.fake.headers = {"Cache-Control": "no-store"}
        assert [await at.ask() for _ in range(3)] == [1, 2, 3]


async def test_many_who_miss_at_once_are_one_question() -> None:
    """Forty clients after a write: the store is asked once. Who comes after the next write waits for its own answer."""
    async with served() as at:
        at.fake.go.clear()
        async with asyncio.TaskGroup() as tasks:
            asking = [tasks.create_task(at.ask()) for _ in range(40)]
            await at.has_asked(1)
            at.fake.now = "b"
            later = tasks.create_task(at.ask())
            await at.has_asked(2)
            at.fake.go.set()
        assert {each.result() for each in asking} <= {1, 2}
        assert asking[0].result() == 1
        assert (later.result(), at.fake.asked) == (2, 2)


async def test_what_is_kept_is_bounded() -> None:
    """Those that nobody asked for longest go; one that is larger than all room is never kept."""
    async with served(max_bytes=3 * 2200) as at:
        assert [await at.ask(query) for query in ("?1", "?2", "?3", "?1", "?4")] == [1, 2, 3, 1, 4]
        assert [await at.ask(query) for query in ("?1", "?4", "?2")] == [1, 4, 5]
    async with served(max_bytes=100) as at:
        assert [await at.ask(), await at.ask()] == [1, 2]


async def test_a_long_address_counts_as_what_is_kept() -> None:
    """Two kilobytes of query are told again like others, and leave as much room when they go as they took."""
    long = f"?{'x' * 2000}"
    async with served(max_bytes=3 * 2200) as at:
        assert [await at.ask(query) for query in ("?1", "?2", long, "?2", long)] == [1, 2, 3, 2, 3]
        assert await at.ask("?1") == 4
        assert [await at.ask(query) for query in ("?5", "?6", "?1", "?5", "?6")] == [5, 6, 4, 5, 6]


async def test_what_takes_longer_than_anybody_waits_is_kept_for_the_next() -> None:
    """The asker is told what is known and its age; the work goes on, and its answer is the next one's."""
    async with served(patience_s=0.05) as at:
        assert await at.ask() == 1
        at.fake.now = "b"
        at.fake.go.clear()
        assert await at.stale() == 1
        at.fake.go.set()
        await at.has_made(2)
        assert [await at.ask(), await at.ask(), at.fake.asked] == [2, 2, 2]


async def test_of_what_takes_too_long_one_goes_on() -> None:
    """A store that hangs and can't say its state is not asked by more and more; what goes on ends with the server."""
    async with served(patience_s=0.05) as at:
        at.fake.now = None
        assert await at.ask() == 1
        at.fake.go.clear()
        assert [await at.stale() for _ in range(3)] == [1, 1, 1]
        assert (at.fake.asked, at.fake.ended) == (4, 3)
        at.fake.go.set()
        await at.has_made(2)
        assert (await at.ask(), at.fake.made) == (5, 3)
        at.fake.go.clear()
        assert await at.stale() == 5
        assert at.fake.ended == at.fake.asked - 1
    assert at.fake.ended == at.fake.asked


async def test_errors_and_streams_pass_and_are_not_kept() -> None:
    """A 404 is made anew; a stream's pieces go out as they come, not packed."""
    async with served() as at:
        for expected in (1, 2):
            async with at.client.get("/?broken") as response:
                assert (response.status, at.fake.asked) == (404, expected)
        for expected in (3, 4):
            async with at.client.get("/?stream", headers={"Accept-Encoding": "gzip"}) as response:
                assert await response.read() == b"x" * 4000
                assert "Content-Encoding" not in response.headers
                assert at.fake.asked == expected


async def test_the_description_says_which_calls_have_a_tag(api: RunningApi) -> None:
    """Those that answer one, and only those, describe the header, the condition and the 304."""
    document = await api.get("/openapi.json")
    for path in PATHS:
        call = document["paths"][path.partition("?")[0]]["get"]
        has_tag = "ETag" in (await raw(api, path)).headers
        assert ("304" in call["responses"]) == has_tag
        assert ("ETag" in call["responses"]["200"]["headers"]) == has_tag
        assert ("If-None-Match" in {each["name"] for each in call["parameters"]}) == has_tag
