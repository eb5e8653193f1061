"""What Cosmos DB does to the store, and what the store makes of it: the real SDK against a strict stand-in."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import msgspec
import pytest
from fakes.cosmos.faults import GONE, RETRY_WITH, UNAVAILABLE, Drop, Fault, Hang, Refuse, Slow, throttle
from fakes.cosmos.server import FakeCosmos
from fakes.cosmos_store import account, prepare, settings_for
from fakes.stored import TEN_O_CLOCK, cycle, item, scored, set_aside

from agent.records import Asked
from agent.store import cosmos_layout
from agent.store.cosmos_client import CosmosDatabase
from agent.store.cosmos_reader import CosmosReader
from agent.store.cosmos_writer import CosmosWriter
from ipc.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from agent.records import Scored
    from ipc.settings import StoreSettings

HOUR = 3600
DAY = 24 * HOUR
END = TEN_O_CLOCK + 100 * DAY


def batch(count: int, first: int = 0) -> list[Scored]:
    """Return items of three subreddits over two days."""
    return [
        scored(
            item(
                f"t3_{n}", subreddit=("aws", "Cursor", "claude")[n % 3], created_utc=TEN_O_CLOCK + n * 977 % (2 * DAY)
            ),
            ("positive", "neutral", "negative")[n % 3],
        )
        for n in range(first, first + count)
    ]


async def counted(settings: StoreSettings) -> tuple[int, int]:
    """Return what the roll-ups and what the contents say."""
    async with CosmosReader(settings) as reader:
        return (await reader.totals(None, 0, END)).total, (await reader.contents()).items


async def until_done(write: Callable[[], Awaitable[object]], limit_s: float = 20.0) -> int:
    """Write as the analyzer does: again and again until it is done; return how often it took."""
    async with asyncio.timeout(limit_s):
        for tries in range(1, 1000):
            try:
                await write()
            except StoreUnavailable as error:
                await asyncio.sleep(error.retry_after_s or 0.02)
            else:
                return tries
    raise AssertionError


@pytest.mark.parametrize(
    ("fault", "kinds", "times"),
    [
        (throttle(20), ("batch", "query", "create"), 9),
        (UNAVAILABLE, ("batch", "query"), 7),
        (RETRY_WITH, ("batch", "replace"), 7),
        (GONE, ("batch",), 7),
        (Drop(is_applied=True), ("batch", "create", "replace"), 5),
        (Drop(is_applied=False), ("batch", "create", "replace"), 5),
        (Refuse(408), ("batch",), 7),
        (Slow(0.05), ("batch",), 4),
        (Refuse(500), ("replace",), 4),
        (Refuse(500), ("read",), 4),
    ],
    ids=["429", "503", "449", "410", "dropped after", "dropped before", "408", "slow", "500 at its end", "500 then"],
)
async def test_what_fails_is_written_once(cosmos: FakeCosmos, fault: Fault, kinds: tuple[str, ...], times: int) -> None:
    """Whatever a write meets, once it is done everything is there and counted once, in days, contents and counters."""
    settings = settings_for(cosmos)
    async with CosmosWriter(settings) as writer:
        await writer.write(batch(40), [], [])
        cosmos.faults.inject(fault, *kinds, times=times)  # type: ignore[arg-type] # a row's kinds are the fake's
        await until_done(lambda: writer.write(batch(300), [set_aside()], [cycle()]))
        assert cosmos.faults.happened == times
    assert await counted(settings) == (300, 300)
    async with CosmosReader(settings) as reader:
        assert (await reader.contents()).set_aside == 1
        assert (await reader.collections(TEN_O_CLOCK)).succeeded == 1


async def test_a_batch_whose_answer_never_came_is_not_counted_again(cosmos: FakeCosmos) -> None:
    """The service has carried it out and stays silent: the write ends by its limit, and a second one adds nothing."""
    settings = settings_for(cosmos, request_timeout_s=0.5)
    async with CosmosWriter(settings) as writer:
        cosmos.faults.inject(Hang(is_applied=True), "batch")
        began_s = time.monotonic()
        with pytest.raises(StoreUnavailable, match="within 0.5 s"):
            await writer.write(batch(5), [], [])
        assert time.monotonic() - began_s < 2
        await writer.write(batch(5), [], [])
    assert await counted(settings) == (5, 5)


async def test_a_dropped_answer_does_not_make_an_item_old(cosmos: FakeCosmos) -> None:
    """The SDK sends a batch again by itself and is told "there already": these items are new all the same."""
    async with CosmosWriter(settings_for(cosmos)) as writer:
        cosmos.faults.inject(Drop(is_applied=True), "batch")
        assert await writer.write(batch(90), [], []) == 90


async def test_two_writers_that_race_count_every_item_once(cosmos: FakeCosmos) -> None:
    """The same and overlapping items, new ones and later looks, from two processes at once."""
    settings = settings_for(cosmos)
    later = [
        scored(item(f"t3_{n}", subreddit=one.item.subreddit, created_utc=one.item.created_utc,
                    collected_utc=one.item.collected_utc + 50, title="Edited"), "negative")
        for n, one in enumerate(batch(150))
    ]  # fmt: skip
    async with CosmosWriter(settings) as one, CosmosWriter(settings) as other:
        new = await asyncio.gather(
            *(one.write(batch(100, first), [], []) for first in (0, 50, 100)),
            *(other.write(batch(100, first), [], []) for first in (100, 0, 50)),
        )
        assert sum(new) == 200
        await asyncio.gather(one.write(later, [], []), other.write(later[::-1], [], []))
    assert await counted(settings) == (200, 200)
    async with CosmosReader(settings) as reader:
        totals = await reader.totals(None, 0, END)
        assert totals.negative == 150 + len([n for n in range(150, 200) if n % 3 == 2])


async def test_a_lack_of_request_units_slows_and_drops_nothing() -> None:
    """With few request units a second a write takes its time: it is told when to come again, and all arrives."""
    async with FakeCosmos(budget_ru_s=1500) as cosmos:
        settings = settings_for(cosmos)
        await prepare(settings)
        async with CosmosWriter(settings) as writer:
            await until_done(lambda: writer.write(batch(400), [], []))
            assert writer.gauges()["store_throttled"] > 0
            assert writer.gauges()["store_request_units"] > 1500
        cosmos.budget = None
        assert await counted(settings) == (400, 400)


@pytest.mark.parametrize("is_connected", [True, False], ids=["connected", "at first"])
@pytest.mark.parametrize(
    ("fault", "limit_s", "words"),
    [
        (UNAVAILABLE, 5.0, "is not available"),
        (GONE, 0.5, "within 0.5 s"),
        (Hang(), 0.5, "within 0.5 s"),
        (Slow(5.0), 0.5, "within 0.5 s"),
        (Drop(), 5.0, "can't be reached"),
        (Refuse(401), 5.0, "COSMOS_KEY"),
        (Refuse(403), 5.0, "firewall"),
        (throttle(20), 5.0, "request units"),
    ],
    ids=["503", "410 for ever", "hang", "slow", "drop", "401", "403", "429"],
)
async def test_a_reader_says_what_is_wrong_within_its_limit(
    cosmos: FakeCosmos, fault: Fault, limit_s: float, words: str, *, is_connected: bool
) -> None:
    """Every call ends by its own limit, in words, and the next one is right again when the fault is gone."""
    async with CosmosReader(settings_for(cosmos, request_timeout_s=limit_s)) as reader:
        if is_connected:
            await reader.contents()
        cosmos.faults.inject(fault, times=None)
        for ask in (reader.contents, lambda: reader.recent(None, 0, 5)):
            began_s = time.monotonic()
            with pytest.raises(StoreUnavailable, match=words):
                await ask()
            assert time.monotonic() - began_s < 2.0
        cosmos.faults.clear()
        assert (await reader.contents()).items == 0


async def test_a_reader_opens_without_the_database_and_finds_it_when_it_is_there() -> None:
    """It starts against nothing, says so at once, and answers within 5 s of the database's return, each time again."""
    async with account() as cosmos:
        settings = settings_for(cosmos)
        async with CosmosWriter(settings) as writer:
            await writer.write(batch(10), [], [])
        await cosmos.stop()
        async with CosmosReader(settings) as reader:
            for _ in range(2):
                began_s = time.monotonic()
                with pytest.raises(StoreUnavailable, match="can't be reached"):
                    await reader.contents()
                assert time.monotonic() - began_s < 5
                await cosmos.start()
                began_s = time.monotonic()
                await until_done(reader.contents)
                assert (await reader.totals(None, 0, END)).total == 10
                assert time.monotonic() - began_s < 5
                await cosmos.stop()


