"""What every store must do: the same tests for each row of IMPLEMENTATIONS, but for pages (test_store_pages.py)."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest
from fakes.cosmos import emulator as second
from fakes.stored import TEN_O_CLOCK, cycle, item, scored, set_aside
from fakes.stores import IMPLEMENTATIONS, emulated
from msgspec.structs import replace

from agent.records import Hour

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from fakes.stores import Store

    from agent.records import Kept, Scored, Sentiment, Totals
    from ipc.messages import Item

HOUR = 3600
SENTIMENTS: tuple[Sentiment, ...] = ("positive", "neutral", "negative")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test for each implementation; for the emulator where it is, its faults expected by the test's name."""
    if "store" not in metafunc.fixturenames:
        return
    rows = [pytest.param(name) for name in IMPLEMENTATIONS]
    if second.missing() is None:
        reason = second.CONTRACT_FAULTS.get(metafunc.function.__name__)
        marks = [pytest.mark.xfail(reason=reason, raises=RuntimeError, strict=True)] if reason else []
        rows.append(pytest.param("emulator", marks=marks))
    metafunc.parametrize("store", rows, indirect=True)


@pytest.fixture(scope="module")
def emulator_url() -> Iterator[str]:
    """Run the emulator once for all tests of this module."""
    with second.emulator() as url:
        yield url


@pytest.fixture
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """Return an empty store of the implementation in turn."""
    is_emulator = request.param == "emulator"
    opening = (
        emulated(request.getfixturevalue("emulator_url")) if is_emulator else IMPLEMENTATIONS[request.param](tmp_path)
    )
    async with opening as opened:
        yield opened


def test_the_emulator_is_asked_too_where_it_is() -> None:
    """Without it this row of the suite is missing: one skip says so, and how to get it."""
    if why := second.missing():
        pytest.skip(f"no row for the npm emulator: {why}")
    assert set(second.CONTRACT_FAULTS) <= set(globals()), "a fault is expected of a test that is no more"


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


async def test_a_bucket_that_cuts_hours_is_refused(store: Store) -> None:
    """A series is made of whole hours; anything else is a fault of the caller."""
    with pytest.raises(ValueError, match="no multiple of an hour"):
        await store.reader.series(None, 0, TEN_O_CLOCK, HOUR + 1)


async def test_a_later_look_brings_figures_author_and_url_up_to_date(store: Store) -> None:
    """The text is the same, so is the score, whatever the look says of it; the first look stays the first."""
    first = item(collected_utc=TEN_O_CLOCK + 60)
    await store.writer.write([scored(first, "positive")], [], [])
    later = replace(
        first, collected_utc=TEN_O_CLOCK + 90, upvotes=99, comment_count=None, author="[deleted]", url="https://x.y/"
    )
    assert await store.writer.write([scored(later, "negative")], [], []) == 0
    (kept,) = await store.reader.scan(None, 10)
    assert kept.scored == scored(replace(later, collected_utc=TEN_O_CLOCK + 60), "positive")
    assert kept.checked_utc == TEN_O_CLOCK + 90
    assert await store.reader.item("t3_a") == kept.scored
    contents = await store.reader.contents()
    assert (contents.items, contents.newest_collected_utc) == (1, TEN_O_CLOCK + 60)
    assert (await _everything(store)).positive == 1


@pytest.mark.parametrize("earlier_s", [0, 1])
async def test_a_look_that_is_not_later_changes_nothing(store: Store, earlier_s: int) -> None:
    """The same second is not later: replays and what was overtaken on its way leave all as it is."""
    last = item(collected_utc=TEN_O_CLOCK + 90)
    await store.writer.write([scored(replace(last, collected_utc=TEN_O_CLOCK + 60)), scored(last)], [], [])
    before = await _whole(store)
    for change in ({"content": "Edited"}, {"upvotes": 1000}, {"is_deleted": True, "content": ""}):
        look = replace(last, collected_utc=TEN_O_CLOCK + 90 - earlier_s, **change)
        assert await store.writer.write([scored(look, "negative")], [], []) == 0
    assert await _whole(store) == before


