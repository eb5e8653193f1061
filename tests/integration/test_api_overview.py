"""GET /sentiment/overview and /sentiment/shifts, over a store with and without data."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from fakes.running_api import RunningApi, running_api
from fakes.stored import cycle, item, scored

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from agent.records import Scored, Sentiment

HOUR_S = 3600
MOODS: dict[str, tuple[Sentiment, ...]] = {
    "content": ("positive", "positive", "neutral", "neutral", "negative"),
    "angry": ("negative", "negative", "negative", "neutral", "positive"),
}
SAID: dict[Sentiment, str] = {
    "positive": "Lovely completion",
    "neutral": "Which keyboard layout",
    "negative": "Slow indexing",
}


@pytest.fixture
async def api(short_path: Path) -> AsyncIterator[RunningApi]:
    """Run an API over an empty store."""
    async with running_api(short_path) as running:
        await running.store()
        yield running


def turned(subreddit: str, turn_utc: int, hours: int, an_hour: int = 20) -> Iterator[Scored]:
    """Yield the items of a community that was content before the turn and is angry about rate limits after it."""
    for hour in range(-hours, hours):
        mood = MOODS["content" if hour < 0 else "angry"]
        for index in range(an_hour):
            sentiment = mood[(index + hour) % len(mood)]
            said = "Rate limits everywhere" if hour >= 0 and sentiment == "negative" else SAID[sentiment]
            name = f"t3_{subreddit.lower()}{hour + hours}x{index}"
            created_utc = turn_utc + hour * HOUR_S + index
            yield scored(
                item(name, subreddit=subreddit, created_utc=created_utc, title=f"{said} {index}", content=""), sentiment
            )


def an_hour_ago() -> int:
    """Return the last full hour's beginning."""
    return int(time.time()) // HOUR_S * HOUR_S - HOUR_S


async def test_the_overview_of_an_empty_store_is_all_unknown(api: RunningApi) -> None:
    """Every bucket is there; nothing is 0 that nobody measured."""
    overview = await api.get("/sentiment/overview")
    assert overview["subreddits"] == []
    assert overview["source"] is None
    line = overview["all"]
    assert line["statistics"] == {"total": 0, "positive": 0, "negative": 0, "neutral": 0, "avg_sentiment": None}
    assert [line[field] for field in ("net", "net_low", "net_high", "difference")] == [None] * 4
    assert line["difference_is_real"] is False
    assert line["previous"]["net"] is None
    assert len(line["points"]) in {24, 25}
    assert {(point["total"], point["net"], point["net_low"], point["net_high"]) for point in line["points"]} == {
        (0, None, None, None)
    }


@pytest.mark.parametrize(
    ("query", "hours", "bucket_hours"),
    [("hours=48", 48, 1), ("hours=49", 49, 3), ("hours=168", 168, 3), ("hours=169", 169, 24), ("hours=2160", 2160, 24)],
)
async def test_buckets_grow_with_the_window(api: RunningApi, query: str, hours: int, bucket_hours: int) -> None:
    """Hours up to two days, three hours up to a week, days above; at most a hundred points a line."""
    window = (await api.get(f"/sentiment/overview?{query}"))["window"]
    assert (window["hours"], window["bucket_hours"]) == (hours, bucket_hours)
    points = (await api.get(f"/sentiment/overview?{query}"))["all"]["points"]
    assert hours / bucket_hours <= len(points) <= hours / bucket_hours + 2 <= 100


