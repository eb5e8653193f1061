"""The records of the domain: what is stored of an item, and what is asked about many."""

from __future__ import annotations

from typing import Literal

import msgspec

from ipc.messages import Item, SubredditFailure

Sentiment = Literal["positive", "neutral", "negative"]
Kind = Literal["post", "comment", "all"]
Order = Literal["newest", "oldest", "positive", "negative", "discussed"]


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """The sentiment of one item."""

    sentiment: Sentiment
    #: The probability of ``sentiment``; 0 where no text was there to judge (see ``rule``).
    confidence: float
    #: Probabilities; they sum to 1.
    positive: float
    neutral: float
    negative: float
    #: Which rule made the text that was scored: ``text``, ``empty``, ``removed``, ... (docs/model.md).
    rule: str
    #: The model that scored it.
    model: str

    @property
    def compound(self) -> float:
        """p(positive) - p(negative), in [-1, 1]."""
        return self.positive - self.negative


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """An item and its score, as stored."""

    item: Item
    score: Score


class SetAside(msgspec.Struct, frozen=True, kw_only=True):
    """An item that could not be scored: kept whole, with the error, so that nothing is lost."""

    item: Item
    error: str
    failed_utc: float


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One item as the store keeps it, with what only the store knows."""

    scored: Scored
    #: Seconds since the epoch, UTC: the last look at it where it came from; the first one is ``collected_utc``.
    checked_utc: int
    #: Where it stands in a scan; hand it in as ``after`` to go on behind it. Only the store understands it.
    place: str


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which items a list is to hold, and in which order."""

    subreddit: str | None = None
    #: Half-open, in seconds since the epoch, UTC.
    since_utc: int
    until_utc: int
    kind: Kind = "post"
    sentiment: Sentiment | None = None
    #: ``positive`` is by compound, highest first, and ``negative`` the reverse of it; ``discussed`` by the number of
    #: comments, most first and unknown last. Ties go by time of creation and name, in the order's own direction.
    order: Order = "newest"


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a list."""

    items: list[Scored]
    #: Hand it in as ``after`` to go on behind the last item; None when there is nothing more. Only the store
    #: understands it.
    next: str | None


class Latest(msgspec.Struct, frozen=True, kw_only=True):
    """How fresh one subreddit is."""

    subreddit: str
    #: Items that are stored; those that were removed by age are not among them.
    items: int
    #: Seconds since the epoch, UTC, of the newest items that ever came; None when that was not noted.
    newest_created_utc: int | None
    newest_collected_utc: int | None


class Hour(msgspec.Struct, frozen=True, kw_only=True):
    """One hour of one subreddit as the roll-ups keep it: it outlives its items."""

    subreddit: str
    #: Seconds since the epoch, UTC; a multiple of 3600.
    hour_utc: int
    positive: int
    neutral: int
    negative: int
    #: The sum of the compounds; their order of adding shows in its last digits.
    compound_sum: float


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """How many items of a window have which sentiment."""

    total: int = 0
    positive: int = 0
    negative: int = 0
    neutral: int = 0
    #: Mean compound, in [-1, 1]; None when ``total`` is 0: missing is not zero.
    avg_sentiment: float | None = None


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """The totals of one bucket of a series."""

    #: Seconds since the epoch, UTC, at which the bucket begins.
    start_utc: int
    totals: Totals


class SubredditTotals(msgspec.Struct, frozen=True, kw_only=True):
    """The totals of one subreddit."""

    subreddit: str
    totals: Totals


class Collections(msgspec.Struct, frozen=True, kw_only=True):
    """What the stored cycles say."""

    last_finished_utc: float | None
    succeeded: int
    failed: int
    failed_last_hour: int
    #: What could not be read in the last cycle: missing is not the same as quiet.
    last_failures: tuple[SubredditFailure, ...] = ()


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the store, for health and metrics."""

    items: int
    set_aside: int
    #: When the newest item was collected; seconds since the epoch, UTC; None in an empty store.
    newest_collected_utc: int | None
    #: The sources that stored items came from.
    sources: tuple[str, ...]
