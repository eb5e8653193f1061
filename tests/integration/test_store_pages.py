"""What every store must do with lists in pages, freshness by subreddit, series of each and its state."""

from __future__ import annotations

import base64
import random
from typing import TYPE_CHECKING, get_args

import pytest
from fakes.stored import TEN_O_CLOCK, item, scored
from fakes.stores import IMPLEMENTATIONS
from msgspec.structs import replace

from agent.records import Asked, Latest, Order, Page, Scored
from agent.store import places

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

    from fakes.stores import Store

    from agent.store.protocol import Reading

HOUR = 3600
WEEK = 7 * 24 * HOUR
END = TEN_O_CLOCK + 5 * WEEK
EVERYTHING = Asked(since_utc=0, until_utc=END, kind="all")
ORDERS: tuple[Order, ...] = get_args(Order)
NO_PLACES = (
    "",
    "nonsense",
    "é",
    "a b",
    "\x00",
    base64.urlsafe_b64encode(b"[]").decode(),
    base64.urlsafe_b64encode(b'["newest", 1, 2]').decode(),
    base64.urlsafe_b64encode(b'["newest", "1", 2, "t3_a"]').decode(),
    base64.urlsafe_b64encode(b'["newest", 1, 99999999999999999999, "t3_a"]').decode(),
    base64.urlsafe_b64encode(b'["newest", 1, 2, "t3_a", 5]').decode(),
    base64.urlsafe_b64encode(b'["sideways", 1, 2, "t3_a"]').decode(),
    base64.urlsafe_b64encode(b'["newest", 1, 2, "\\ud800"]').decode(),
    places.encode(places.Place("oldest", 1, 1, "t3_a")),
)


