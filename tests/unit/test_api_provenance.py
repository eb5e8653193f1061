"""What is said beside the figures: asked for once in each state of the store, and never told for a later one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from agent.records import Collections, Contents
from api.known_answers import STATE
from api.provenance import Provenances
from ipc.messages import SubredditFailure

if TYPE_CHECKING:
    from agent.store.protocol import Reading


def failure(subreddit: str, cause: str) -> SubredditFailure:
    """Return why this one was not read."""
    return SubredditFailure(subreddit=subreddit, cause=cause, detail=f"r/{subreddit}")


class Store:
    """A store with one source, which the test changes, and what it was asked."""

    def __init__(self) -> None:
        self.source = "reddit"
        self.asked = 0
        self.go = asyncio.Event()
        self.go.set()

    async def contents(self) -> Contents:
        self.asked += 1
        source = self.source
        await self.go.wait()
        return Contents(items=1, set_aside=0, newest_collected_utc=1, sources=(source,))

    async def collections(self, now_utc: float) -> Collections:
        assert now_utc > 0
        failures = (failure("AWS", "forbidden"), failure("cursor", "not_found"))
        return Collections(last_finished_utc=1, succeeded=1, failed=0, failed_last_hour=0, last_failures=failures)


async def figures() -> int:
    """Return figures."""
    return 7


async def source(of: Provenances, state: str | None) -> str | None:
    """Return the source that a request is told which saw this state."""
    STATE.set(state)
    told, provenance = await of.beside(figures())
    assert told == 7
    return provenance.source


async def test_it_is_asked_for_once_in_each_state() -> None:
    """However many ask, for whatever figures; a store that can't say its state is asked each time."""
    store = Store()
    of = Provenances(cast("Reading", store))
    assert [await source(of, state) for state in ("a", "a", "a")] == ["reddit"] * 3
    assert store.asked == 1
    store.source = "archive"
    assert [await source(of, state) for state in ("b", "b", "a")] == ["archive"] * 3
    assert store.asked == 3
    assert [await source(of, None) for _ in range(3)] == ["archive"] * 3
    assert store.asked == 6


async def test_those_who_ask_at_once_share_it() -> None:
    """Fifty after a write ask once."""
    store = Store()
    store.go.clear()
    of = Provenances(cast("Reading", store))
    asking = [asyncio.create_task(source(of, "a")) for _ in range(50)]
    async with asyncio.timeout(5):
        while not store.asked:
            await asyncio.sleep(0)
    store.go.set()
    assert await asyncio.gather(*asking) == ["reddit"] * 50
    assert store.asked == 1


async def test_who_saw_a_later_state_is_not_told_of_an_earlier_one() -> None:
    """Not even while the earlier one is still being asked for, nor when that ends last."""
    store = Store()
    store.go.clear()
    of = Provenances(cast("Reading", store))
    earlier = asyncio.create_task(source(of, "a"))
    async with asyncio.timeout(5):
        while not store.asked:
            await asyncio.sleep(0)
    store.source = "archive"
    later = asyncio.create_task(source(of, "b"))
    async with asyncio.timeout(5):
        while store.asked < 2:
            await asyncio.sleep(0)
    store.go.set()
    assert (await earlier, await later) == ("reddit", "archive")
    assert await source(of, "b") == "archive"


async def test_what_was_not_read_is_told_of_those_who_are_asked_for() -> None:
    """Whatever the case of their names; of all, when nobody is named."""
    STATE.set(None)
    _, provenance = await Provenances(cast("Reading", Store())).beside(figures())
    assert provenance.unread(None) == {"AWS": "forbidden", "cursor": "not_found"}
    assert provenance.unread(["aws", "claude"]) == {"AWS": "forbidden"}
    assert provenance.unread([]) == {}
