"""Looking again at what is stored, from Reddit to the store: votes and edits arrive, deletions are followed."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from fakes.examples import WordEngine, example_settings, living
from fakes.fake_reddit import CLIENT_ID, CLIENT_SECRET, FakeReddit
from fakes.stored import item, scored

from agent.analyzer import Analyzer
from agent.collector import Collector
from agent.sources.protocol import Page
from agent.sources.sample import SampleSource
from agent.store.choose import open_reader, open_writer
from agent.sweep import Sweep
from ipc.channel import ask
from ipc.life import Pulse
from ipc.messages import Collect, Item

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

    from agent.store.protocol import Reading

# asyncprawcore signs in with a class and a parameter that aiohttp 3.14 calls deprecated (and 4.0 will not have).
pytestmark = pytest.mark.filterwarnings(r"ignore:(BasicAuth|The 'auth' parameter) is deprecated:DeprecationWarning")


@asynccontextmanager
async def running(home: Path, fake: FakeReddit, **changes: str) -> AsyncIterator[tuple[Pulse, Reading]]:
    """Run collector and analyzer on the stand-in, where each second look is due a second after the first."""
    given = {"REDDIT_CLIENT_ID": CLIENT_ID, "REDDIT_CLIENT_SECRET": CLIENT_SECRET, "REDDIT_URL": fake.url}
    given |= {"SUBREDDITS": "aws", "RECHECK_AFTER_HOURS": "0.0001"} | changes
    settings = example_settings(home, **given)
    pulse = Pulse("collector")
    analyzer = Analyzer(settings, Pulse("analyzer"), WordEngine)
    async with living(analyzer), living(Collector(settings, pulse)), open_reader(settings) as store:
        yield pulse, store


async def until(claim: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it is so, ten seconds at most."""
    async with asyncio.timeout(10):
        while not await claim():
            await asyncio.sleep(0.05)


async def collect_until(home: Path, claim: Callable[[], Awaitable[bool]]) -> None:
    """Begin one cycle after the other until it is so."""

    async def again() -> bool:
        await ask(home / "run" / "collector.sock", Collect(), 2)
        return await claim()

    await until(again)


async def test_edits_and_deletions_reach_the_store_and_its_totals(short_path: Path) -> None:
    """An edited text has a new score, a deleted one nothing that anybody wrote; both are counted once."""
    now = int(time.time())
    async with FakeReddit() as fake:
        edited = fake.add_post("aws", now - 60, title="Plans", selftext="I love it")
        deleted = fake.add_post("aws", now - 50, title="News", selftext="I love it")
        async with running(short_path, fake) as (pulse, store):

            async def is_there() -> bool:
                return await store.item(edited) is not None and await store.item(deleted) is not None

            await until(is_there)
            assert (await store.totals(None, now - 3600, now + 60)).positive == 2
            fake.edit(edited, selftext="I hate it", score=99)
            fake.take_away(deleted)

            async def is_followed() -> bool:
                one = await store.item(edited)
                return one is not None and one.item.upvotes == 99 and await store.item(deleted) is None

            await collect_until(short_path, is_followed)
            totals = await store.totals(None, now - 3600, now + 60)
            one = await store.item(edited)
        assert (totals.total, totals.positive, totals.negative) == (2, 1, 1)
        assert one is not None
        assert (one.item.content, one.score.sentiment) == ("I hate it", "negative")
        assert pulse.gauges["found_deleted"] >= 1


async def test_a_sweep_that_fails_leaves_all_of_it_due(short_path: Path) -> None:
    """Reddit refuses for a while: nothing is deleted, the cycles go on, and the next look follows."""
    now = int(time.time())
    async with FakeReddit() as fake:
        name = fake.add_post("aws", now - 60, selftext="I love it")
        fake.failures["info"] = fake.answer(403)
        async with running(short_path, fake) as (pulse, store):

            async def was_refused() -> bool:
                return sum(request.startswith("/api/info") for request in fake.requests) >= 2

            await collect_until(short_path, was_refused)
            assert await store.item(name) is not None
            del fake.failures["info"]
            fake.edit(name, score=99)

            async def is_followed() -> bool:
                one = await store.item(name)
                return one is not None and one.item.upvotes == 99

            await collect_until(short_path, is_followed)
        assert pulse.gauges["found_deleted"] == 0


async def test_a_sweep_ends_for_a_cycle_that_was_asked_for(short_path: Path) -> None:
    """Between two requests: the rest is due still, and is looked at by the next one."""
    requested = asyncio.Event()
    source = _AskedFor(requested)
    settings = example_settings(short_path)
    async with open_writer(settings) as writer, open_reader(settings) as store:
        await writer.write([scored(item(f"t3_{number}", source="reddit")) for number in range(250)], [], [])
        sweep = Sweep(store, source, source.keep, Pulse("collector"), settings.collector)
        assert (await sweep.run(requested.is_set)).looked_at == 100
        requested.clear()
        assert (await sweep.run(lambda: False)).looked_at == 250


class _AskedFor(SampleSource):
    """A source at whose first look somebody asks for a cycle."""

    def __init__(self, requested: asyncio.Event) -> None:
        super().__init__()
        self._requested = requested

    async def look_again(self, items: Sequence[Item]) -> Page:
        self._requested.set()
        return Page(items=tuple(items))

    async def keep(self, _stream: str, page: Page) -> int:
        return len(page.items)


async def test_no_look_is_taken_where_none_is_wanted(short_path: Path) -> None:
    """RECHECK_AFTER_HOURS=0 asks Reddit for nothing twice."""
    async with FakeReddit() as fake:
        fake.add_post("aws", int(time.time()) - 60)
        async with running(short_path, fake, RECHECK_AFTER_HOURS="0") as (pulse, _):

            async def two_cycles() -> bool:
                return pulse.gauges.get("cycles_succeeded", 0) >= 2

            await collect_until(short_path, two_cycles)
        assert not any(request.startswith("/api/info") for request in fake.requests)