async def test_each_line_has_its_net_with_its_band_and_what_was_before(api: RunningApi) -> None:
    """Counted by hand: five items now, two before; the comments count too."""
    now = int(time.time())
    await api.store(
        *(scored(item(f"t3_p{index}", created_utc=now - 60 - index), "positive") for index in range(3)),
        scored(item("t1_n", created_utc=now - 90), "negative"),
        scored(item("t3_aws", created_utc=now - 5, subreddit="aws"), "neutral"),
        scored(item("t3_before", created_utc=now - 30 * HOUR_S), "negative"),
        scored(item("t3_early", created_utc=now - 47 * HOUR_S), "neutral"),
        scored(item("t3_never", created_utc=now - 49 * HOUR_S), "negative"),
    )
    overview = await api.get("/sentiment/overview")
    line = overview["all"]
    assert line["subreddit"] == "all"
    assert (line["statistics"]["total"], line["net"]) == (5, 0.4)
    # Bonett and Price: 4/7 - 2/7 and 1.96 times the root of (6/7 - (2/7)^2) / 7.
    assert (line["net_low"], line["net_high"]) == (-0.3667, 0.9381)
    assert line["previous"]["statistics"]["total"] == 2
    assert (line["previous"]["net"], line["difference"], line["difference_is_real"]) == (-0.5, 0.9, False)
    assert [each["subreddit"] for each in overview["subreddits"]] == ["Cursor", "aws"]
    aws = overview["subreddits"][1]
    assert (aws["net"], aws["previous"]["net"], aws["difference"]) == (0.0, None, None)
    for each in (line, *overview["subreddits"]):
        for field in ("total", "positive", "negative", "neutral"):
            assert sum(point[field] for point in each["points"]) == each["statistics"][field]
    assert overview["source"] == "reddit"


async def test_the_subreddits_are_the_largest_or_those_that_are_named(api: RunningApi) -> None:
    """Each once and as it was asked for; one that nobody writes in has a line of gaps, not of zeros."""
    now = int(time.time())
    for subreddit, count in (("aws", 1), ("Cursor", 3), ("claude", 2)):
        names = (f"t3_{subreddit}{index}" for index in range(count))
        await api.store(*(scored(item(name, subreddit=subreddit, created_utc=now - 9)) for name in names))
    assert await _names(api, "") == ["Cursor", "claude", "aws"]
    assert await _names(api, "top=2") == ["Cursor", "claude"]
    assert await _names(api, "top=0") == []
    assert await _names(api, "subreddits=CLAUDE,nowhere,claude,%20aws,") == ["claude", "nowhere", "aws"]
    nowhere = (await api.get("/sentiment/overview?subreddits=nowhere"))["subreddits"][0]
    assert nowhere["net"] is None


@pytest.mark.parametrize("path", ["overview", "shifts"])
@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("hours=0", "hours"),
        ("hours=2161", "hours"),
        ("top=51", "top"),
        ("start=2025-01-01&end=2025-12-31", "start"),
        ("start=2025-01-02&end=2025-01-01", "start"),
        ("subreddits=" + ",".join(f"r{index}" for index in range(51)), "subreddits"),
        (f"subreddits={'x' * 2001}", "subreddits"),
    ],
)
async def test_a_wrong_parameter_is_named(api: RunningApi, path: str, query: str, named: str) -> None:
    """422 with a sentence that says which parameter is wrong, and how."""
    body = await api.get(f"/sentiment/{path}?{query}", status=422)
    assert body["detail"].startswith(f"The parameter {named} is wrong: expected ")


async def test_a_difference_is_real_when_chance_hardly_makes_it(api: RunningApi) -> None:
    """A community that turned, beside one that did not, and one of which too little is known."""
    turn_utc = an_hour_ago()
    await api.store(
        *turned("Cursor", turn_utc, 8),
        *(scored(one.item, "neutral") for one in turned("aws", turn_utc, 8)),
        scored(item("t3_few", subreddit="claude", created_utc=turn_utc - 60), "positive"),
        scored(item("t3_few2", subreddit="claude", created_utc=turn_utc + 60), "negative"),
    )
    start, end = turn_utc, turn_utc + HOUR_S
    overview = await api.get(f"/sentiment/overview?start={_told(start)}&end={_told(end)}")
    real = {line["subreddit"]: line["difference_is_real"] for line in overview["subreddits"]}
    assert real == {"Cursor": True, "aws": False, "claude": False}


async def test_what_could_not_be_read_is_told(api: RunningApi) -> None:
    """A line without items may be one that nobody could read: of those that are asked for."""
    await api.store(cycles=(cycle(failed=True),))
    assert (await api.get("/sentiment/overview"))["unread"] == {"aws": "forbidden"}
    assert (await api.get("/sentiment/shifts?subreddits=AWS"))["unread"] == {"aws": "forbidden"}
    assert (await api.get("/sentiment/overview?subreddits=cursor"))["unread"] == {}


