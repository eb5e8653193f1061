"""Lists in pages: what is in them, in which order, and how one page leads to the next."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from fakes.running_api import RunningApi, running_api
from fakes.stored import item, scored

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from agent.records import Sentiment

NEXT = re.compile(r'<(/api/v1/[^>]+)>; rel="next"')


@pytest.fixture
async def api(short_path: Path) -> AsyncIterator[RunningApi]:
    """Return an API over nine posts, a minute apart, of three sentiments in turn, and one comment."""
    now = int(time.time())
    async with running_api(short_path) as running:
        verdicts: tuple[Sentiment, ...] = ("positive", "neutral", "negative")
        await running.store(
            *(
                scored(item(f"t3_{n}", created_utc=now - 60 * (n + 1), subreddit="aws"), verdicts[n % 3])
                for n in range(9)
            ),
            scored(item("t1_comment", created_utc=now - 30), "positive"),
        )
        yield running


async def all_pages(api: RunningApi, path: str) -> list[Any]:
    """Return the pages that the links lead through."""
    pages: list[Any] = []
    while path:
        response = await api.ask("GET", path)
        assert response.status == 200, await response.text()
        pages.append(await response.json())
        following = NEXT.fullmatch(response.headers.get("Link", ""))
        assert ("X-Next-Cursor" in response.headers) == (following is not None)
        path = following[1] if following else ""
    return pages


async def test_the_pages_of_a_list_are_the_whole_list_once(api: RunningApi) -> None:
    """In any order, however many a page: whoever follows the links sees each item once."""
    for order in ("newest", "oldest", "positive", "negative", "discussed"):
        (whole,) = await all_pages(api, f"/api/v1/posts?kind=all&order={order}")
        pages = await all_pages(api, f"/api/v1/posts?kind=all&order={order}&limit=4")
        assert [len(page["posts"]) for page in pages] == [4, 4, 2]
        assert [post for page in pages for post in page["posts"]] == whole["posts"]
        assert [page["next_cursor"] is None for page in pages] == [False, False, True]
        assert {page["source"] for page in pages} == {"reddit"}


async def test_a_list_has_what_was_asked_for(api: RunningApi) -> None:
    """Kind, sentiment, subreddit and window are kept from page to page."""
    pages = await all_pages(api, "/api/v1/posts?subreddit=AWS&sentiment=negative&limit=1&hours=1")
    assert [post["id"] for page in pages for post in page["posts"]] == ["2", "5", "8"]
    (comments,) = await all_pages(api, "/api/v1/posts?kind=comment")
    assert [post["name"] for post in comments["posts"]] == ["t1_comment"]
    (none,) = await all_pages(api, "/api/v1/posts?start=2001-01-01&end=2001-01-02")
    assert none == {"posts": [], "next_cursor": None, "source": None}


async def test_what_is_stored_meanwhile_shifts_nothing(api: RunningApi) -> None:
    """The next page begins behind the last item of this one, and not at a number."""
    first = await api.get("/posts?limit=3")
    now = int(time.time())
    await api.store(*(scored(item(f"t3_new{n}", created_utc=now - n)) for n in range(5)))
    second = await api.get(f"/posts?limit=3&cursor={first['next_cursor']}")
    assert [post["id"] for post in first["posts"] + second["posts"]] == ["0", "1", "2", "3", "4", "5"]


async def test_the_newest_stay_an_array_and_lead_on_by_their_headers(api: RunningApi) -> None:
    """The clients of the backend before this one read an array; who wants more follows the link."""
    pages = await all_pages(api, "/api/v1/posts/recent?limit=4&kind=all&colour=%F0%9F%94%B5%3E%22%0D%0AX-Evil:1")
    assert [[post["name"] for post in page] for page in pages] == [
        ["t1_comment", "t3_0", "t3_1", "t3_2"],
        ["t3_3", "t3_4", "t3_5", "t3_6"],
        ["t3_7", "t3_8"],
    ]


@pytest.mark.parametrize("path", ["/posts", "/posts/recent"])
@pytest.mark.parametrize("cursor", ["nonsense", "", "%00", "WyJuZXdlc3QiLDFd", "W10", "a" * 501, "%F0%9F%94%B5", "%FF"])
async def test_a_malformed_cursor_is_refused(api: RunningApi, path: str, cursor: str) -> None:
    """It names the parameter, and shows nothing of a list that was not asked for."""
    body = await api.get(f"{path}?cursor={cursor}", status=422)
    assert body["error"] == "wrong_parameter"
    assert body["detail"].startswith("The parameter cursor is wrong: expected ")


async def test_a_cursor_of_another_order_is_refused(api: RunningApi) -> None:
    """Its place means nothing there: a page of anything would be a lie."""
    cursor = (await api.get("/posts?limit=1&order=positive"))["next_cursor"]
    assert await api.get(f"/posts?limit=1&order=positive&cursor={cursor}")
    body = await api.get(f"/posts?limit=1&cursor={cursor}", status=422)
    assert "positive" in body["detail"]
    await api.get(f"/posts/recent?cursor={cursor}", status=422)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("hours=0", "hours"),
        ("hours=2161", "hours"),
        ("limit=501", "limit"),
        ("order=best", "order"),
        ("sentiment=happy", "sentiment"),
        ("start=yesterday", "start"),
        ("start=2025-01-02&end=2025-01-01", "start"),
        ("end=2025-01-32", "end"),
    ],
)
async def test_a_wrong_filter_is_named(api: RunningApi, query: str, named: str) -> None:
    """As everywhere: 422, and a sentence that says what was expected."""
    body = await api.get(f"/posts?{query}", status=422)
    assert body["detail"].startswith(f"The parameter {named} is wrong: expected ")