async def test_a_writer_outlives_an_outage(cosmos: FakeCosmos) -> None:
    """The database goes in the middle of a write and comes back: the same writer goes on and counts nothing twice."""
    settings = settings_for(cosmos)
    async with CosmosWriter(settings) as writer:
        cosmos.faults.inject(Slow(0.1), "batch", times=None)
        writing = asyncio.create_task(writer.write(batch(600), [], []))
        await asyncio.sleep(0.15)
        await cosmos.stop()
        with pytest.raises(StoreUnavailable):
            await writing
        cosmos.faults.clear()
        await cosmos.start()
        await until_done(lambda: writer.write(batch(600), [], []))
    assert await counted(settings) == (600, 600)


async def test_nobody_learns_a_secret(cosmos: FakeCosmos, capfd: pytest.CaptureFixture[str]) -> None:
    """Wrong keys, refusals and outages: neither errors, nor their causes, nor logs hold the key or a signature."""
    settings = settings_for(cosmos, request_timeout_s=1.0)
    said = []
    cosmos.key = "b3RoZXI="
    async with CosmosReader(settings) as reader:
        for fault in (None, UNAVAILABLE, Hang(), Drop(), Refuse(400)):
            cosmos.faults.clear()
            if fault:
                cosmos.faults.inject(fault, times=None)
            with pytest.raises((StoreUnavailable, RuntimeError)) as caught:
                await reader.contents()
            said.append("".join(str(caught.getrepr(style="long", chain=True))))
    assert settings.cosmos_key.reveal() not in "".join(said)
    captured = capfd.readouterr()
    for text in (*said, captured.out, captured.err):
        assert "sig=" not in text
        assert settings.cosmos_key.reveal() not in text


