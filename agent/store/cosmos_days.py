"""The document that counts one day of one subreddit by hour, how it is changed, and what a window reads of it.

It lies in the partition of its items and changes in the same batch, so it is exact; it never expires, so it outlives
them. It is changed by increments alone: two writers never have to agree on what it was. Pure: no network, no clock.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from agent.records import Hour, Point, SubredditTotals, Totals
from agent.store.cosmos_documents import DAY_S, NANO, day_key, nano

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from agent.records import Scored, Sentiment
    from agent.store.cosmos_documents import Document

HOUR_S: Final = 3600
#: The id of the document in its partition; no item's id looks like it.
DAY_ID: Final = "~day"
#: The service's bound of one patch.
PATCH_OPERATIONS: Final = 10
#: The most patches that a change of a day takes: each hour's four figures and the number of items.
MOST_PATCHES: Final = math.ceil((24 * 4 + 1) / PATCH_OPERATIONS)

_SENTIMENTS: Final[tuple[Sentiment, ...]] = ("positive", "neutral", "negative")
_COMPOUND: Final = "nano"


class Delta:
    """What a batch adds to one day: a counter of paths in its document."""

    def __init__(self) -> None:
        self._paths: Counter[str] = Counter()

    def add(self, one: Scored) -> None:
        """Count an item."""
        self._paths["/items"] += 1
        self._score(one, 1)

    def exchange(self, old: Scored, new: Scored) -> None:
        """Take the old score out and put the new one in, in the hour that the item was first counted in."""
        self._score(old, -1)
        self._score(msgspec.structs.replace(new, item=old.item), 1)

    def _score(self, one: Scored, sign: int) -> None:
        hour = f"/hours/{one.item.created_utc % DAY_S // HOUR_S:02d}"
        self._paths[f"{hour}/{one.score.sentiment}"] += sign
        self._paths[f"{hour}/{_COMPOUND}"] += sign * nano(one.score)

    def patches(self) -> list[list[dict[str, Any]]]:
        """Return the increments, cut into as many patches as the service needs; none when nothing changes."""
        increments = [{"op": "incr", "path": path, "value": value} for path, value in self._paths.items() if value]
        return [increments[at : at + PATCH_OPERATIONS] for at in range(0, len(increments), PATCH_OPERATIONS)]


def day_document(pk: str) -> Document:
    """Return the document of a partition's day, which has counted nothing yet."""
    subreddit, day = pk[:-11], pk[-10:]
    hour = dict.fromkeys((*_SENTIMENTS, _COMPOUND), 0)
    return {
        "id": DAY_ID,
        "pk": pk,
        "type": "day",
        "ttl": -1,
        "sub": subreddit,
        "day_utc": int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()),
        "day_key": pk,
        "items": 0,
        "hours": {f"{number:02d}": dict(hour) for number in range(24)},
    }


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """What one hour of one subreddit, or a part of it, adds to a window."""

    sub: str
    at_utc: int
    positive: int
    neutral: int
    negative: int
    nano: int

    @property
    def total(self) -> int:
        """How many items."""
        return self.positive + self.neutral + self.negative


