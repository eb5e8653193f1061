"""GET /trending, over a store with and without data."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import msgspec
import pytest
from fakes.running_api import RunningApi, running_api
from fakes.stored import item, scored

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from agent.records import Scored, Sentiment

DAY_S = 86_400
HOUR_S = 3600
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
HOSTILE = "<script>alert(1)</script> \u202e\x00"


@pytest.fixture
async def api(short_path: Path) -> AsyncIterator[RunningApi]:
    """Run an API over an empty store."""
    async with running_api(short_path) as running:
        await running.store()
        yield running


def said(name: str, title: str, age_s: int, sentiment: Sentiment = "neutral", upvotes: int | None = 7) -> Scored:
    """Return a post of somebody of that name, without a text."""
    one = item(name, title=title, content="", created_utc=int(time.time()) - age_s, author=f"by {name}")
    return scored(msgspec.structs.replace(one, upvotes=upvotes), sentiment)


def usual() -> list[Scored]:
    """Return sixty posts of the week before, and twenty of today, about the same."""
    titles = ("Which keyboard layout", "Dark theme settings", "Indexing large projects", "Terminal colours")
    before = [said(f"t3_b{index}", titles[index % 4], DAY_S + 3000 + index * 7200) for index in range(60)]
    return before + [said(f"t3_u{index}", titles[index % 4], 60 + index * HOUR_S) for index in range(20)]


async def test_an_empty_store_has_no_themes(api: RunningApi) -> None:
    """An array, as always."""
    assert await api.get("/trending") == []


async def test_what_is_new_today_is_a_theme_in_the_contracts_shape(api: RunningApi) -> None:
    """Every field, with the figures of its posts."""
    moods: tuple[Sentiment, ...] = ("negative", "negative", "positive", "neutral")
    outage = [
        said(f"t3_o{index}", f"Login outage number {index}", 7200 + index, moods[index % 4]) for index in range(8)
    ]
    await api.store(*usual(), *outage)
    (theme,) = await api.get("/trending")
    assert theme["theme"] == "login outage"
    assert theme["keywords"] == ["login outage"]
    assert sorted(theme["post_ids"]) == sorted(f"o{index}" for index in range(8))
    assert theme["engagement_velocity"] == pytest.approx(8 * (7 + 3) / 2, rel=0.01)
    assert theme["sentiment_distribution"] == {"positive": 2, "negative": 4, "neutral": 2}
    assert INSTANT.fullmatch(theme["peak_time"])
    assert theme["peak_time"].endswith("00:00Z")
    assert INSTANT.fullmatch(theme["created_at"])
    assert re.fullmatch(r"[0-9a-f]{16}", theme["id"])
    assert (await api.get(f"/posts/{theme['post_ids'][0]}"))["title"].startswith("Login outage")
    answer = await api.ask("GET", "/api/v1/trending")
    assert answer.headers["X-Data-Source"] == "reddit"


async def test_the_fastest_comes_first_and_the_limit_cuts(api: RunningApi) -> None:
    """Themes move by votes and comments an hour; one of which nothing is known is last, with null."""
    for count, (title, upvotes) in enumerate([("Login outage", 5), ("Pricing doubled", 500), ("Refund delay", None)]):
        names = (f"t3_{count}x{index}" for index in range(15))
        await api.store(
            *(
                _silent(said(name, title, 3600)) if upvotes is None else said(name, title, 3600, upvotes=upvotes)
                for name in names
            )
        )
    await api.store(*usual())
    themes = await api.get("/trending")
    assert [theme["theme"] for theme in themes] == ["pricing doubled", "login outage", "refund delay"]
    assert themes[-1]["engagement_velocity"] is None
    assert await api.get("/trending?limit=1") == themes[:1]


@pytest.mark.parametrize("limit", ["0", "101", "many", ""])
async def test_a_wrong_limit_is_named(api: RunningApi, limit: str) -> None:
    """From 1 to 100."""
    body = await api.get(f"/trending?limit={limit}", status=422)
    assert body["detail"].startswith("The parameter limit is wrong: expected ")


async def test_the_text_of_strangers_stays_text(api: RunningApi) -> None:
    """Marks of markup and of direction are no letters: a word is what is left of them."""
    names = (f"t3_h{index}" for index in range(8))
    await api.store(*usual(), *(said(name, f"{HOSTILE} Login outage", 60) for name in names))
    themes = await api.get("/trending")
    assert themes
    for theme in themes:
        assert not set("<>\u202e\x00") & set(theme["theme"] + "".join(theme["keywords"]))


async def test_comments_and_yesterday_are_no_themes(api: RunningApi) -> None:
    """Posts of the last day alone."""
    comments = [said(f"t1_c{index}", "", 60) for index in range(9)]
    await api.store(*usual(), *comments, *(said(f"t3_y{index}", "Login outage", DAY_S + 60) for index in range(9)))
    assert await api.get("/trending") == []


def _silent(one: Scored) -> Scored:
    """Return the post as a source tells it that says nothing of votes and comments."""
    return msgspec.structs.replace(one, item=msgspec.structs.replace(one.item, upvotes=None, comment_count=None))
