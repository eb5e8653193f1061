"""The answers of each path in docs/api.md: shapes, types, ranges, errors, headers."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from fakes.running_api import RunningApi, running_api
from fakes.stored import cycle, item, scored

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
HOSTILE = "<script>alert('x')</script> \u202e\x00\u2028 \"quoted\" \\ \U0001f600 " + "z\u0335\u0334" * 50

STATISTICS = {"total": int, "positive": int, "negative": int, "neutral": int, "avg_sentiment": (float, type(None))}
POST = {
    "id": str,
    "subreddit": str,
    "author": str,
    "title": str,
    "content": str,
    "url": str,
    "created_utc": str,
    "upvotes": (int, type(None)),
    "comment_count": (int, type(None)),
    "collected_at": str,
    "sentiment": str,
    "confidence": float,
    "compound_score": float,
}


@pytest.fixture
async def api(short_path: Path) -> AsyncIterator[RunningApi]:
    """Return an API over three posts and two comments of the last hours, and one post of last week."""
    now = int(time.time())
    async with running_api(short_path) as running:
        await running.store(
            scored(item("t3_new", created_utc=now - 60, title=HOSTILE, content=HOSTILE, author=HOSTILE), "positive"),
            scored(item("t1_reply", created_utc=now - 30), "negative"),
            scored(item("t3_mid", created_utc=now - 7200, subreddit="aws"), "neutral"),
            scored(item("t1_mid", created_utc=now - 7200, subreddit="aws"), "positive"),
            scored(item("t3_old", created_utc=now - 20 * 3600, subreddit="cursor"), "negative"),
            scored(item("t3_week", created_utc=now - 100 * 3600), "negative"),
            cycles=(cycle("c1", finished_utc=now - 90),),
        )
        yield running


def has_shape(found: dict[str, Any], shape: dict[str, Any]) -> bool:
    """Tell whether every field of the shape is there with its type, whatever else is."""
    wrong = {name: found.get(name, "missing") for name, kind in shape.items() if not isinstance(found.get(name), kind)}
    assert not wrong, wrong
    return True


async def test_stats_of_all_and_of_one_subreddit(api: RunningApi) -> None:
    """The contract's fields, with the counts of the window; the subreddit's case does not matter."""
    stats = await api.get("/sentiment/stats")
    assert has_shape(stats, {"subreddit": str, "time_window_hours": int, "statistics": dict, "timestamp": str})
    assert has_shape(stats["statistics"], STATISTICS)
    assert (stats["subreddit"], stats["time_window_hours"], stats["source"]) == ("all", 24, "reddit")
    assert INSTANT.fullmatch(stats["timestamp"])
    assert stats["statistics"] == {
        "total": 5,
        "positive": 2,
        "negative": 2,
        "neutral": 1,
        "avg_sentiment": round((2 * 0.75 - 2 * 0.7) / 5, 4),
    }
    one = await api.get("/sentiment/stats?subreddit=CURSOR&hours=168")
    assert (one["subreddit"], one["time_window_hours"], one["statistics"]["total"]) == ("CURSOR", 168, 4)
    for everything in ("subreddit=", "subreddit=all"):
        assert (await api.get(f"/sentiment/stats?{everything}"))["statistics"]["total"] == 5


async def test_the_average_of_nothing_is_null_and_not_zero(api: RunningApi) -> None:
    """A subreddit that nobody collected has no average."""
    stats = await api.get("/sentiment/stats?subreddit=nowhere")
    assert stats["statistics"] == {"total": 0, "positive": 0, "negative": 0, "neutral": 0, "avg_sentiment": None}


@pytest.mark.parametrize(("hours", "bucket_hours", "points"), [(24, 1, 25), (168, 1, 169), (169, 24, 8), (720, 24, 31)])
async def test_trends_have_every_bucket_of_the_window(
    api: RunningApi, hours: int, bucket_hours: int, points: int
) -> None:
    """Hourly up to a week, daily above; buckets without items are there, with no average; all add up to the totals."""
    trends = await api.get(f"/sentiment/trends?hours={hours}")
    assert has_shape(trends, {"subreddit": str, "time_window_hours": int, "trend_data": dict, "timestamp": str})
    assert has_shape(trends["trend_data"], STATISTICS)
    assert trends["trend_data"] == trends["statistics"]
    assert trends["bucket_hours"] == bucket_hours
    found = trends["points"]
    # The window begins within a bucket, except in the one second in which it does not.
    assert len(found) in {points, points - 1}
    starts = [datetime.fromisoformat(point["start"]) for point in found]
    assert {int((b - a).total_seconds()) for a, b in itertools.pairwise(starts)} == {bucket_hours * 3600}
    assert all(start.timestamp() % (bucket_hours * 3600) == 0 for start in starts)
    for point in found:
        assert has_shape(point, STATISTICS | {"start": str})
        assert (point["avg_sentiment"] is None) == (point["total"] == 0)
    assert sum(point["total"] for point in found) == trends["statistics"]["total"] == (5 if hours == 24 else 6)
    stats = await api.get("/sentiment/stats?hours=24")
    if hours == 24:
        assert trends["statistics"] == stats["statistics"]


async def test_recent_posts_are_an_array_newest_first(api: RunningApi) -> None:
    """Posts alone by default, with the contract's fields and ours; hostile text comes through as JSON, whole."""
    posts = await api.get("/posts/recent")
    assert [post["id"] for post in posts] == ["new", "mid", "old"]
    for post in posts:
        assert has_shape(post, POST)
        assert post["name"] == f"t3_{post['id']}"
        assert INSTANT.fullmatch(post["created_utc"])
        assert INSTANT.fullmatch(post["collected_at"])
        assert sum(post["probabilities"].values()) == pytest.approx(1)
    first = posts[0]
    assert (first["title"], first["content"], first["author"]) == (HOSTILE, HOSTILE, HOSTILE)
    assert (first["sentiment"], first["confidence"], first["compound_score"]) == ("positive", 0.8, 0.75)
    assert (first["kind"], first["source"], first["rule"], first["model"]) == ("post", "reddit", "text", "test")
    assert (first["upvotes"], first["comment_count"]) == (7, 3)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("kind=comment", ["t1_reply", "t1_mid"]),
        ("kind=all&limit=3", ["t1_reply", "t3_new", "t3_mid"]),
        ("limit=1", ["t3_new"]),
        ("hours=1", ["t3_new"]),
        ("hours=168", ["t3_new", "t3_mid", "t3_old", "t3_week"]),
        ("subreddit=AWS", ["t3_mid"]),
        ("subreddit=nowhere", []),
        ("limit=2&limit=1&colour=blue", ["t3_new"]),
    ],
)
async def test_recent_posts_are_those_that_were_asked_for(api: RunningApi, query: str, names: list[str]) -> None:
    """Each parameter cuts the list; an unknown one is ignored, of one given twice the last counts."""
    found = await api.get(f"/posts/recent?{query}")
    # Two items of one second stand in the order of their fullnames, the last first.
    assert [post["name"] for post in found] == names