@pytest.mark.parametrize("field", ["title", "content"])
async def test_an_edit_replaces_text_and_score_and_the_roll_ups_follow(store: Store, field: str) -> None:
    """The old score leaves its hour and the new one takes its place, in the totals of all and of the subreddit."""
    first = item(created_utc=TEN_O_CLOCK + 1800)
    await store.writer.write([scored(first, "positive"), scored(item("t3_b"), "neutral")], [], [])
    edited = replace(first, collected_utc=first.collected_utc + 1, **{field: "Edited"})
    assert await store.writer.write([scored(edited, "negative")], [], []) == 0
    assert await store.reader.item("t3_a") == scored(replace(edited, collected_utc=first.collected_utc), "negative")
    for subreddit in (None, "cursor"):
        totals = await store.reader.totals(subreddit, TEN_O_CLOCK, TEN_O_CLOCK + HOUR)
        assert (totals.total, totals.positive, totals.neutral, totals.negative) == (2, 0, 1, 1)
        assert totals.avg_sentiment == pytest.approx(-0.7 / 2)
    await _hold_together(store)


async def test_a_deleted_item_is_counted_and_never_shown(store: Store) -> None:
    """Its texts, author and url are gone; the anonymous score stays in every total, by roll-ups and by rows."""
    gone = item("t3_a", created_utc=TEN_O_CLOCK + 1)
    await store.writer.write([scored(gone, "negative"), scored(item("t3_b"))], [], [])
    await store.writer.write([scored(_deleted(gone), "neutral")], [], [])
    assert await store.reader.item("t3_a") is None
    for subreddit in (None, "Cursor"):
        assert [one.item.name for one in await store.reader.recent(subreddit, 0, 10, "all")] == ["t3_b"]
        for until_utc in (TEN_O_CLOCK + 2, TEN_O_CLOCK + HOUR):
            assert (await store.reader.totals(subreddit, TEN_O_CLOCK, until_utc)).negative == 1
    kept = {one.scored.item.name: one for one in await store.reader.scan(None, 10)}["t3_a"]
    stored = kept.scored.item
    assert (stored.title, stored.content, stored.author, stored.url, stored.is_deleted) == ("", "", "", "", True)
    assert kept.scored.score == scored(gone, "negative").score
    assert (stored.collected_utc, kept.checked_utc) == (gone.collected_utc, gone.collected_utc + 100)
    assert (await store.reader.contents()).items == 2
    await _hold_together(store)


async def test_what_is_deleted_before_it_was_stored_is_counted_and_never_shown(store: Store) -> None:
    """A tombstone may come first; nothing that a source left in it is kept."""
    tombstone = replace(item(), is_deleted=True)
    assert await store.writer.write([scored(tombstone, "neutral")], [], []) == 1
    assert await store.reader.item("t3_a") is None
    (kept,) = await store.reader.scan(None, 10)
    assert (kept.scored.item.title, kept.scored.item.author, kept.scored.item.is_deleted) == ("", "", True)
    assert (await _everything(store)).neutral == 1
    assert await store.reader.subreddits() == ["Cursor"]


async def test_a_tombstone_stays_one_for_older_looks_and_is_revived_by_a_later_one(store: Store) -> None:
    """Reddit brings back what was removed by mistake: text and score return, and it still counts once."""
    alive = item(collected_utc=TEN_O_CLOCK + 60)
    await store.writer.write([scored(alive, "positive")], [], [])
    await store.writer.write([scored(_deleted(alive), "neutral")], [], [])
    await store.writer.write([scored(replace(alive, collected_utc=TEN_O_CLOCK + 61, content="Edited"))], [], [])
    assert await store.reader.item("t3_a") is None
    back = replace(alive, collected_utc=TEN_O_CLOCK + 999, content="Back")
    assert await store.writer.write([scored(back, "negative")], [], []) == 0
    assert await store.reader.item("t3_a") == scored(replace(back, collected_utc=TEN_O_CLOCK + 60), "negative")
    totals = await _everything(store)
    assert (totals.total, totals.negative) == (1, 1)


async def test_many_deleted_items_leave_room_for_those_that_are_shown(store: Store) -> None:
    """The limit counts what may be shown, however many newer ones may not."""
    batch = [scored(item(f"t3_{n}", created_utc=TEN_O_CLOCK + n)) for n in range(60)]
    await store.writer.write(batch, [], [])
    await store.writer.write([scored(_deleted(one.item)) for one in batch[10:]], [], [])
    shown = await store.reader.recent("Cursor", 0, 5)
    assert [one.item.name for one in shown] == ["t3_9", "t3_8", "t3_7", "t3_6", "t3_5"]


