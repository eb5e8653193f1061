"""The sample: what was written, and how it is played."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from agent.sources.sample import STREAM, WEEK_S, SampleSource, rows
from ipc.settings import CollectorSettings

if TYPE_CHECKING:
    from agent.sources.protocol import Page
    from ipc.messages import Item

#: A Wednesday, a quarter past noon, UTC.
NOW: Final = 1_760_530_500
_DAY_S: Final = 24 * 3600

TOOLS: Final = (
    "GitHub Copilot",
    "Claude",
    "Cursor",
    "ChatGPT",
    "Windsurf",
    "Jules",
    "Kiro",
    "Gemini",
    "Amazon Q",
    "Codeium",
)


async def _read(now_utc: float, cursor: str | None = None) -> list[Page]:
    async with SampleSource(now=lambda: now_utc) as source:
        return [page async for page in source.read(STREAM, cursor)]


def _items(pages: list[Page]) -> list[Item]:
    return [item for page in pages for item in page.items]


def test_the_rows_are_what_the_first_run_needs() -> None:
    """Some hundreds of posts and comments, in every first-run subreddit, about every first-run tool, of each label."""
    all_rows = rows()
    assert len(all_rows) >= 300
    posts = sum(row.kind == "post" for row in all_rows)
    assert 0.35 < posts / len(all_rows) < 0.45
    assert {row.subreddit for row in all_rows} == set(CollectorSettings().subreddits)
    texts = "\n".join(f"{row.title} {row.content}" for row in all_rows)
    assert [tool for tool in TOOLS if len(re.findall(rf"\b{tool}\b", texts)) < 3] == []
    assert min(Counter(row.label for row in all_rows).values()) >= 50


def test_every_row_is_well_formed() -> None:
    """Posts have a title, comments a body alone; authors are visibly nobody; no text is there twice."""
    all_rows = rows()
    for row in all_rows:
        assert bool(row.title) is (row.kind == "post")
        assert row.title or row.content
        assert re.fullmatch(r"sample_user_\d{1,3}", row.author)
        assert (row.sentiment is not None) is (row.label == "tricky")
    assert len({(row.title, row.content) for row in all_rows}) == len(all_rows)


async def test_a_first_read_brings_the_last_week() -> None:
    """Every row twice, spread over seven days, oldest first, none of it in the future."""
    items = _items(await _read(NOW))
    assert abs(len(items) - 2 * len(rows())) < len(rows()) / 10
    times = [item.created_utc for item in items]
    assert times == sorted(times)
    assert NOW - WEEK_S - _DAY_S / 4 < times[0] < NOW - WEEK_S + _DAY_S / 4
    assert NOW - _DAY_S / 8 < times[-1] <= NOW
    assert {item.source for item in items} == {"sample"}


async def test_later_reads_bring_what_has_come_since() -> None:
    """Hour by hour is the same as all at once, and nothing comes twice."""
    pages = await _read(NOW)
    first = _items(pages)
    in_steps: list[Item] = []
    cursor = pages[-1].cursor
    for hour in range(1, 10 * 24 + 1):
        new = await _read(NOW + hour * 3600, cursor)
        in_steps += _items(new)
        cursor = new[-1].cursor if new else cursor
    at_once = _items(await _read(NOW + 10 * _DAY_S, pages[-1].cursor))
    assert [item.name for item in in_steps] == [item.name for item in at_once]
    assert abs(len(at_once) - 2 * len(rows()) * 10 / 7) < len(rows()) / 5
    names = [item.name for item in first + at_once]
    assert len(set(names)) == len(names)


async def test_every_default_interval_brings_something() -> None:
    """By night too: sample data that looks old would make a healthy system look degraded."""
    cursor = (await _read(NOW))[-1].cursor
    for half_hour in range(1, 2 * 24 + 1):
        pages = await _read(NOW + half_hour * 1800, cursor)
        assert _items(pages)
        cursor = pages[-1].cursor


async def test_no_time_has_passed_brings_nothing() -> None:
    """And neither does a clock that was set back."""
    cursor = (await _read(NOW))[-1].cursor
    assert await _read(NOW, cursor) == []
    assert await _read(NOW - _DAY_S, cursor) == []


async def test_the_same_start_plays_the_same() -> None:
    """Names, times, votes: all follow from the anchor, which is a full hour."""
    once, again = _items(await _read(NOW)), _items(await _read(NOW + 600))
    assert [(item.name, item.created_utc, item.upvotes) for item in once] == [
        (item.name, item.created_utc, item.upvotes) for item in again[: len(once)]
    ]


async def test_a_sample_that_begins_anew_has_other_names() -> None:
    """After the loss of its cursor it is not taken for what is in the store already."""
    once, again = _items(await _read(NOW)), _items(await _read(NOW + _DAY_S))
    assert not {item.name for item in once} & {item.name for item in again}


async def test_names_are_fullnames_of_their_kind() -> None:
    """Base 36, with a prefix that no id of Reddit's has."""
    for item in _items(await _read(NOW)):
        assert re.fullmatch(r"t[13]_sample[0-9a-z]{9}", item.name)
        assert (item.kind == "comment") is (item.title == "") is (item.comment_count is None)


async def test_votes_vary() -> None:
    """Figures differ from item to item, a few are large, none is negative."""
    upvotes = [item.upvotes or 0 for item in _items(await _read(NOW))]
    assert len(set(upvotes)) > 15
    assert min(upvotes) >= 0
    assert max(upvotes) > 50


async def test_more_is_written_by_day_than_by_night() -> None:
    """The rhythm shows in the hours, and the order of items is kept."""
    items = _items(await _read(NOW))
    hours = Counter(item.created_utc % _DAY_S // 3600 for item in items)
    assert sum(hours[hour] for hour in range(12, 20)) > 2 * sum(hours[hour] for hour in range(8))
    assert all(earlier.created_utc <= later.created_utc for earlier, later in pairwise(items))


async def test_an_unreadable_cursor_begins_anew() -> None:
    """What is no cursor of ours costs nothing but a second beginning."""
    assert len(_items(await _read(NOW, "[]"))) == len(_items(await _read(NOW)))