async def test_a_post_by_its_id_or_fullname(api: RunningApi) -> None:
    """A bare id means the post; a comment goes by its fullname; the subreddit must be the right one if given."""
    assert (await api.get("/posts/mid"))["name"] == "t3_mid"
    assert (await api.get("/posts/t1_mid"))["kind"] == "comment"
    assert has_shape(await api.get("/posts/t3_mid?subreddit=AWS"), POST)
    for unknown in ("/posts/nothing", "/posts/t1_new", "/posts/mid?subreddit=Cursor", "/posts/%00", "/posts/t3_"):
        body = await api.get(unknown, status=404)
        assert body == {"detail": "There is no such post here.", "error": "unknown_post"}


async def test_subreddits_are_those_that_have_items(api: RunningApi) -> None:
    """Each once, whatever the spellings."""
    assert await api.get("/subreddits") == {"subreddits": ["aws", "Cursor"], "count": 2, "source": "reddit"}


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/sentiment/stats?hours=0", "hours"),
        ("/sentiment/stats?hours=169", "hours"),
        ("/sentiment/stats?hours=many", "hours"),
        ("/sentiment/stats?hours=1.5", "hours"),
        ("/sentiment/stats?hours=", "hours"),
        ("/sentiment/stats?hours=99999999999999999999", "hours"),
        (f"/sentiment/stats?subreddit={'x' * 101}", "subreddit"),
        ("/sentiment/trends?hours=721", "hours"),
        ("/posts/recent?limit=0", "limit"),
        ("/posts/recent?limit=501", "limit"),
        ("/posts/recent?kind=tool", "kind"),
    ],
)
async def test_a_wrong_parameter_is_named(api: RunningApi, path: str, named: str) -> None:
    """422 with a sentence that says which parameter is wrong, and how."""
    body = await api.get(path, status=422)
    assert body["error"] == "wrong_parameter"
    assert body["detail"].startswith(f"The parameter {named} is wrong: expected ")


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("GET", "/api/v1/trending/none", 404, "not_found"),
        ("GET", "/api/v1/posts/a/b", 404, "not_found"),
        ("GET", "/static/..%2fpage.py", 404, "not_found"),
        ("GET", "/static/nothing.css", 404, "not_found"),
        ("DELETE", "/api/v1/health", 405, "method_not_allowed"),
        ("POST", "/api/v1/posts/recent", 405, "method_not_allowed"),
        ("GET", "/api/v1/admin/collect", 405, "method_not_allowed"),
    ],
)
async def test_every_error_is_json_for_people_and_programs(
    api: RunningApi, method: str, path: str, status: int, error: str
) -> None:
    """What the server itself answers has the same body as what the handlers refuse."""
    response = await api.ask(method, path)
    assert response.status == status
    assert response.content_type == "application/json"
    body = await response.json()
    assert body["error"] == error
    assert body["detail"].endswith(".")
    assert (status == 405) == ("Allow" in response.headers)