async def test_items_expire_by_their_creation_and_counts_never() -> None:
    """An item is gone when its retention is over, whenever it was last changed; what it counted stays."""
    now = TEN_O_CLOCK + DAY
    async with FakeCosmos(now=lambda: now) as cosmos:
        settings = settings_for(cosmos)
        await prepare(settings)
        async with CosmosWriter(settings, clock=lambda: now) as writer, CosmosReader(settings) as reader:
            await writer.write([scored(item("t3_a", created_utc=TEN_O_CLOCK))], [], [])
            now = TEN_O_CLOCK + 80 * DAY
            await writer.write([scored(item("t3_a", created_utc=TEN_O_CLOCK, collected_utc=now))], [], [])
            now = TEN_O_CLOCK + 90 * DAY - 10
            assert await reader.item("t3_a") is not None
            now = TEN_O_CLOCK + 90 * DAY + 10
            assert await reader.item("t3_a") is None
            assert await reader.recent(None, 0, 5) == []
            assert (await reader.totals(None, TEN_O_CLOCK, TEN_O_CLOCK + HOUR)).total == 1
            assert [hour.positive for hour in await reader.hours(None, 5)] == [1]


async def test_an_item_older_than_the_retention_is_counted_once(cosmos: FakeCosmos) -> None:
    """An old archive, and the same batch again an hour later: recognised, because it stays for a day."""
    settings = settings_for(cosmos)
    async with CosmosWriter(settings) as writer:
        old = [scored(item("t3_a", created_utc=TEN_O_CLOCK - 3000 * DAY))]
        assert [await writer.write(old, [], []), await writer.write(old, [], [])] == [1, 0]
    assert await counted(settings) == (1, 1)


@pytest.mark.parametrize("name", ["t3_a/b\\c?d#e", "t3_" + "x" * 2000, "t3_\U0001f600 ", "~day", "t3_\x00"])
async def test_a_name_of_any_characters_is_an_item(cosmos: FakeCosmos, name: str) -> None:
    """Ids may not hold everything that a name may: each survives, and is found by its own name."""
    settings = settings_for(cosmos)
    async with CosmosWriter(settings) as writer, CosmosReader(settings) as reader:
        one = scored(item(name))
        assert [await writer.write([one], [], []), await writer.write([one], [], [])] == [1, 0]
        assert await reader.item(name) == one
    assert await counted(settings) == (1, 1)


async def test_texts_that_reddit_never_had_are_cut_and_stop_nothing(cosmos: FakeCosmos) -> None:
    """An archive's text of 3 MB, scored or set aside, is more than a document takes: it is stored as far as it goes."""
    settings = settings_for(cosmos)
    async with CosmosWriter(settings) as writer, CosmosReader(settings) as reader:
        long = [item(f"t3_{n}", title="\U0001f600" * 400_000, content="\U0001f600" * 800_000) for n in range(2)]
        assert await writer.write([scored(long[0])], [set_aside(long[1])], []) == 1
        assert await writer.write([scored(long[0])], [set_aside(long[1])], []) == 0
        stored = await reader.item("t3_0")
        assert stored is not None
        assert (len(stored.item.title), len(stored.item.content)) == (2_000, 64_000)
        assert (await reader.contents()).set_aside == 1


