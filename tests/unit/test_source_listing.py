"""How far a newest-first listing was read, and when it is over."""

from __future__ import annotations

from typing import Final

import pytest

from agent.sources.listing import ENDS_EARLY_ITEMS, NAMES_KEPT, Mark, Reading, data_of, items_of
from ipc.messages import Item

NOW: Final = 10_000


def _item(created_utc: int, name: str | None = None) -> Item:
    return Item(
        name=name or f"t3_{created_utc}",
        subreddit="Cursor",
        author="sample_user_1",
        title="A title",
        content="",
        url="https://example.com/",
        created_utc=created_utc,
        collected_utc=NOW,
        source="reddit",
    )


def _page(*created: int) -> list[Item]:
    return [_item(created_utc) for created_utc in created]


def test_reading_stops_at_what_was_seen() -> None:
    """The page that holds a known name, or anything older, is the last."""
    reading = Reading(Mark(100, ("t3_100",)), 0, 1000)
    assert [item.created_utc for item in reading.take(_page(103, 102), 2, is_last=False)] == [103, 102]
    assert not reading.is_over
    assert [item.created_utc for item in reading.take(_page(101, 100, 99), 3, is_last=False)] == [101]
    assert reading.is_over
    assert not reading.has_gap


def test_one_item_out_of_order_does_not_hide_the_others() -> None:
    """The whole page is looked at, in whatever order it came."""
    reading = Reading(Mark(100, ("t3_100",)), 0, 1000)
    assert [item.created_utc for item in reading.take(_page(5, 103, 102), 3, is_last=False)] == [103, 102]


def test_the_mark_remembers_the_newest_names() -> None:
    """The new names come before the old ones, and only so many are kept."""
    reading = Reading(Mark(100, tuple(f"t3_old{number}" for number in range(NAMES_KEPT))), 0, 1000)
    reading.take(_page(101, 103, 102), 3, is_last=True)
    mark = reading.mark(NOW)
    assert mark.newest_utc == 103
    assert mark.names[:4] == ("t3_103", "t3_102", "t3_101", "t3_old0")
    assert len(mark.names) == NAMES_KEPT


def test_an_item_from_the_future_hides_nothing() -> None:
    """The mark never goes beyond now, so that what comes before that item's time is still read."""
    reading = Reading(Mark(100), 0, 1000)
    reading.take([_item(NOW + 5000)], 1, is_last=True)
    mark = reading.mark(NOW)
    assert mark.newest_utc == NOW
    assert mark.names == (f"t3_{NOW + 5000}",)
    again = Reading(mark, 0, 1000)
    taken = again.take([_item(NOW + 5000), _item(NOW + 10)], 2, is_last=True)
    assert [item.created_utc for item in taken] == [NOW + 10]


def test_nothing_new_leaves_the_mark_as_it_was() -> None:
    """An empty listing moves nothing."""
    mark = Mark(100, ("t3_100",))
    reading = Reading(mark, 0, 1000)
    reading.take([], 0, is_last=True)
    assert reading.mark(NOW) == mark


@pytest.mark.parametrize(
    ("count", "limit", "has_gap"), [(ENDS_EARLY_ITEMS, 1000, True), (ENDS_EARLY_ITEMS - 1, 1000, False), (50, 50, True)]
)
def test_only_a_full_listing_can_hide_something(count: int, limit: int, *, has_gap: bool) -> None:
    """A listing that ends early shows everything there is; one that is full may have pushed items out."""
    reading = Reading(Mark(100, ("t3_100",)), 0, limit)
    reading.take(_page(*range(200, 200 + count)), count, is_last=True)
    assert reading.is_over
    assert reading.has_gap is has_gap


def test_a_first_reading_ends_at_the_horizon_without_a_gap() -> None:
    """Nothing was seen before, so nothing can be missing."""
    reading = Reading(None, 100, 2)
    assert len(reading.take(_page(120, 110), 2, is_last=False)) == 2
    assert reading.is_over
    assert not reading.has_gap


@pytest.mark.parametrize("answer", [None, "", [], {}, {"data": {}}, {"data": {"children": 5}}, {"data": []}])
def test_what_is_no_listing_is_refused(answer: object) -> None:
    """Any other JSON is a ValueError."""
    with pytest.raises(ValueError, match=r"Expected|missing"):
        data_of(answer)


def test_an_odd_child_costs_only_itself() -> None:
    """Children that are no things are told by their place in the page."""
    good = {"data": {"id": "a", "subreddit": "b", "title": "c", "created_utc": 1}}
    items, odd = items_of(["text", good, {"kind": "t3"}, None], "t3", NOW)
    assert [item.name for item in items] == ["t3_a"]
    assert [text.split(":")[0] for text in odd] == ["item 1 of a page", "item 3 of a page", "item 4 of a page"]