async def test_a_fault_of_ours_is_told_without_its_insides(api: RunningApi) -> None:
    """A store that this version can't read as it should is a 500 whose body names nothing, and the next call works."""
    await api.get("/subreddits")
    database = api.settings.folders.store
    await asyncio.to_thread(_change, database, "ALTER TABLE subreddits RENAME TO gone")
    body = await api.get("/subreddits", status=500)
    assert body == {"detail": "Something went wrong here. The log has the details.", "error": "internal"}
    await asyncio.to_thread(_change, database, "ALTER TABLE gone RENAME TO subreddits")
    assert (await api.get("/subreddits"))["count"] == 2


async def test_every_answer_carries_the_security_headers(api: RunningApi) -> None:
    """Data, errors and the page alike; nothing tells the versions of what serves them."""
    for path in ("/api/v1/health", "/api/v1/posts/recent", "/api/v1/nothing", "/", "/static/page.css", "/metrics"):
        headers = (await api.ask("GET", path)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["Server"] == "SentimentAgent"


@pytest.mark.parametrize(
    ("sources", "told"), [(("sample",), "sample"), (("reddit",), "reddit"), (("sample", "reddit"), "reddit, sample")]
)
async def test_the_source_of_the_data_is_told_with_it(short_path: Path, sources: tuple[str, ...], told: str) -> None:
    """Every answer with data carries the header, and the field where it is an object."""
    now = int(time.time())
    async with running_api(short_path) as api:
        await api.store(*(scored(item(f"t3_{source}", created_utc=now - 5, source=source)) for source in sources))
        for path in ("/health", "/sentiment/stats", "/sentiment/trends", "/subreddits"):
            response = await api.ask("GET", f"/api/v1{path}")
            assert response.headers["X-Data-Source"] == (await response.json())["source"] == told
        assert (await api.ask("GET", "/api/v1/posts/recent")).headers["X-Data-Source"] == told
        assert (await api.ask("GET", "/")).headers["X-Data-Source"] == told
        one = await api.ask("GET", f"/api/v1/posts/{sources[0]}")
        assert one.headers["X-Data-Source"] == (await one.json())["source"] == sources[0]


async def test_a_page_of_an_allowed_origin_may_read(short_path: Path) -> None:
    """The origins that the operator named get the headers of CORS, on errors too; others get none."""
    theirs = "http://dash.example:3000"
    async with running_api(short_path, API_CORS_ORIGINS=f"{theirs}, http://other.example") as api:
        for path in ("/api/v1/nothing", "/api/v1/health", "/metrics"):
            headers = (await api.ask("GET", path, Origin=theirs)).headers
            assert headers["Access-Control-Allow-Origin"] == theirs
            assert "Origin" in headers.getall("Vary")
            assert "Access-Control-Allow-Credentials" not in headers
            for foreign in ("http://dash.example", "https://dash.example:3000", "http://evil.example", "null"):
                answer = (await api.ask("GET", path, Origin=foreign)).headers
                assert "Access-Control-Allow-Origin" not in answer
                assert "Origin" in answer.getall("Vary")


async def test_a_preflight_is_answered_for_allowed_origins_only(short_path: Path) -> None:
    """An OPTIONS that asks for a method: 204 with what is allowed, or 403 in JSON."""
    theirs = "http://dash.example"
    asked = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "x-admin-token"}
    async with running_api(short_path, API_CORS_ORIGINS=theirs) as api:
        allowed = await api.ask("OPTIONS", "/api/v1/admin/collect", Origin=theirs, **asked)
        assert allowed.status == 204
        assert allowed.headers["Access-Control-Allow-Origin"] == theirs
        assert "POST" in allowed.headers["Access-Control-Allow-Methods"]
        assert "X-Admin-Token" in allowed.headers["Access-Control-Allow-Headers"]
        refused = await api.ask("OPTIONS", "/api/v1/admin/collect", Origin="http://evil.example", **asked)
        assert refused.status == 403
        assert (await refused.json())["error"] == "foreign_origin"
        assert "Access-Control-Allow-Origin" not in refused.headers