async def test_no_more_calls_than_allowed_are_under_way(cosmos: FakeCosmos) -> None:
    """Eight calls of 0.1 s, two at a time, take four times as long as one, and each ends well."""
    settings = msgspec.structs.replace(settings_for(cosmos), cosmos_concurrency=2)
    async with CosmosDatabase(settings) as database:
        await database.read(cosmos_layout.META, cosmos_layout.LAYOUT, "version")
        cosmos.faults.inject(Slow(0.1), "read", times=None)
        began_s = time.monotonic()
        await asyncio.gather(*(database.read(cosmos_layout.META, cosmos_layout.LAYOUT, "version") for _ in range(8)))
        assert time.monotonic() - began_s > 0.39


async def test_long_texts_go_in_batches_that_the_service_takes(cosmos: FakeCosmos) -> None:
    """As many posts at Reddit's limit as one partition may get at once, in characters that are long on the wire."""
    settings = settings_for(cosmos)
    async with CosmosWriter(settings) as writer, CosmosReader(settings) as reader:
        posts = [scored(item(f"t3_{n}", content="\U0001f600" * 40_000)) for n in range(12)]
        assert await writer.write(posts, [], []) == 12
        assert await reader.item("t3_7") == posts[7]


async def test_texts_that_are_forgotten_leave_meta_too(cosmos: FakeCosmos) -> None:
    """What was set aside of an author is emptied with his items, wherever they lie."""
    settings = settings_for(cosmos)
    async with CosmosWriter(settings) as writer:
        mine = [scored(item(f"t3_{n}", author="Me", created_utc=TEN_O_CLOCK + n * DAY)) for n in range(5)]
        await writer.write([*mine, scored(item("t3_z", author="you"))], [set_aside(item("t3_b", author="me"))], [])
        assert await writer.forget("ME") == 5
        assert await writer.forget("ME") == 0
    held = cosmos.documents(settings.cosmos_database, "items") + cosmos.documents(settings.cosmos_database, "meta")
    assert not [document for document in held if '"me"' in str(document).lower().replace("'", '"')]
    assert await counted(settings) == (6, 6)


async def test_questions_cost_the_same_in_a_store_of_any_size(cosmos: FakeCosmos) -> None:
    """A store of the same traffic that is twenty times as old answers for the same request units, and scans nothing."""
    settings = settings_for(cosmos)
    now = TEN_O_CLOCK + 1800
    every_s = 600
    asked_for = Asked(since_utc=now - 5 * DAY, until_utc=now, order="positive")

    def grown(first: int, last: int) -> list[Scored]:
        subreddits = ("aws", "Cursor")
        return [
            scored(item(f"t3_{n}", subreddit=subreddits[n % 2], created_utc=now - n * every_s))
            for n in range(first, last)
        ]

    async def cost() -> dict[str, float]:
        asked: dict[str, Callable[[], Awaitable[object]]] = {
            "stats": lambda: reader.totals(None, now - DAY - 77, now - 77),
            "trends": lambda: reader.series("aws", now - 5 * DAY - 77, now - 77, HOUR),
            "recent": lambda: reader.recent(None, 0, 50, "all"),
            "recent of one": lambda: reader.recent("cursor", 0, 50),
            "by subreddit": lambda: reader.totals_by_subreddit(now - DAY, now, 10),
            "page": lambda: reader.page(asked_for, None, 50),
            "page of one, discussed": lambda: reader.page(
                msgspec.structs.replace(asked_for, order="discussed", subreddit="aws", sentiment="positive"), None, 50
            ),
            "series by subreddit": lambda: reader.series_by_subreddit(now - DAY, now, HOUR, 10),
            "latest": reader.latest,
            "contents": reader.contents,
            "due": lambda: reader.due(now, 100),
        }
        costs = {}
        for name, ask in asked.items():
            cosmos.meter.reset()
            await ask()
            costs[name] = round(cosmos.meter.total_ru, 1)
            assert cosmos.meter.scans == 0, name
        return costs

    async with CosmosWriter(settings) as writer, CosmosReader(settings) as reader:
        await reader.contents()
        await writer.write(grown(0, 1_000), [], [])
        young = await cost()
        for first in range(1_000, 20_000, 1_000):
            await writer.write(grown(first, first + 1_000), [], [])
        assert await cost() == pytest.approx(young, rel=0.02)
    assert young["contents"] < 3
