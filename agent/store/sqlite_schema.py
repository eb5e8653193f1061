"""The tables of the SQLite store, their versions, and how our file is told from somebody else's.

``application_id`` says that the file is ours, ``user_version`` which schema it has. A migration is one
step from a version to the next; steps are added, never changed. No data is read or written here.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import msgspec

from ipc.errors import SettingsError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

#: "SAst" in ASCII, at bytes 68 to 71 of the file (sqlite.org/fileformat2.html, "Application ID").
APPLICATION_ID: Final = 0x53417374

_VERSION_1: Final = (
    """
    CREATE TABLE items (
        name TEXT NOT NULL PRIMARY KEY,
        kind TEXT NOT NULL CHECK (kind IN ('post', 'comment')),
        subreddit TEXT NOT NULL COLLATE NOCASE,
        author TEXT NOT NULL,
        title TEXT NOT NULL,
        content TEXT NOT NULL,
        url TEXT NOT NULL,
        created_utc INTEGER NOT NULL,
        collected_utc INTEGER NOT NULL,
        upvotes INTEGER,
        comment_count INTEGER,
        source TEXT NOT NULL,
        sentiment TEXT NOT NULL CHECK (sentiment IN ('positive', 'neutral', 'negative')),
        confidence REAL NOT NULL,
        p_positive REAL NOT NULL,
        p_neutral REAL NOT NULL,
        p_negative REAL NOT NULL,
        rule TEXT NOT NULL,
        model TEXT NOT NULL
    ) STRICT
    """,
    # The newest of one kind, and the rows of a part of an hour: of everything, and of one subreddit.
    "CREATE INDEX items_by_time ON items (kind, created_utc)",
    "CREATE INDEX items_by_subreddit ON items (subreddit, kind, created_utc)",
    """
    CREATE TABLE subreddit_hours (
        subreddit TEXT NOT NULL COLLATE NOCASE,
        hour_utc INTEGER NOT NULL,
        positive INTEGER NOT NULL,
        neutral INTEGER NOT NULL,
        negative INTEGER NOT NULL,
        compound_sum REAL NOT NULL,
        PRIMARY KEY (subreddit, hour_utc)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX subreddit_hours_by_time ON subreddit_hours (hour_utc)",
    # All subreddits together have roll-ups of their own: a window of 30 days is 720 rows, however many subreddits.
    """
    CREATE TABLE hours (
        hour_utc INTEGER NOT NULL PRIMARY KEY,
        positive INTEGER NOT NULL,
        neutral INTEGER NOT NULL,
        negative INTEGER NOT NULL,
        compound_sum REAL NOT NULL
    ) STRICT
    """,
    "CREATE TABLE subreddits (subreddit TEXT NOT NULL PRIMARY KEY COLLATE NOCASE) STRICT, WITHOUT ROWID",
    # One row a source: what health asks for costs the same whatever the size of the store.
    """
    CREATE TABLE sources (
        source TEXT NOT NULL PRIMARY KEY,
        items INTEGER NOT NULL,
        newest_collected_utc INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    # How many rows the next two tables have, and cycles by outcome: they are never counted.
    "CREATE TABLE counters (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    # The item is kept whole, as JSON: whatever broke the model must be readable later.
    """
    CREATE TABLE set_aside (
        name TEXT NOT NULL PRIMARY KEY,
        failed_utc REAL NOT NULL,
        error TEXT NOT NULL,
        item TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE cycles (
        id TEXT NOT NULL PRIMARY KEY,
        source TEXT NOT NULL,
        started_utc REAL NOT NULL,
        finished_utc REAL NOT NULL,
        outcome TEXT NOT NULL CHECK (outcome IN ('succeeded', 'failed')),
        posts INTEGER NOT NULL,
        comments INTEGER NOT NULL,
        new INTEGER NOT NULL,
        gaps INTEGER NOT NULL,
        failures TEXT NOT NULL,
        memory_delta_mb REAL NOT NULL
    ) STRICT
    """,
    "CREATE INDEX cycles_by_time ON cycles (finished_utc)",
)

#: The last look, what is deleted, and indexes that know it. No row is rewritten: the columns are at first what they
#: are for a row that ends before them, and the indexes are built in one pass each.
_VERSION_2: Final = (
    # NULL as long as nobody has looked again; collected_utc is the first look.
    "ALTER TABLE items ADD COLUMN checked_utc INTEGER",
    "ALTER TABLE items ADD COLUMN is_deleted INTEGER NOT NULL DEFAULT 0",
    "DROP INDEX items_by_time",
    "DROP INDEX items_by_subreddit",
    # As before, with deleted ones apart: the newest that may be shown are found at once, however many of them are not.
    "CREATE INDEX items_by_time ON items (kind, is_deleted, created_utc)",
    "CREATE INDEX items_by_subreddit ON items (subreddit, kind, is_deleted, created_utc)",
    # What is to be looked at again, the oldest look first. Archives and sample data don't change: they cost nothing.
    """
    CREATE INDEX items_due ON items (ifnull(checked_utc, collected_utc)) WHERE source = 'reddit' AND is_deleted = 0
    """,
)

#: Lists in the order of a score or of comments, and how fresh each subreddit is. The columns are worked out from others
#: and take no room; the indexes hold them.
_VERSION_3: Final = (
    "ALTER TABLE items ADD COLUMN compound REAL AS (p_positive - p_negative) VIRTUAL",
    "ALTER TABLE items ADD COLUMN discussed INTEGER AS (ifnull(comment_count, -1)) VIRTUAL",
    "ALTER TABLE items ADD COLUMN week INTEGER AS (created_utc / 604800) VIRTUAL",
    # A week at a time: so a batch of new items changes a few pages and not one an item, and a window passes few items
    # that lie outside of it. What else a list may leave out stands behind the order: it is passed without its row.
    """
    CREATE INDEX items_by_compound ON items (kind, week, compound, created_utc, subreddit, sentiment)
        WHERE is_deleted = 0
    """,
    """
    CREATE INDEX items_by_comments ON items (kind, week, discussed, created_utc, subreddit, sentiment)
        WHERE is_deleted = 0
    """,
    # Items that are there, and the newest that ever were.
    "ALTER TABLE subreddits ADD COLUMN items INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE subreddits ADD COLUMN newest_created_utc INTEGER",
    "ALTER TABLE subreddits ADD COLUMN newest_collected_utc INTEGER",
    """
    UPDATE subreddits SET items = counted.items, newest_created_utc = created, newest_collected_utc = collected
    FROM (
        SELECT subreddit, count(*) AS items, max(created_utc) AS created, max(collected_utc) AS collected
        FROM items NOT INDEXED GROUP BY subreddit
    ) AS counted WHERE counted.subreddit = subreddits.subreddit
    """,
)

#: ``MIGRATIONS[n]`` leads from version n to version n + 1; version 0 is an empty file.
MIGRATIONS: Final = (_VERSION_1, _VERSION_2, _VERSION_3)
VERSION: Final = len(MIGRATIONS)


class Stamp(msgspec.Struct, frozen=True):
    """What a database file says of itself."""

    application_id: int
    version: int
    is_empty: bool

    @property
    def is_foreign(self) -> bool:
        """Somebody else's file: it holds tables and does not carry our mark."""
        return self.application_id != APPLICATION_ID and not (self.is_empty and self.application_id == 0)


def stamp(connection: sqlite3.Connection) -> Stamp:
    """Read what the file says of itself."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    tables = connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
    return Stamp(application_id, version, tables is None)


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Make an empty file ours, or bring an older one of ours to :data:`VERSION`, all or nothing.

    Raises:
        SettingsError: the file is somebody else's, or of a newer version; it is left as it was.

    """
    if recognise(connection, path) == VERSION:
        return
    with transaction(connection):
        # Asked again under the lock: another process may have done it a moment ago.
        for migration in MIGRATIONS[recognise(connection, path) :]:
            for statement in migration:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")


def recognise(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of a file of ours, 0 of an empty one.

    Raises:
        SettingsError: the file is somebody else's, or of a newer version.

    """
    found = stamp(connection)
    if found.is_foreign:
        raise SettingsError(
            f"{path} is a database of another program, and is left alone:"
            " move it away, or choose another SENTIMENTAGENT_STATE_DIR"
        )
    if found.version > VERSION:
        raise SettingsError(
            f"{path} was made by a newer version of this program (schema {found.version}, this one knows {VERSION}),"
            " and is left alone: install that version, or choose another SENTIMENTAGENT_STATE_DIR"
        )
    return found.version


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold the write lock; commit at the end, roll back when anything is raised."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        # COMMIT itself may fail (a full disk), and SQLite may have rolled back by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@contextmanager
def reading(connection: sqlite3.Connection) -> Iterator[None]:
    """Read one state of the database inside, with however many statements; others may write meanwhile."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
