"""The source ``sample``: posts and comments that were written for this project, for a first run without credentials.

No line of it was written on Reddit, and its authors do not exist. The rows of ``sample.ndjson`` are played in
an endless repetition: item ``k`` appears at ``anchor + k * step``, shifted towards the day, where the anchor
lies a week before the first start and a step is such that the rows fill half a week. So a first start finds a
whole week, and each later cycle what has come since: at least one item in the default interval, by night too.
Everything about item ``k`` follows from ``k`` and the anchor: played twice, it is the same.
"""

from __future__ import annotations

import math
import random
import time
from importlib import resources
from typing import TYPE_CHECKING, Final, Literal, Self

import msgspec

from agent.sources.protocol import Page
from ipc import logs
from ipc.messages import Item

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from types import TracebackType

_log = logs.log(__name__)

STREAM: Final = "sample"
WEEK_S: Final = 7 * 24 * 3600
#: In which the rows are played once: with 343 rows an item at least every 24 minutes, below the interval of 30.
ROUND_S: Final = WEEK_S / 2
PAGE_ITEMS: Final = 256

_DAY_S: Final = 24 * 3600
_HOUR_S: Final = 3600
#: The hour of the day, UTC, at which most is written, and how strongly (0 is not at all, below 1). Chosen: at the peak
#: four times as much as twelve hours from it.
_PEAK_HOUR: Final = 16
_RHYTHM: Final = 0.6
_MOST_UPVOTES: Final = 2000
_BASE36: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One written post or comment, and what its writer meant by it, which only tests look at."""

    kind: Literal["post", "comment"]
    subreddit: str
    author: str
    title: str
    content: str
    label: Literal["positive", "negative", "neutral", "tricky"]
    #: Of a tricky one: what a reader would take it for, and what makes it tricky.
    sentiment: Literal["positive", "negative", "neutral"] | None = None
    trick: str | None = None


class _Cursor(msgspec.Struct, frozen=True):
    anchor_utc: int
    next_k: int


class SampleSource:
    """A :class:`~agent.sources.protocol.Source` with one stream; ``now`` is the wall clock."""

    name = "sample"

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._rows: tuple[Row, ...] = ()

    async def __aenter__(self) -> Self:
        """Load the rows."""
        self._rows = rows()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close nothing."""

    def streams(self) -> Sequence[str]:
        """Return the one stream."""
        return (STREAM,)

    async def read(self, stream: str, cursor: str | None) -> AsyncIterator[Page]:  # noqa: ARG002 - there is one
        """Yield what has appeared since ``cursor``, oldest first; without one, since a week ago."""
        now_utc = int(self._now())
        place = _decode(cursor) or _Cursor(_begin(now_utc), 0)
        while items := self._some(place, now_utc):
            place = _Cursor(place.anchor_utc, place.next_k + len(items))
            yield Page(items=items, cursor=msgspec.json.encode(place).decode())

    async def look_again(self, items: Sequence[Item]) -> Page:  # noqa: ARG002 - none of them changes
        """Return nothing: what stands here stays as it is."""
        return Page(items=())

    def _some(self, place: _Cursor, now_utc: int) -> tuple[Item, ...]:
        items: list[Item] = []
        for k in range(place.next_k, place.next_k + PAGE_ITEMS):
            created_utc = _created(place.anchor_utc, k, len(self._rows))
            if created_utc > now_utc:
                break
            items.append(_item(self._rows[k % len(self._rows)], k, place.anchor_utc, created_utc, now_utc))
        return tuple(items)


def rows() -> tuple[Row, ...]:
    """Return the written rows, in the order in which they are played."""
    lines = (resources.files("agent.sources") / "sample.ndjson").read_bytes().splitlines()
    return tuple(msgspec.json.decode(line, type=Row) for line in lines)


def _begin(now_utc: int) -> int:
    # To the full hour, so that two first starts within an hour play the very same items.
    return (now_utc - WEEK_S) // _HOUR_S * _HOUR_S


def _created(anchor_utc: int, k: int, row_count: int) -> int:
    """Return when item ``k`` appears: evenly through the week, then shifted within its day.

    The shift keeps the order, and a day's items within their day: its derivative is above -1, and it is 0 at midnight.
    """
    even_s = anchor_utc + k * ROUND_S / row_count
    day = math.floor(even_s / _DAY_S)
    turn = (even_s / _DAY_S - day) * math.tau
    phase = math.pi - _PEAK_HOUR / 24 * math.tau
    shift = _RHYTHM / math.tau * (math.sin(turn + phase) - math.sin(phase))
    return int(even_s + shift * _DAY_S)


def _item(row: Row, k: int, anchor_utc: int, created_utc: int, now_utc: int) -> Item:
    # Longer than any id of Reddit's, and the anchor's hour is in it: a sample that begins anew is not taken for the
    # one before it.
    identity = f"sample{_base36(anchor_utc // _HOUR_S)}{_base36(k):0>5}"
    dice = random.Random(k)  # noqa: S311 - the same figures each time are what is wanted
    upvotes = min(int(dice.paretovariate(0.9)), _MOST_UPVOTES)
    is_post = row.kind == "post"
    return Item(
        name=f"{'t3' if is_post else 't1'}_{identity}",
        subreddit=row.subreddit,
        author=row.author,
        title=row.title,
        content=row.content,
        # RFC 2606: a host that is nobody's. Nothing of this is on Reddit, so nothing leads there.
        url=f"https://example.com/sample/{row.subreddit}/{identity}",
        created_utc=created_utc,
        collected_utc=now_utc,
        upvotes=upvotes,
        comment_count=int(upvotes * dice.uniform(0.1, 0.8)) if is_post else None,
        source="sample",
    )


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _BASE36[digit] + digits
    return digits or "0"


def _decode(cursor: str | None) -> _Cursor | None:
    if cursor is None:
        return None
    try:
        return msgspec.json.decode(cursor, type=_Cursor)
    except msgspec.DecodeError:
        _log.warning("The cursor can't be read: the sample begins anew", cursor=cursor)
        return None