@pytest.fixture(params=IMPLEMENTATIONS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """Return an empty store of the implementation in turn."""
    async with IMPLEMENTATIONS[request.param](tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("order", ORDERS)
async def test_pages_strung_together_are_the_list(store: Store, order: Order) -> None:
    """Whatever is left out and however the list is cut: all that is asked for, each once, in its order."""
    stored = various(100)
    await store.writer.write(stored, [], [])
    window = {"since_utc": TEN_O_CLOCK + 3 * HOUR, "until_utc": TEN_O_CLOCK + 2 * WEEK}
    for asked in (
        EVERYTHING,
        replace(EVERYTHING, kind="post", subreddit="AWS"),
        replace(EVERYTHING, kind="comment", sentiment="negative"),
        replace(EVERYTHING, **window),
        replace(EVERYTHING, **window, kind="post", subreddit="cursor", sentiment="positive"),
    ):
        ordered = replace(asked, order=order)
        expected = listed(stored, ordered)
        assert expected
        assert await strung(store.reader, ordered, 21) == expected


@pytest.mark.parametrize("order", ORDERS)
async def test_a_page_of_very_long_texts_ends_early(store: Store, order: Order) -> None:
    """What is asked for by number must not fill the memory; nothing is lost, and a text of any length is on a page."""
    long = 50_000
    count = places.MAX_CHARACTERS // long + 5
    stored = [scored(item(f"t3_{n}", created_utc=TEN_O_CLOCK + n, content="x" * long)) for n in range(count)]
    await store.writer.write(stored, [], [])
    asked = replace(EVERYTHING, order=order)
    pages = [page async for page in paged(store.reader, asked, 500)]
    assert [each for page in pages for each in page.items] == listed(stored, asked)
    assert [len(page.items) for page in pages] == [count - 5, 5]


@pytest.mark.parametrize("order", ORDERS)
async def test_a_list_of_very_many_is_the_same(tmp_path: Path, order: Order) -> None:
    """SQLite sorts a window of few items and merges the runs of its weeks beyond: nobody can tell which it was.

    One has milliseconds for seconds, as in some archives: the two million weeks up to it are not looked into.
    """
    stored = [*various(3_000), scored(item("t3_late", created_utc=TEN_O_CLOCK * 1000))]
    asked = replace(EVERYTHING, order=order, until_utc=2**53)
    async with IMPLEMENTATIONS["sqlite"](tmp_path) as store:
        await store.writer.write(stored, [], [])
        assert await strung(store.reader, asked, 500) == listed(stored, asked)
        for narrow in (
            replace(asked, subreddit="CURSOR", kind="post"),
            replace(asked, sentiment="neutral", since_utc=TEN_O_CLOCK + HOUR),
        ):
            assert await strung(store.reader, narrow, 77) == listed(stored, narrow)


@pytest.mark.parametrize("order", ORDERS)
async def test_what_is_written_while_somebody_pages_shifts_nothing(store: Store, order: Order) -> None:
    """New items at the front, in the middle and at the end: none of the old ones comes twice or is passed over."""
    stored = various(40)
    await store.writer.write(stored[:20], [], [])
    asked = replace(EVERYTHING, order=order)
    names: list[str] = []
    after: str | None = None
    for n in range(20):
        page = await store.reader.page(asked, after, 3)
        names += [one.item.name for one in page.items]
        if page.next is None:
            break
        after = page.next
        await store.writer.write(stored[20 + n : 21 + n], [], [])
    assert len(names) == len(set(names))
    assert {one.item.name for one in stored[:20]} <= set(names)
    assert names == [one.item.name for one in listed(stored, asked) if one.item.name in names]


async def test_a_page_that_ends_with_the_list_has_no_next(store: Store) -> None:
    """Even when it is full; and a place at the very end leads to an empty page."""
    assert await store.reader.page(EVERYTHING, None, 5) == Page(items=[], next=None)
    stored = [scored(item(f"t3_{n}", created_utc=TEN_O_CLOCK + n)) for n in range(4)]
    await store.writer.write(stored, [], [])
    first = await store.reader.page(EVERYTHING, None, 2)
    assert first.next is not None
    second = await store.reader.page(EVERYTHING, first.next, 2)
    assert [one.item.name for one in (*first.items, *second.items)] == ["t3_3", "t3_2", "t3_1", "t3_0"]
    assert second.next is None


async def test_what_is_deleted_or_removed_is_on_no_page(store: Store) -> None:
    """Also when it was the last of a page: its place is good all the same."""
    stored = [scored(item(f"t3_{n}", created_utc=TEN_O_CLOCK + n)) for n in range(5)]
    await store.writer.write(stored, [], [])
    first = await store.reader.page(EVERYTHING, None, 2)
    gone = replace(stored[3].item, title="", content="", author="", url="", is_deleted=True, collected_utc=END)
    await store.writer.write([scored(gone)], [], [])
    assert [one.item.name for one in await strung(store.reader, EVERYTHING, 2)] == ["t3_4", "t3_2", "t3_1", "t3_0"]
    rest = await store.reader.page(EVERYTHING, first.next, 10)
    assert [one.item.name for one in rest.items] == ["t3_2", "t3_1", "t3_0"]


async def test_what_is_no_place_of_the_list_is_refused(store: Store) -> None:
    """It comes from a client: whatever it is, it is a fault of the client and nothing else."""
    for after in NO_PLACES:
        with pytest.raises(ValueError, match="a place in a list|no place in a list"):
            await store.reader.page(EVERYTHING, after, 5)


async def test_freshness_follows_every_write(store: Store) -> None:
    """By subreddit, whatever its spelling: what is there and when the newest was written and collected."""
    assert await store.reader.latest() == []
    await store.writer.write(
        [
            scored(item("t3_a", subreddit="OpenAI", created_utc=TEN_O_CLOCK, collected_utc=TEN_O_CLOCK + 90)),
            scored(item("t1_b", subreddit="openai", created_utc=TEN_O_CLOCK + 30, collected_utc=TEN_O_CLOCK + 60)),
            scored(item("t3_c", subreddit="aws", created_utc=TEN_O_CLOCK - WEEK, collected_utc=TEN_O_CLOCK)),
        ],
        [],
        [],
    )
    first = await store.reader.latest()
    assert first == [
        _latest("aws", 1, TEN_O_CLOCK - WEEK, TEN_O_CLOCK),
        _latest("OpenAI", 2, TEN_O_CLOCK + 30, TEN_O_CLOCK + 90),
    ]
    later = item("t3_a", subreddit="OpenAI", created_utc=TEN_O_CLOCK, collected_utc=END, author="")
    await store.writer.write([scored(replace(later, is_deleted=True))], [], [])
    assert await store.reader.latest() == first
    await store.writer.write(
        [scored(item("t3_d", subreddit="AWS", created_utc=TEN_O_CLOCK - 2 * WEEK, collected_utc=END))], [], []
    )
    assert await store.reader.latest() == [_latest("aws", 2, TEN_O_CLOCK - WEEK, END), first[1]]


async def test_the_series_of_each_are_those_of_the_largest(store: Store) -> None:
    """Each is what the series of that subreddit says; the most items first, cut at the limit."""
    await store.writer.write(various(120), [], [])
    window = TEN_O_CLOCK + 17, TEN_O_CLOCK + WEEK + 1817
    each = await store.reader.series_by_subreddit(*window, HOUR, 10)
    assert list(each) == [one.subreddit for one in await store.reader.totals_by_subreddit(*window, 10)]
    assert len(each) == 3
    for subreddit, points in each.items():
        assert points == await store.reader.series(subreddit, *window, HOUR)
    two = await store.reader.series_by_subreddit(*window, HOUR, 2)
    assert list(two.items()) == list(each.items())[:2]
    with pytest.raises(ValueError, match="no multiple of an hour"):
        await store.reader.series_by_subreddit(*window, HOUR + 1, 10)


async def test_the_state_is_another_one_after_every_change(store: Store) -> None:
    """Or is never told: whoever keeps answers by it keeps no old one, and keeps them while nothing happens."""
    one = item("t3_a")
    seen = [await store.reader.state()]
    for looks in ([one], [replace(one, collected_utc=END, upvotes=9)], [item("t3_b")]):
        await store.writer.write([scored(look) for look in looks], [], [])
        seen.append(await store.reader.state())
    await store.writer.forget("somebody")
    seen += [await store.reader.state(), await store.reader.state()]
    if store.reader.engine == "cosmos":
        assert set(seen) == {None}
    else:
        assert len(set(seen)) == len(seen) - 1
        assert seen[-1] == seen[-2]


def various(count: int) -> list[Scored]:
    """Return items over four weeks and three subreddits, with ties in every figure that a list goes by."""
    dice = random.Random(11)  # noqa: S311 - the same every time, and no secret
    made = []
    for n in range(count):
        one = item(
            f"{dice.choice(('t1', 't3'))}_{n}",
            subreddit=dice.choice(("Cursor", "cursor", "aws", "OpenAI")),
            created_utc=TEN_O_CLOCK + dice.randrange(4 * 24) * 7 * HOUR + dice.choice((0, 0, 1, 2)),
        )
        score = scored(one, dice.choice(("positive", "neutral", "negative"))).score
        if dice.random() < 0.5:
            score = replace(score, positive=score.positive - n / 50_000, neutral=score.neutral + n / 50_000)
        made.append(Scored(item=replace(one, comment_count=dice.choice((None, 0, 1, 7, n))), score=score))
    return made


def listed(stored: Iterable[Scored], asked: Asked) -> list[Scored]:
    """Return what the contract makes of the items."""

    def key(one: Scored) -> tuple[float, int, str]:
        unknown_last = -1 if one.item.comment_count is None else one.item.comment_count
        figures = {"positive": one.score.compound, "negative": one.score.compound, "discussed": unknown_last}
        return figures.get(asked.order, 0), one.item.created_utc, one.item.name

    within = [
        one
        for one in stored
        if asked.since_utc <= one.item.created_utc < asked.until_utc
        and asked.kind in {"all", one.item.kind}
        and (asked.subreddit or one.item.subreddit).lower() == one.item.subreddit.lower()
        and asked.sentiment in {None, one.score.sentiment}
    ]
    return sorted(within, key=key, reverse=asked.order not in {"oldest", "negative"})


async def strung(reader: Reading, asked: Asked, limit: int) -> list[Scored]:
    """Return all pages of a list, one after the other."""
    pages = [page async for page in paged(reader, asked, limit)]
    assert all(len(page.items) == limit for page in pages[:-1])
    return [each for page in pages for each in page.items]


async def paged(reader: Reading, asked: Asked, limit: int) -> AsyncIterator[Page]:
    """Yield the pages of a list, one after the other."""
    after: str | None = None
    while True:
        page = await reader.page(asked, after, limit)
        assert 0 < len(page.items) <= limit or page.next is None
        yield page
        if (after := page.next) is None:
            return


def _latest(subreddit: str, items: int, created_utc: int, collected_utc: int) -> Latest:
    return Latest(subreddit=subreddit, items=items, newest_created_utc=created_utc, newest_collected_utc=collected_utc)
