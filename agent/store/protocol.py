"""What the processes need of a store. One process writes (the analyzer), any number read.

Every method may raise :class:`~ipc.errors.StoreUnavailable`: wait and try again, a failed ``write`` with all
that it was given. What is deleted where it came from is counted and never shown. Windows are half-open,
``since_utc <= created_utc < until_utc``, in seconds since the epoch, and exact to the second. Subreddit
names match whatever their case; None means all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from agent.records import (
        Asked,
        Collections,
        Contents,
        Hour,
        Kept,
        Kind,
        Latest,
        Page,
        Point,
        Scored,
        SetAside,
        SubredditTotals,
        Totals,
    )
    from ipc.messages import Cycle, Item


class Reading(Protocol):
    """The reader's side."""

    #: ``sqlite``, ``cosmos``, ...: told in health.
    engine: str

    async def __aenter__(self) -> Self:
        """Open; does not fail because the database is away: the first call will."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Close."""

    async def totals(self, subreddit: str | None, since_utc: int, until_utc: int) -> Totals:
        """Return the totals of posts and comments created in the window, from roll-ups."""

    async def series(self, subreddit: str | None, since_utc: int, until_utc: int, bucket_s: int) -> list[Point]:
        """Return the buckets of the window that hold items, oldest first.

        ``bucket_s`` is a multiple of 3600. Buckets begin at multiples of ``bucket_s`` since the epoch; the
        first and last hold only what lies within the window.
        """

    async def totals_by_subreddit(self, since_utc: int, until_utc: int, limit: int) -> list[SubredditTotals]:
        """Return the subreddits with the most items in the window, most first."""

    async def series_by_subreddit(
        self, since_utc: int, until_utc: int, bucket_s: int, limit: int
    ) -> dict[str, list[Point]]:
        """Return the series of the subreddits with the most items in the window, most first."""

    async def recent(self, subreddit: str | None, since_utc: int, limit: int, kind: Kind = "post") -> list[Scored]:
        """Return the newest items created at or after ``since_utc``, newest first; deleted ones are left out."""

    async def page(self, asked: Asked, after: str | None, limit: int) -> Page:
        """Return the next items of a list behind the place ``after``; None is its beginning.

        ``limit`` of them, fewer where their texts are very long (:data:`agent.store.places.MAX_CHARACTERS`): only
        ``next`` says whether there are more. Deleted ones are left out. What is written while somebody pages shifts
        nothing: a new item is on a page that is still to come or on none. An item that moves in the order (its score
        or its comments change) may come twice or not at all.

        Raises:
            ValueError: ``after`` is no place of a list in this order.

        """

    async def item(self, name: str) -> Scored | None:
        """Return the item with this fullname (``t3_...`` or ``t1_...``), None when unknown or deleted."""

    async def subreddits(self) -> list[str]:
        """Return the names of all subreddits that have items, sorted without regard to case."""

    async def collections(self, now_utc: float) -> Collections:
        """Return what the stored cycles say."""

    async def contents(self) -> Contents:
        """Return what the store holds. Costs the same whatever its size; also how its health is checked."""

    async def latest(self) -> list[Latest]:
        """Return how fresh each subreddit is, sorted as :meth:`subreddits`. Costs the same whatever the store's size.

        Deleted items count: they were seen.
        """

    async def state(self) -> str | None:
        """Return a token that is another one after anything was written that may change an answer.

        It is good within this process. None where the database can't say it cheaply.
        """

    async def due(self, looked_at_before_utc: int, limit: int) -> list[Item]:
        """Return items of the source ``reddit`` that are not deleted and were last looked at before, in that order.

        What was set aside is among them, so that a deletion by its author is followed there too.
        """

    async def scan(self, after: str | None, limit: int) -> list[Kept]:
        """Return the next items behind the place ``after``, deleted ones too, in a stable order."""

    async def hours(self, after: Hour | None, limit: int) -> list[Hour]:
        """Return the next roll-ups behind ``after``, in a stable order; those whose items are gone too."""

    def gauges(self) -> dict[str, float]:
        """Return figures for metrics (``store_request_units_per_s``, ...); none where there is nothing to tell."""


class Writing(Protocol):
    """The writer's side: one process, one at a time."""

    async def __aenter__(self) -> Self:
        """Open, create what is missing, migrate what is older.

        Raises:
            SettingsError: the database was made by a newer version, or is not ours.

        """

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Close."""

    async def write(self, scored: Sequence[Scored], set_aside: Sequence[SetAside], cycles: Sequence[Cycle]) -> int:
        """Store all of it durably and return how many scored items were new.

        A cycle that is already there (by its id) changes nothing, and of what was set aside (by its name) only a later
        look counts, which takes the earlier one's place; where the item has a score, that and its text stay, and this
        was the last look at it. Of a scored item that is already there only a *later look* counts, one whose
        ``collected_utc`` is above the last look's:

        - it brings author (an account may be gone), url, ``upvotes`` and ``comment_count`` up to date, and is the last
          look from then on;
        - a changed title or content replaces text and score, and the roll-ups of its hour follow exactly;
        - ``is_deleted`` empties title, content, author and url; the roll-ups keep its anonymous score. A later look
          that finds it alive again brings it back. What was set aside under its name is emptied too, for good: its
          error is cut to the type, because its words may quote the text.

        Anything else changes nothing, so a batch may come any number of times, and in any company.
        ``collected_utc`` stays the first look's: the freshness of the data is that of new items.
        """

    async def retain(self, created_from_utc: int) -> int:
        """Remove items that were created before, and return how many, set-aside ones among them; the roll-ups stay.

        One that was collected within the last day stays until that is over, so that it is recognised when it is sent
        again. In bounded steps, between which others may write. 0 where the database does it by itself.
        """

    async def forget(self, author: str) -> int:
        """Do with every item of ``author`` (whatever the case) what a deletion does; return how many there were.

        What was set aside of that author is emptied too; it is not in the number.
        """

    async def adopt(self, hours: Sequence[Hour]) -> int:
        """Take over roll-ups of another store that stand without their items; return how many were taken.

        An hour of a subreddit of which something is counted here already is left as it is.
        """

    def gauges(self) -> dict[str, float]:
        """Return figures for metrics, as :meth:`Reading.gauges` does."""