class Window(msgspec.Struct, frozen=True):
    """A window cut into its whole hours, ``head`` to ``tail``, and the pieces of hours at its ends."""

    since_utc: int
    until_utc: int
    head_utc: int
    tail_utc: int

    @classmethod
    def cut(cls, since_utc: int, until_utc: int) -> Window:
        """Cut; a window within one hour is a piece and nothing else."""
        head_utc, tail_utc = -(-since_utc // HOUR_S) * HOUR_S, until_utc // HOUR_S * HOUR_S
        if head_utc > tail_utc:
            head_utc = tail_utc = until_utc
        return cls(since_utc, until_utc, head_utc, tail_utc)

    @property
    def pieces(self) -> list[tuple[int, int]]:
        """The seconds, from and until, that are counted from items: each within one hour, so within one day."""
        pieces = [(self.since_utc, self.head_utc), (self.tail_utc, self.until_utc)]
        return [(begin, end) for begin, end in pieces if begin < end]

    @property
    def days(self) -> tuple[int, int] | None:
        """The first and the last day whose counts are needed; None without a whole hour."""
        if self.head_utc >= self.tail_utc:
            return None
        return self.head_utc // DAY_S * DAY_S, (self.tail_utc - 1) // DAY_S * DAY_S

    def of_day(self, document: Mapping[str, Any]) -> Iterator[Cell]:
        """Yield the whole hours of a day that lie within the window and hold items."""
        for cell in cells(document):
            if self.head_utc <= cell.at_utc < self.tail_utc:
                yield cell


def cells(document: Mapping[str, Any]) -> Iterator[Cell]:
    """Yield the hours of a day that hold items, in order."""
    for hour, counts in sorted(document["hours"].items()):
        cell = Cell(
            sub=document["sub"],
            at_utc=int(document["day_utc"]) + int(hour) * HOUR_S,
            nano=int(counts[_COMPOUND]),
            **{sentiment: int(counts[sentiment]) for sentiment in _SENTIMENTS},
        )
        if cell.total:
            yield cell


def of_row(row: Mapping[str, Any]) -> Cell:
    """Return what a single item adds: a row of sub, created_utc, sentiment and compound_nano."""
    counts = {sentiment: int(row["sentiment"] == sentiment) for sentiment in _SENTIMENTS}
    return Cell(sub=row["sub"], at_utc=int(row["created_utc"]), nano=int(row["compound_nano"]), **counts)


def totals(counted: Iterable[Cell]) -> Totals:
    """Return the totals of these cells."""
    positive = neutral = negative = compound = 0
    for cell in counted:
        positive += cell.positive
        neutral += cell.neutral
        negative += cell.negative
        compound += cell.nano
    total = positive + neutral + negative
    return Totals(
        total=total,
        positive=positive,
        neutral=neutral,
        negative=negative,
        avg_sentiment=compound / NANO / total if total else None,
    )


def series(counted: Iterable[Cell], bucket_s: int) -> list[Point]:
    """Return the totals by bucket, oldest first."""
    buckets: defaultdict[int, list[Cell]] = defaultdict(list)
    for cell in counted:
        buckets[cell.at_utc // bucket_s * bucket_s].append(cell)
    return [Point(start_utc=start, totals=totals(within)) for start, within in sorted(buckets.items())]


def by_subreddit(counted: Iterable[Cell], names: Mapping[str, str], limit: int) -> list[SubredditTotals]:
    """Return the totals of each subreddit, most items first. ``names`` are the first spellings."""
    each: defaultdict[str, list[Cell]] = defaultdict(list)
    for cell in counted:
        each[cell.sub].append(cell)
    listed = [SubredditTotals(subreddit=names.get(one, one), totals=totals(within)) for one, within in each.items()]
    return sorted(listed, key=lambda one: (-one.totals.total, one.subreddit.lower()))[:limit]


def series_by_subreddit(
    counted: Iterable[Cell], names: Mapping[str, str], bucket_s: int, limit: int
) -> dict[str, list[Point]]:
    """Return the series of the subreddits with the most items, most first. ``names`` are the first spellings."""
    each: defaultdict[str, list[Cell]] = defaultdict(list)
    for cell in counted:
        each[names.get(cell.sub, cell.sub)].append(cell)
    most = sorted(each, key=lambda name: (-sum(cell.total for cell in each[name]), name.lower()))
    return {name: series(each[name], bucket_s) for name in most[:limit]}


def hour(cell: Cell, names: Mapping[str, str]) -> Hour:
    """Return a cell of a whole hour as a roll-up."""
    return Hour(
        subreddit=names.get(cell.sub, cell.sub),
        hour_utc=cell.at_utc,
        positive=cell.positive,
        neutral=cell.neutral,
        negative=cell.negative,
        compound_sum=cell.nano / NANO,
    )


def place(after: Hour) -> tuple[str, int]:
    """Return the partition of a roll-up, and its hour: where a walk through all of them goes on."""
    return day_key(after.subreddit, after.hour_utc // DAY_S * DAY_S), after.hour_utc
