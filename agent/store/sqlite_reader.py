"""The reader's side of the SQLite store: read-only, any number of processes, beside one writer.

It never makes the file and never changes it. As long as the file is missing, or is not what this version reads, each
call says so and the next one looks again.
"""

from __future__ import annotations

import sqlite3
import uuid
from typing import TYPE_CHECKING, Final, Self

from agent.store import sqlite_pages, sqlite_queries, sqlite_schema, sqlite_windows
from agent.store.query_log import QueryLog
from agent.store.sqlite_connection import BUSY_TIMEOUT_S, SqliteConnection
from ipc.errors import StoreUnavailable

if TYPE_CHECKING:
    from pathlib import Path
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
        SubredditTotals,
        Totals,
    )
    from ipc.messages import Item
    from ipc.settings import StoreSettings

#: No answer is worth a longer wait; the slowest that was measured on a million items took 60 ms. Chosen, not measured.
TIMEOUT_S: Final = 10.0


class SqliteReader:
    """A :class:`~agent.store.protocol.Reading` of a file. Slow and ordinary queries are logged, health's at DEBUG."""

    engine = "sqlite"

    def __init__(self, path: Path, settings: StoreSettings) -> None:
        log = QueryLog(settings.slow_query_ms)
        self._connection = SqliteConnection(path, connect_to_read, settings, log, timeout_s=TIMEOUT_S)
        #: For the state alone: who asks for it wants to know whether to ask at all, and waits behind no question.
        self._looking = SqliteConnection(path, self._connect, settings, log, timeout_s=TIMEOUT_S)
        self._life = uuid.uuid4().hex
        #: How often the file was opened: what a connection says of itself means nothing of another one.
        self._opened = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        await self._connection.close()
        await self._looking.close()

    async def totals(self, subreddit: str | None, since_utc: int, until_utc: int) -> Totals:
        """Return the totals of posts and comments created in the window."""
        return await self._connection.call("totals", sqlite_windows.totals, subreddit, since_utc, until_utc)

    async def series(self, subreddit: str | None, since_utc: int, until_utc: int, bucket_s: int) -> list[Point]:
        """Return the buckets of the window that hold items, oldest first."""
        return await self._connection.call("series", sqlite_windows.series, subreddit, since_utc, until_utc, bucket_s)

    async def totals_by_subreddit(self, since_utc: int, until_utc: int, limit: int) -> list[SubredditTotals]:
        """Return the subreddits with the most items in the window, most first."""
        return await self._connection.call(
            "totals_by_subreddit", sqlite_windows.totals_by_subreddit, since_utc, until_utc, limit
        )

    async def series_by_subreddit(
        self, since_utc: int, until_utc: int, bucket_s: int, limit: int
    ) -> dict[str, list[Point]]:
        """Return the series of the subreddits with the most items in the window, most first."""
        return await self._connection.call(
            "series_by_subreddit", sqlite_windows.series_by_subreddit, since_utc, until_utc, bucket_s, limit
        )

    async def recent(self, subreddit: str | None, since_utc: int, limit: int, kind: Kind = "post") -> list[Scored]:
        """Return the newest items created at or after ``since_utc``; of one second, the one stored last first."""
        return await self._connection.call("recent", sqlite_queries.recent, subreddit, since_utc, limit, kind)

    async def page(self, asked: Asked, after: str | None, limit: int) -> Page:
        """Return the next items of a list behind the place ``after``."""
        return await self._connection.call("page", sqlite_pages.page, asked, after, limit)

    async def item(self, name: str) -> Scored | None:
        """Return the item with this fullname, None when unknown or deleted."""
        return await self._connection.call("item", sqlite_queries.item, name)

    async def subreddits(self) -> list[str]:
        """Return the names of all subreddits that have items, sorted without regard to case."""
        return await self._connection.call("subreddits", sqlite_queries.subreddits)

    async def collections(self, now_utc: float) -> Collections:
        """Return what the stored cycles say."""
        return await self._connection.poll("collections", sqlite_queries.collections, now_utc)

    async def contents(self) -> Contents:
        """Return what the store holds."""
        return await self._connection.poll("contents", sqlite_queries.contents)

    async def latest(self) -> list[Latest]:
        """Return how fresh each subreddit is, sorted without regard to case."""
        return await self._connection.poll("latest", sqlite_queries.latest)

    async def state(self) -> str:
        """Return a token that changes with every commit of another connection, and with every opening."""
        return await self._looking.poll("state", self._state)

    async def due(self, looked_at_before_utc: int, limit: int) -> list[Item]:
        """Return items of Reddit that were last looked at before, the oldest look first."""
        return await self._connection.call("due", sqlite_queries.due, looked_at_before_utc, limit)

    async def scan(self, after: str | None, limit: int) -> list[Kept]:
        """Return the next items in the order in which they were stored."""
        return await self._connection.call("scan", sqlite_queries.scan, after, limit)

    async def hours(self, after: Hour | None, limit: int) -> list[Hour]:
        """Return the next roll-ups by subreddit and hour."""
        return await self._connection.call("hours", sqlite_queries.hours, after, limit)

    def _connect(self, path: Path) -> sqlite3.Connection:
        """Open, in the connection's thread, as :meth:`_state` is asked there."""
        self._opened += 1
        return connect_to_read(path)

    def _state(self, connection: sqlite3.Connection) -> str:
        (version,) = connection.execute("PRAGMA data_version").fetchone()
        return f"{self._life}.{self._opened}.{version}"

    def gauges(self) -> dict[str, float]:
        """Return none: what SQLite does is in the log of queries."""
        return {}


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open the database at ``path`` for reading.

    Raises:
        StoreUnavailable: it is not there, or not of this version.

    """
    if not path.exists():
        raise StoreUnavailable(f"there is no database at {path} yet: the analyzer makes it when it starts")
    connection = sqlite3.connect(
        # mode=ro never makes the file. It can still recover the log of a writer that was killed (tested).
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,  # one thread uses it, but interrupt() comes from another
    )
    try:
        connection.execute("PRAGMA query_only = 1")
        _recognise(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _recognise(connection: sqlite3.Connection, path: Path) -> None:
    found = sqlite_schema.stamp(connection)
    if found.is_foreign:
        raise StoreUnavailable(f"{path} is a database of another program")
    if found.version < sqlite_schema.VERSION:
        raise StoreUnavailable(f"the database {path} is of an older version: the analyzer renews it when it starts")
    if found.version > sqlite_schema.VERSION:
        raise StoreUnavailable(f"the database {path} is of a newer version than this program")
