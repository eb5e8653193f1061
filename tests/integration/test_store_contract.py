"""What every store must do: the same tests for each implementation, which is a row of IMPLEMENTATIONS."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

import pytest
from fakes.stored import TEN_O_CLOCK, cycle, item, scored, set_aside

from agent.store.sqlite_reader import SqliteReader
from agent.store.sqlite_writer import SqliteWriter
from ipc.settings import StoreSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from agent.records import Scored, Sentiment
    from agent.store.protocol import Reading, Writing

HOUR = 3600
SENTIMENTS: tuple[Sentiment, ...] = ("positive", "neutral", "negative")


class Store(NamedTuple):
    """Both sides of one store that is open."""

    writer: Writing
    reader: Reading


@asynccontextmanager
async def sqlite(folder: Path) -> AsyncIterator[Store]:
    """Open SQLite in a folder of its own."""
    path = folder / "sentiment.db"
    async with SqliteWriter(path, StoreSettings()) as writer, SqliteReader(path, StoreSettings()) as reader:
        yield Store(writer, reader)


IMPLEMENTATIONS: dict[str, Callable[[Path], AbstractAsyncContextManager[Store]]] = {"sqlite": sqlite}


@pytest.fixture(params=IMPLEMENTATIONS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """Return an empty store of each implementation in turn."""
    async with IMPLEMENTATIONS[request.param](tmp_path) as opened:
        yield opened


async def test_an_empty_store_answers_with_nothing_and_not_with_zero(store: Store) -> None:
    """Every question has an answer before the first item; what was not measured is None."""
    totals = await store.reader.totals(None, 0, TEN_O_CLOCK)
    assert (totals.total, totals.avg_sentiment) == (0, None)
    assert await store.reader.series(None, 0, TEN_O_CLOCK, HOUR) == []
    assert await store.reader.totals_by_subreddit(0, TEN_O_CLOCK, 10) == []
    assert await store.reader.recent(None, 0, 10, "all") == []
    assert await store.reader.item("t3_a") is None
    assert await store.reader.subreddits() == []
    contents = await store.reader.contents()
    assert (contents.items, contents.set_aside, contents.newest_collected_utc, contents.sources) == (0, 0, None, ())
    collections = await store.reader.collections(TEN_O_CLOCK)
    assert (collections.last_finished_utc, collections.succeeded, collections.failed) == (None, 0, 0)


async def test_an_item_comes_back_as_it_was_stored(store: Store) -> None:
    """Every field of item and score survives, hostile text, missing figures and all."""
    hostile = item("t3_x", title="'); DROP TABLE items; --\x00\u202e", content="<script>\n\U0001f600", author="")
    post, comment = scored(hostile, "negative"), scored(item("t1_y", content=""), "neutral")
    assert await store.writer.write([post, comment], [], []) == 2
    assert await store.reader.item("t3_x") == post
    assert await store.reader.item("t1_y") == comment
    assert await store.reader.item("t3_y") is None


async def test_an_item_that_comes_twice_counts_once(store: Store) -> None:
    """Within a batch, in a later batch, and in a batch that is partly new: the first stays, roll-ups count it once."""
    first = scored(item("t3_a"), "positive")
    again = scored(item("t3_a", title="Another title"), "negative")
    assert await store.writer.write([first, again], [], []) == 1
    assert await store.writer.write([again, scored(item("t3_b"), "neutral")], [], []) == 1
    assert await store.reader.item("t3_a") == first
    totals = await store.reader.totals(None, TEN_O_CLOCK, TEN_O_CLOCK + 1)
    assert (totals.total, totals.positive, totals.neutral, totals.negative) == (2, 1, 1, 0)
    assert totals.avg_sentiment == pytest.approx(0.75 / 2)
    assert (await store.reader.contents()).items == 2


async def test_writers_that_race_with_the_same_items_count_them_once(store: Store) -> None:
    """Eight writes of overlapping batches at once: each item is new for exactly one of them."""
    batch = [scored(item(f"t3_{n}", created_utc=TEN_O_CLOCK + n)) for n in range(100)]
    new = await asyncio.gather(*(store.writer.write(batch[n * 10 :], [], []) for n in range(8)))
    assert sum(new) == 100
    assert (await store.reader.totals(None, 0, TEN_O_CLOCK + HOUR)).total == 100


@pytest.mark.parametrize("width", [1, 59, HOUR, HOUR + 1, 3 * HOUR, 5 * HOUR + 17])
@pytest.mark.parametrize("offset", [-HOUR - 1, -HOUR, -1, 0, 1, HOUR - 1, HOUR, 2 * HOUR + 1800])
async def test_totals_are_exact_to_the_second(store: Store, offset: int, width: int) -> None:
    """Whatever the window cuts, the totals are those of the rows within it, of all and of one subreddit."""
    stored = _scattered()
    await store.writer.write(stored, [], [])
    since, until = TEN_O_CLOCK + offset, TEN_O_CLOCK + offset + width
    for subreddit in (None, "Cursor", "aws", "nowhere"):
        within = [
            one for one in stored if since <= one.item.created_utc < until and subreddit in {None, one.item.subreddit}
        ]
        totals = await store.reader.totals(subreddit, since, until)
        assert totals.total == len(within)
        counts = {sentiment: sum(one.score.sentiment == sentiment for one in within) for sentiment in SENTIMENTS}
        assert counts == {"positive": totals.positive, "neutral": totals.neutral, "negative": totals.negative}
        mean = sum(one.score.compound for one in within) / len(within) if within else None
        assert totals.avg_sentiment == (None if mean is None else pytest.approx(mean))


@pytest.mark.parametrize("bucket", [HOUR, 24 * HOUR])
async def test_a_series_is_the_totals_of_its_buckets(store: Store, bucket: int) -> None:
    """Each bucket holds what the totals of its window say, cut to the window at both ends; empty ones are absent."""
    await store.writer.write(_scattered(), [], [])
    since, until = TEN_O_CLOCK - HOUR + 11, TEN_O_CLOCK + 3 * HOUR + 1700
    for subreddit in (None, "CURSOR"):
        points = await store.reader.series(subreddit, since, until, bucket)
        starts = [point.start_utc for point in points]
        assert starts == sorted(set(starts))
        assert sum(p.totals.total for p in points) == (await store.reader.totals(subreddit, since, until)).total > 0
        for point in points:
            assert point.start_utc % bucket == 0
            window = max(since, point.start_utc), min(until, point.start_utc + bucket)
            assert point.totals == (await store.reader.totals(subreddit, *window))


async def test_totals_by_subreddit_are_those_of_each_the_largest_first(store: Store) -> None:
    """The list is what the totals of each subreddit say, by number of items, cut at the limit."""
    await store.writer.write(_scattered(), [], [])
    since, until = TEN_O_CLOCK - HOUR + 11, TEN_O_CLOCK + HOUR + 1700
    each = await store.reader.totals_by_subreddit(since, until, 10)
    assert {one.subreddit for one in each} == {"Cursor", "aws", "OpenAI"}
    for one in each:
        assert one.totals == await store.reader.totals(one.subreddit, since, until)
    assert [one.totals.total for one in each] == sorted((one.totals.total for one in each), reverse=True)
    assert await store.reader.totals_by_subreddit(since, until, 1) == each[:1]


async def test_subreddits_match_whatever_their_case(store: Store) -> None:
    """One subreddit in three spellings is one subreddit, under the name that came first."""
    batch = [scored(item(f"t3_{n}", subreddit=name)) for n, name in enumerate(("OpenAI", "openai", "OPENAI", "aws"))]
    await store.writer.write(batch, [], [])
    assert await store.reader.subreddits() == ["aws", "OpenAI"]
    window = TEN_O_CLOCK, TEN_O_CLOCK + HOUR
    assert (await store.reader.totals("oPENai", *window)).total == 3
    assert (await store.reader.totals("oPENai", TEN_O_CLOCK, TEN_O_CLOCK + 1)).total == 3
    assert len(await store.reader.recent("opeNAI", 0, 10)) == 3
    each = await store.reader.totals_by_subreddit(*window, 10)
    assert [(one.subreddit, one.totals.total) for one in each] == [("OpenAI", 3), ("aws", 1)]


async def test_recent_items_come_newest_first_and_of_one_kind(store: Store) -> None:
    """The limit counts items of the kind that was asked for; ``all`` mixes both by time."""
    batch = [
        scored(
            item(f"{'t3' if n % 3 == 0 else 't1'}_{n}", created_utc=TEN_O_CLOCK + n, subreddit="aws" if n % 2 else "x")
        )
        for n in range(30)
    ]
    await store.writer.write(batch[::-1], [], [])
    assert [one.item.name for one in await store.reader.recent(None, 0, 3)] == ["t3_27", "t3_24", "t3_21"]
    assert [one.item.name for one in await store.reader.recent(None, 0, 2, "comment")] == ["t1_29", "t1_28"]
    everything = await store.reader.recent(None, 0, 500, "all")
    assert [one.item.created_utc for one in everything] == [TEN_O_CLOCK + n for n in range(29, -1, -1)]
    assert [one.item.name for one in await store.reader.recent("AWS", 0, 3, "all")] == ["t1_29", "t3_27", "t1_25"]


async def test_recent_items_begin_with_the_second_that_was_asked_for(store: Store) -> None:
    """``since_utc`` is within the window, the second before it is not."""
    await store.writer.write([scored(item("t3_a")), scored(item("t3_b", created_utc=TEN_O_CLOCK - 1))], [], [])
    assert [one.item.name for one in await store.reader.recent(None, TEN_O_CLOCK, 10)] == ["t3_a"]


async def test_contents_follow_every_write(store: Store) -> None:
    """Items, the newest collection, sources and what was set aside are told, each thing once."""
    broken = set_aside()
    await store.writer.write([scored(item("t3_a", collected_utc=TEN_O_CLOCK + 5, source="sample"))], [broken], [])
    await store.writer.write(
        [scored(item("t3_b", collected_utc=TEN_O_CLOCK + 2)), scored(item("t3_a", collected_utc=TEN_O_CLOCK + 99))],
        [broken],
        [],
    )
    contents = await store.reader.contents()
    assert (contents.items, contents.set_aside) == (2, 1)
    assert contents.newest_collected_utc == TEN_O_CLOCK + 5
    assert contents.sources == ("reddit", "sample")


async def test_cycles_are_counted_once_by_outcome(store: Store) -> None:
    """A cycle that comes again changes nothing; failures of the last hour are told apart from older ones."""
    cycles = [
        cycle("c1", finished_utc=TEN_O_CLOCK - 2 * HOUR, failed=True),
        cycle("c2", finished_utc=TEN_O_CLOCK - 10, failed=True),
        cycle("c3", finished_utc=TEN_O_CLOCK - 5),
    ]
    await store.writer.write([], [], cycles)
    await store.writer.write([], [], [*cycles, cycle("c4", finished_utc=TEN_O_CLOCK - 7)])
    collections = await store.reader.collections(TEN_O_CLOCK)
    assert (collections.succeeded, collections.failed, collections.failed_last_hour) == (2, 2, 1)
    assert collections.last_finished_utc == TEN_O_CLOCK - 5


async def test_a_reader_sees_what_was_written_a_moment_ago(store: Store) -> None:
    """After ``write`` has returned, a reader that was open before sees all of it."""
    for n in range(20):
        await store.writer.write([scored(item(f"t3_{n}"))], [], [])
        assert (await store.reader.contents()).items == n + 1


def _scattered() -> list[Scored]:
    """Return 600 items over six hours and three subreddits, many at the seconds where an hour begins or ends."""
    dice = random.Random(7)  # noqa: S311 - the same every time, and no secret
    return [
        scored(
            item(
                f"{dice.choice(('t1', 't3'))}_{n}",
                subreddit=dice.choice(("Cursor", "aws", "OpenAI")),
                created_utc=TEN_O_CLOCK
                + dice.choice(
                    (dice.randrange(-2 * HOUR, 4 * HOUR), dice.randrange(-2, 4) * HOUR + dice.randrange(-1, 2))
                ),
            ),
            dice.choice(SENTIMENTS),
        )
        for n in range(600)
    ]