@pytest.mark.parametrize("seed", range(4))
async def test_looks_in_any_batches_and_any_company_end_the_same(store: Store, seed: int) -> None:
    """Three hundred looks at forty items, cut at random and each batch sent again at times: as if one by one."""
    dice = random.Random(seed)  # noqa: S311 - the same every time, and no secret
    looks = [_random_look(dice) for _ in range(300)]
    start, new = 0, 0
    while start < len(looks):
        batch = looks[start : start + dice.randrange(1, 60)]
        start += len(batch)
        for _ in range(dice.choice((1, 1, 2))):
            new += await store.writer.write(batch, [], [])
    expected = _one_by_one(looks)
    kept = await store.reader.scan(None, 1000)
    assert {one.scored.item.name: (one.scored, one.checked_utc) for one in kept} == expected
    assert new == len(expected) == (await store.reader.contents()).items
    await _hold_together(store)


async def test_due_are_the_items_of_reddit_that_were_not_looked_at_for_longest(store: Store) -> None:
    """Neither deleted ones, nor other sources, nor what was looked at since; a later look puts one at the end."""
    stored = [item(f"t3_{n}", created_utc=TEN_O_CLOCK - n, collected_utc=TEN_O_CLOCK + n) for n in range(6)]
    others = [item("t3_s", source="sample"), item("t3_r", source="archive")]
    await store.writer.write([scored(one) for one in [*stored[::-1], *others]], [], [])
    looked_at = [
        replace(stored[0], collected_utc=TEN_O_CLOCK + 4, upvotes=8),
        _deleted(stored[1]),
        replace(stored[5], collected_utc=TEN_O_CLOCK + 500),
    ]
    await store.writer.write([scored(one) for one in looked_at], [], [])
    due = await store.reader.due(TEN_O_CLOCK + 5, 10)
    assert [one.name for one in due[:2]] == ["t3_2", "t3_3"]
    assert {one.name for one in due[2:]} == {"t3_0", "t3_4"}
    assert replace(looked_at[0], collected_utc=TEN_O_CLOCK) in due
    assert [one.name for one in await store.reader.due(TEN_O_CLOCK + 5, 1)] == ["t3_2"]
    assert [one.name for one in await store.reader.due(TEN_O_CLOCK + 3, 10)] == ["t3_2"]
    assert await store.reader.due(TEN_O_CLOCK, 10) == []


async def test_what_was_set_aside_is_due_until_it_was_looked_at_or_is_gone(store: Store) -> None:
    """A deletion by its author must reach it too; a later look at it waits its turn, and is counted once."""
    broken = replace(set_aside(), item=item("t3_b", source="reddit", collected_utc=TEN_O_CLOCK + 1))
    sample = replace(set_aside(), item=item("t3_s", source="sample", collected_utc=TEN_O_CLOCK + 1))
    stored = item("t3_0", source="reddit", collected_utc=TEN_O_CLOCK + 2)
    await store.writer.write([scored(stored)], [broken, sample], [])
    assert await store.reader.due(TEN_O_CLOCK + 9, 10) == [broken.item, stored]
    assert await store.reader.due(TEN_O_CLOCK + 9, 1) == [broken.item]
    again = replace(broken, item=replace(broken.item, content="other words", collected_utc=TEN_O_CLOCK + 5))
    await store.writer.write([], [again], [])
    await store.writer.write([], [broken], [])
    assert await store.reader.due(TEN_O_CLOCK + 9, 10) == [stored, again.item]
    assert (await store.reader.contents()).set_aside == 2
    gone = _deleted(replace(again.item, collected_utc=TEN_O_CLOCK + 6))
    await store.writer.write([scored(gone)], [], [])
    await store.writer.write([], [replace(again, item=replace(again.item, collected_utc=TEN_O_CLOCK + 7))], [])
    assert await store.reader.due(TEN_O_CLOCK + 9, 10) == [stored]
    await _hold_together(store)


async def test_an_edit_that_breaks_the_model_was_a_look(store: Store) -> None:
    """What was scored stays, and it isn't asked for again before the others; once it has a score, it is due by that."""
    stored = item("t3_0", source="reddit", collected_utc=TEN_O_CLOCK)
    await store.writer.write([scored(stored)], [], [])
    edited = replace(stored, content="breaks it", collected_utc=TEN_O_CLOCK + 5)
    await store.writer.write([], [replace(set_aside(), item=edited)], [])
    assert await store.reader.due(TEN_O_CLOCK + 5, 10) == []
    assert await store.reader.due(TEN_O_CLOCK + 6, 10) == [stored]
    kept = await store.reader.item("t3_0")
    assert kept is not None
    assert kept.item == stored
    await _hold_together(store)


