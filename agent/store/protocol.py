"""What the processes need of a store. One process writes (the analyzer), any number read.

Every method may raise :class:`~ipc.errors.StoreUnavailable`: wait and try again; nothing of a failed
``write`` is kept. Windows are half-open, ``since_utc <= created_utc < until_utc``, in seconds since the
epoch, and exact to the second. Subreddit names match whatever their case; None means all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from agent.records import Collections, Contents, Point, Scored, SetAside, SubredditTotals, Totals
    from ipc.messages import Cycle

Kind = Literal["post", "comment", "all"]


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

    async def recent(self, subreddit: str | None, since_utc: int, limit: int, kind: Kind = "post") -> list[Scored]:
        """Return the newest items created at or after ``since_utc``, newest first."""

    async def item(self, name: str) -> Scored | None:
        """Return the item with this fullname (``t3_...`` or ``t1_...``), None when unknown."""

    async def subreddits(self) -> list[str]:
        """Return the names of all subreddits that have items, sorted without regard to case."""

    async def collections(self, now_utc: float) -> Collections:
        """Return what the stored cycles say."""

    async def contents(self) -> Contents:
        """Return what the store holds. Costs the same whatever its size; also how its health is checked."""


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
        """Store all of it in one transaction, durably, and return how many scored items were new.

        An item, a set-aside item or a cycle that is already there (by its name or id) changes nothing and counts
        nowhere; roll-ups count new items only.
        """
