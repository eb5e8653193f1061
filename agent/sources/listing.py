"""A newest-first listing of Reddit's: its JSON, and how far it has been read. Pure: no network, no clock.

The place in it is a time and the names seen last, never one anchor item: whichever of them is deleted on
Reddit, reading neither stalls nor loses anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from agent.sources import thing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipc.messages import Item

#: As many as one page of a listing holds: more items than that in one second are not to be expected.
NAMES_KEPT: Final = 100
#: Reddit ends a listing near 1000 items, less those that moderators took out. One that ends with fewer than this
#: was shown whole, to the subreddit's beginning, and hides nothing. Chosen, not measured.
ENDS_EARLY_ITEMS: Final = 500


class Data(msgspec.Struct):
    """One page of a listing as Reddit sent it."""

    #: Taken one by one later on, so that an odd one costs only itself.
    children: list[Any]
    after: str | None = None


class _Answer(msgspec.Struct):
    data: Data


class _Child(msgspec.Struct):
    data: dict[str, Any]
    kind: str = ""


def data_of(answer: object) -> Data:
    """Return the page in an answer's JSON.

    Raises:
        ValueError: it is no listing.

    """
    return msgspec.convert(answer, _Answer).data


def items_of(children: Sequence[object], kind: str | None, collected_utc: int) -> tuple[list[Item], list[str]]:
    """Return what could be read of a page, and a sentence for each child that could not.

    ``kind`` is what the listing holds, ``t3`` or ``t1``; None where each child says it for itself.
    """
    items: list[Item] = []
    odd: list[str] = []
    for number, raw in enumerate(children, start=1):
        try:
            child = msgspec.convert(raw, _Child)
            items.append(thing.from_api(kind or child.kind, child.data, collected_utc))
        except ValueError as error:
            odd.append(f"item {number} of a page: {error}")
    return items, odd


class Mark(msgspec.Struct, frozen=True):
    """Everything up to here has been read."""

    newest_utc: int
    #: The newest of the names seen, newest first.
    names: tuple[str, ...] = ()


class Cursor(msgspec.Struct, frozen=True):
    """How far one subreddit has been read."""

    posts: Mark
    comments: Mark


class Reading:
    """One reading of a listing, page after page, from its newest item back to what ``mark`` says was seen.

    Without a mark it goes back to ``horizon_utc``.
    """

    def __init__(self, mark: Mark | None, horizon_utc: int, limit: int) -> None:
        self._mark = mark or Mark(horizon_utc)
        self._is_first = mark is None
        self._limit = limit
        self._known = frozenset(self._mark.names)
        self._fresh: list[Item] = []
        self._count = 0
        #: What was seen before has been met: everything newer has been read.
        self.is_complete = False
        #: The listing has no more to give, complete or not.
        self.is_over = False

    @property
    def room(self) -> int:
        """How many more things may be asked for."""
        return self._limit - self._count

    @property
    def has_gap(self) -> bool:
        """Whether the listing is over and what was seen before was never met."""
        missed = self.is_over and not self.is_complete and not self._is_first
        return missed and (self.room <= 0 or self._count >= ENDS_EARLY_ITEMS)

    def take(self, items: Sequence[Item], count: int, *, is_last: bool) -> tuple[Item, ...]:
        """Take the items of the next page and return the new ones.

        ``count`` is how many things the page held, odd ones included. The whole page is looked at, so that
        one item out of order does not hide those after it.
        """
        fresh = [item for item in items if item.created_utc >= self._mark.newest_utc and item.name not in self._known]
        self._fresh += fresh
        self._count += count
        self.is_complete = self.is_complete or any(self._was_seen(item) for item in items)
        self.is_over = is_last or self.is_complete or self.room <= 0
        return tuple(fresh)

    def mark(self, now_utc: int) -> Mark:
        """Return how far the listing has been read now."""
        newest = sorted(self._fresh, key=lambda item: item.created_utc, reverse=True)
        names = [*(item.name for item in newest), *self._mark.names]
        # An item from the future must not hide all that come before its time.
        latest_utc = min(newest[0].created_utc, now_utc) if newest else 0
        return Mark(max(latest_utc, self._mark.newest_utc), tuple(names[:NAMES_KEPT]))

    def _was_seen(self, item: Item) -> bool:
        return item.name in self._known or item.created_utc < self._mark.newest_utc