async def test_a_scan_comes_past_every_item_once_however_it_is_cut(store: Store) -> None:
    """Page by page behind the place of the last one, and the same again in the same order."""
    batch = [scored(item(f"t3_{n}", created_utc=TEN_O_CLOCK + n % 7 * HOUR)) for n in range(50)]
    await store.writer.write(batch, [], [])
    await store.writer.write([scored(_deleted(batch[3].item))], [], [])
    whole = await store.reader.scan(None, 1000)
    assert {one.scored.item.name for one in whole} == {one.item.name for one in batch}
    assert [one.scored.item.name for one in whole if one.scored.item.is_deleted] == ["t3_3"]
    for limit in (1, 7, 50):
        found: list[Kept] = []
        while page := await store.reader.scan(found[-1].place if found else None, limit):
            assert len(page) <= limit
            found += page
        assert found == whole


async def test_hours_are_told_once_each_however_they_are_cut(store: Store) -> None:
    """Page by page behind the last one, under the first spelling of the subreddit, with what the items add up to."""
    stored = [*_scattered(), scored(item("t3_z", subreddit="CURSOR", created_utc=TEN_O_CLOCK + 40 * HOUR))]
    await store.writer.write(stored, [], [])
    whole = await store.reader.hours(None, 1000)
    assert {one.subreddit for one in whole} == {"Cursor", "aws", "OpenAI"}
    assert len({(one.subreddit, one.hour_utc) for one in whole}) == len(whole) > 18
    for limit in (1, 7):
        found: list[Hour] = []
        while page := await store.reader.hours(found[-1] if found else None, limit):
            assert len(page) <= limit
            found += page
        assert found == whole
    await _hold_together(store)


async def test_retention_removes_items_and_no_roll_ups(store: Store) -> None:
    """What was created before is gone, at once or by the database itself; every whole hour counts it still."""
    stored = _scattered()
    await store.writer.write(stored, [], [])
    before, hours = await _everything(store), await store.reader.hours(None, 1000)
    old = sum(one.item.created_utc < TEN_O_CLOCK for one in stored)
    removed = await store.writer.retain(TEN_O_CLOCK)
    assert removed in {0, old}, "all of them, or none because the database does it by itself"
    kept = await store.reader.scan(None, 1000)
    assert len(kept) == len(stored) - removed
    assert {one.item.name for one in stored if one.item.created_utc >= TEN_O_CLOCK} <= {
        one.scored.item.name for one in kept
    }
    assert await _everything(store) == before
    assert await store.reader.hours(None, 1000) == hours
    assert await store.reader.subreddits() == ["aws", "Cursor", "OpenAI"]
    assert await store.writer.retain(TEN_O_CLOCK) == 0


async def test_an_author_is_forgotten_whatever_the_case(store: Store) -> None:
    """Every item of that name is emptied and counted on; a name that begins with it is another one."""
    stored = [
        scored(item(f"t3_{n}", author=author, created_utc=TEN_O_CLOCK + n * HOUR), SENTIMENTS[n % 3])
        for n, author in enumerate(("Jo_Do", "JO_DO", "jo_do", "Jo_Do2", "someone"))
    ]
    await store.writer.write(stored, [], [])
    before = await _everything(store)
    assert await store.writer.forget("jO_dO") == 3
    assert [one.item.author for one in await store.reader.recent(None, 0, 10)] == ["someone", "Jo_Do2"]
    assert await store.reader.item("t3_0") is None
    forgotten = [one.scored for one in await store.reader.scan(None, 10) if one.scored.item.is_deleted]
    assert {one.item.name for one in forgotten} == {"t3_0", "t3_1", "t3_2"}
    assert all((one.item.title, one.item.content, one.item.author, one.item.url) == ("",) * 4 for one in forgotten)
    assert await _everything(store) == before
    assert await store.writer.forget("jo_do") == 0
    assert [one.name for one in await store.reader.due(TEN_O_CLOCK * 2, 10)] == ["t3_3", "t3_4"]
    await _hold_together(store)


async def test_gauges_are_named_for_the_store(store: Store) -> None:
    """They stand among those of a whole process."""
    for gauges in (store.reader.gauges(), store.writer.gauges()):
        assert all(name.startswith("store_") for name in gauges)
        assert all(isinstance(figure, float) for figure in gauges.values())