async def test_a_star_among_the_origins_allows_all(short_path: Path) -> None:
    """What the setting meant in the backend before this one, it means here."""
    async with running_api(short_path, API_CORS_ORIGINS="*") as api:
        answer = await api.ask("GET", "/api/v1/subreddits", Origin="http://anybody.example")
        assert answer.headers["Access-Control-Allow-Origin"] == "http://anybody.example"


async def test_a_time_that_no_calendar_holds_costs_no_answer(short_path: Path) -> None:
    """A post from the year 300,000 is told as the last second that there is; the others come with it."""
    async with running_api(short_path) as api:
        await api.store(
            scored(item("t3_far", created_utc=9_400_000_000_000, collected_utc=9_400_000_000_000)),
            scored(item("t3_now", created_utc=int(time.time()))),
        )
        assert [post["created_utc"][:4] for post in await api.get("/posts/recent")] == ["9999", str(_year())]
        assert (await api.ask("GET", "/")).status == 200
        assert (await api.get("/health"))["application"]["data_freshness_minutes"] == 0


async def test_metrics_are_what_prometheus_reads(api: RunningApi) -> None:
    """Requests by route template, and the store's contents, in the exposition format."""
    await api.get("/posts/mid")
    await api.get("/posts/nothing-of-the-kind", status=404)
    await api.get("/nowhere/at/all", status=404)
    await api.ask("PROPFIND", "/api/v1/health")
    response = await api.ask("GET", "/metrics")
    assert response.content_type == "text/plain"
    lines = (await response.text()).splitlines()
    count = 'sentimentagent_http_requests_total{method="%s",route="%s",status="%s"} 1.0'
    assert count % ("GET", "/api/v1/posts/{id}", 200) in lines
    assert count % ("GET", "/api/v1/posts/{id}", 404) in lines
    assert count % ("GET", "unmatched", 404) in lines
    assert count % ("other", "unmatched", 405) in lines
    assert 'sentimentagent_http_request_seconds_count{route="/api/v1/posts/{id}"} 2.0' in lines
    assert "sentimentagent_store_up 1.0" in lines
    assert "sentimentagent_store_items 6.0" in lines
    assert 'sentimentagent_cycles_total{outcome="succeeded"} 1.0' in lines
    assert not [line for line in lines if "nothing-of-the-kind" in line or "nowhere" in line]


async def test_a_large_body_is_not_read(api: RunningApi) -> None:
    """Nothing here needs a body: what is sent along changes nothing, and a huge one costs the server no memory."""
    reader, writer = await asyncio.open_connection(*api.service.addresses[0])
    writer.write(b"POST /api/v1/posts/recent HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n")
    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 405")
    writer.close()
    assert (await api.get("/subreddits"))["count"] == 2


async def test_the_json_of_a_list_is_one_that_others_can_read(api: RunningApi) -> None:
    """The standard library reads what was written, hostile text and all."""
    response = await api.ask("GET", "/api/v1/posts/recent?kind=all")
    assert len(json.loads(await response.text())) == 5


def _year() -> int:
    return datetime.now(UTC).year


def _change(database: Path, statement: str) -> None:
    import sqlite3  # noqa: PLC0415 - the only test that breaks a store on purpose
    from contextlib import closing  # noqa: PLC0415 - the same

    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute(statement)
