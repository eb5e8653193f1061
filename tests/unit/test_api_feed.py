from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from api.feed import RING, Feed, wire
from api.observer import HealthChanged


def health(reason: str = "all is well") -> HealthChanged:
    """Return something to tell."""
    return HealthChanged(timestamp=datetime(2026, 11, 24, tzinfo=UTC), status="healthy", reasons=(reason,), notes=[])


def test_an_event_is_one_line_of_data_whatever_is_in_it() -> None:
    """A line break in anybody's words would be the end of the data, and the rest an event of theirs."""
    sent = wire("health", health("a\n\nevent: evil\rdata: x\u2028y"), "abc-1")
    assert sent.startswith(b"id: abc-1\nevent: health\ndata: {")
    assert sent.endswith(b"}\n\n")
    assert sent.count(b"\n") == 4
    assert b"\r" not in sent


def test_a_listener_gets_what_is_behind_its_place() -> None:
    """Each once, in order."""
    feed = Feed()
    assert feed.after(0) == b""
    for nth in range(3):
        feed.tell("health", health(str(nth)))
    sent = feed.after(1)
    assert sent is not None
    assert [line for line in sent.decode().splitlines() if line.startswith("id")] == [
        f"id: {feed.id(2)}",
        f"id: {feed.id(3)}",
    ]
    assert feed.after(3) == b""


def test_the_ring_is_bounded_and_says_so() -> None:
    """Whoever is further behind than the ring reaches has missed something."""
    feed = Feed()
    for _ in range(RING + 10):
        feed.tell("health", health())
    assert feed.after(9) is None
    assert feed.after(10) is not None
    assert feed.place(feed.id(9)) is None
    assert feed.place(feed.id(10)) == 10
    assert feed.told["health"] == RING + 10


@pytest.mark.parametrize("given", [None, "", "7", "-", "other-1", "{life}-", "{life}-x", "{life}-²", "{life}--1"])
def test_an_id_that_is_none_of_ours_has_no_place(given: str | None) -> None:
    """Another life's number, or anything that a client may say: it begins anew."""
    feed = Feed()
    feed.tell("health", health())
    life = feed.id(1).partition("-")[0]
    assert feed.place(given and given.replace("{life}", life)) is None


@pytest.mark.parametrize("number", ["2", "9" * 5000])
def test_an_id_of_the_future_has_no_place(number: str) -> None:
    """Nobody has seen what was not told; a number of 5,000 digits is not even read."""
    feed = Feed()
    feed.tell("health", health())
    assert feed.place(f"{feed.id(1).partition('-')[0]}-{number}") is None


async def test_news_end_a_wait() -> None:
    """At once; and no news are told as none."""
    feed = Feed()
    assert not await feed.news(0, 0.01)
    waiting = asyncio.create_task(feed.news(0, 10))
    await asyncio.sleep(0)
    feed.tell("health", health())
    assert await asyncio.wait_for(waiting, 1)
    assert await feed.news(0, 10)


async def test_the_end_ends_every_wait() -> None:
    """Those that wait, and those that come later."""
    feed = Feed()
    waiting = asyncio.create_task(feed.news(0, 10))
    await asyncio.sleep(0)
    feed.close()
    assert await asyncio.wait_for(waiting, 1)
    assert await feed.news(0, 10)