def _deleted(one: Item) -> Item:
    """Return the look, a while later, that finds it gone."""
    return replace(one, title="", content="", author="", url="", is_deleted=True, collected_utc=one.collected_utc + 100)


def _random_look(dice: random.Random) -> Scored:
    number = dice.randrange(40)
    look = item(
        f"t3_{number}",
        subreddit=("Cursor", "aws", "OpenAI")[number % 3],
        created_utc=TEN_O_CLOCK + number * 500,
        collected_utc=TEN_O_CLOCK + 100_000 + dice.randrange(30),
        content=dice.choice(("A text", "Edited", "Edited again")),
    )
    if dice.random() < 0.2:
        look = replace(_deleted(look), collected_utc=look.collected_utc)
    return scored(replace(look, upvotes=dice.choice((None, 1, 2))), dice.choice(SENTIMENTS))


def _one_by_one(looks: list[Scored]) -> dict[str, tuple[Scored, int]]:
    """Return what the contract makes of the looks: the item as it is kept, and its last look."""
    kept: dict[str, tuple[Scored, int]] = {}
    for look in looks:
        now = look.item
        if now.name not in kept:
            kept[now.name] = look, now.collected_utc
            continue
        was, checked_utc = kept[now.name]
        if now.collected_utc > checked_utc:
            is_same_text = now.is_deleted or (
                not was.item.is_deleted and (was.item.title, was.item.content) == (now.title, now.content)
            )
            after = replace(now, collected_utc=was.item.collected_utc)
            kept[now.name] = replace(was if is_same_text else look, item=after), now.collected_utc
    return kept


async def _everything(store: Store) -> Totals:
    """Return the totals of all whole hours."""
    return await store.reader.totals(None, 0, TEN_O_CLOCK + 1000 * HOUR)


async def _whole(store: Store) -> object:
    """Return all that can be read of the items."""
    return await store.reader.scan(None, 1000), await store.reader.hours(None, 1000), await store.reader.contents()


async def _hold_together(store: Store) -> None:
    """See that the roll-ups are what the items add up to, each hour of each subreddit, and all of them together."""
    counted: dict[tuple[str, int], list[Scored]] = {}
    for one in await store.reader.scan(None, 10_000):
        hour_utc = one.scored.item.created_utc // HOUR * HOUR
        counted.setdefault((one.scored.item.subreddit.lower(), hour_utc), []).append(one.scored)
    hours = {(hour.subreddit.lower(), hour.hour_utc): hour for hour in await store.reader.hours(None, 10_000)}
    assert hours.keys() == counted.keys()
    for key, stored in counted.items():
        counts = [sum(one.score.sentiment == sentiment for one in stored) for sentiment in SENTIMENTS]
        assert [hours[key].positive, hours[key].neutral, hours[key].negative] == counts
        assert hours[key].compound_sum == pytest.approx(sum(one.score.compound for one in stored), abs=1e-9)
    totals = await _everything(store)
    everything = [one for stored in counted.values() for one in stored]
    assert totals.total == len(everything)
    assert [totals.positive, totals.neutral, totals.negative] == [
        sum(one.score.sentiment == sentiment for one in everything) for sentiment in SENTIMENTS
    ]


async def test_roll_ups_without_items_are_taken_over_once(store: Store) -> None:
    """A migration brings hours whose items are gone by age; an hour that is counted here is left as it is."""
    await store.writer.write([scored(item("t3_a", subreddit="aws"), "positive")], [], [])
    hours = [
        Hour(subreddit="AWS", hour_utc=TEN_O_CLOCK, positive=7, neutral=0, negative=0, compound_sum=5.0),
        Hour(subreddit="aws", hour_utc=TEN_O_CLOCK - HOUR, positive=1, neutral=2, negative=3, compound_sum=-1.5),
        Hour(subreddit="gone", hour_utc=TEN_O_CLOCK, positive=0, neutral=4, negative=0, compound_sum=0.0),
    ]
    assert await store.writer.adopt(hours) == 2
    assert await store.writer.adopt(hours) == 0
    totals = await store.reader.totals(None, TEN_O_CLOCK - HOUR, TEN_O_CLOCK + HOUR)
    assert (totals.positive, totals.neutral, totals.negative) == (2, 6, 3)
    assert totals.avg_sentiment == pytest.approx((0.75 - 1.5) / 11)
    assert await store.reader.subreddits() == ["aws", "gone"]


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