async def test_the_shifts_of_an_empty_store_are_none(api: RunningApi) -> None:
    """And none of its lines could be tested: that is said too."""
    found = await api.get("/sentiment/shifts?subreddits=aws")
    assert found["shifts"] == []
    assert (found["found"], found["tested"], found["too_few"]) == (0, 0, ["all", "aws"])


async def test_a_shift_is_told_with_the_posts_and_words_that_drove_it(api: RunningApi) -> None:
    """At its hour, in its subreddit and in all; its words are those that are new, its posts those that are angry."""
    turn_utc = an_hour_ago() - 6 * HOUR_S
    await api.store(*turned("Cursor", turn_utc, 7), scored(item("t3_few", subreddit="aws", created_utc=turn_utc)))
    found = await api.get("/sentiment/shifts")
    assert (found["found"], found["tested"], found["too_few"]) == (2, 2, ["aws"])
    assert [shift["subreddit"] for shift in found["shifts"]] == ["all", "Cursor"]
    shift = found["shifts"][1]
    assert shift["at"] == _told(turn_utc)
    assert (shift["before"]["total"], shift["before"]["net"]) == (140, 0.2)
    assert (shift["after"]["total"], shift["after"]["net"], shift["difference"]) == (140, -0.4, -0.6)
    assert shift["after"]["net_low"] < -0.4 < shift["after"]["net_high"]
    assert 0 < shift["p_value"] < 0.001
    assert shift["words_of"] == "negative"
    words = {word["word"]: word for word in shift["words"]}
    assert words["rate limits"]["before"] == 0
    assert words["rate limits"]["after"] > 50
    assert words["rate limits"]["weight"] > 2.5
    assert words["slow indexing"]["weight"] < -2.5
    assert shift["texts_read"]["after"] == words["rate limits"]["after"]
    assert len(shift["posts"]) == 5
    assert {(post["sentiment"], post["subreddit"]) for post in shift["posts"]} == {("negative", "Cursor")}
    assert all(
        post["title"].startswith("Rate limits") and post["created_utc"] >= shift["at"] for post in shift["posts"]
    )


async def test_steady_communities_have_no_shift(api: RunningApi) -> None:
    """However many items there are."""
    turn_utc = an_hour_ago() - 6 * HOUR_S
    await api.store(*(one for one in turned("Cursor", turn_utc + 8 * HOUR_S, 12) if one.item.created_utc < time.time()))
    found = await api.get("/sentiment/shifts?hours=10")
    assert (found["shifts"], found["found"], found["tested"]) == ([], 0, 2)


async def test_new_items_change_the_answer_and_a_deleted_post_leaves_it(api: RunningApi) -> None:
    """What is kept is kept only as long as the data are the same."""
    turn_utc = an_hour_ago() - 6 * HOUR_S
    assert (await api.get("/sentiment/shifts"))["found"] == 0
    items = list(turned("Cursor", turn_utc, 7))
    await api.store(*items)
    first = await api.get("/sentiment/shifts")
    assert first["found"] == 2
    gone = first["shifts"][0]["posts"][0]["name"]
    (one,) = (each for each in items if each.item.name == gone)
    await api.store(_deleted(one))
    async with asyncio.timeout(5):
        while gone in str(again := await api.get("/sentiment/shifts")):
            await asyncio.sleep(0.05)
    assert again["found"] == 2


def _deleted(one: Scored) -> Scored:
    import msgspec  # noqa: PLC0415 - the only test that deletes

    later = msgspec.structs.replace(one.item, is_deleted=True, collected_utc=one.item.collected_utc + 10**6)
    return msgspec.structs.replace(one, item=later)


async def _names(api: RunningApi, query: str) -> list[Any]:
    return [line["subreddit"] for line in (await api.get(f"/sentiment/overview?{query}"))["subreddits"]]


def _told(seconds_utc: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds_utc))
