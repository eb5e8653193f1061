"""How items leave the SQLite store: by age, and by author. One bounded step a transaction; roll-ups stay as they are.

A step holds the write lock for some tens of milliseconds at most, so that writes go on between two of them.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import msgspec

from agent.store import sqlite_schema
from agent.store.sqlite_changes import empty_set_aside
from agent.store.sqlite_counts import RETAINED_FROM, count, raise_to, take_sources

if TYPE_CHECKING:
    import sqlite3

#: What retention goes through, one after the other: the beginnings of the index by time.
KINDS: Final = tuple(itertools.product(("post", "comment"), (0, 1)))
#: Before every item, in the order of that index.
FIRST: Final = (-(1 << 63), 0)
#: How many items one step looks at. No write waited longer than 0.15 s for one (benchmarks/bench_store.py).
RETAIN_ROWS: Final = 2000
#: How many rows one step looks through for an author. There is no index by author: it would cost every item some
#: twenty bytes and every insert a place in the middle of a tree, for a question that is asked a few times a year. A
#: million rows took 0.3 s, ten million 12.5.
FORGET_ROWS: Final = 20_000


class Step(msgspec.Struct, frozen=True):
    """What one step of retention has done, and where the next one goes on."""

    removed: int
    #: The last row that was looked at: when it was created, and its rowid. None when there is nothing more.
    last: tuple[int, int] | None


def retain_step(
    connection: sqlite3.Connection,
    of: tuple[str, int],
    after: tuple[int, int],
    created_from_utc: int,
    collected_from_utc: int,
) -> Step:
    """Look at the next items of one kind, deleted or not, that were created before, and remove those collected before.

    The others came a moment ago from an old archive. They stay for now: one that is sent again must be recognised.
    """
    with sqlite_schema.transaction(connection):
        rows = connection.execute(
            "SELECT created_utc, rowid, source, subreddit, collected_utc FROM items WHERE kind = ? AND is_deleted = ?"
            " AND created_utc < ? AND (created_utc, rowid) > (?, ?) ORDER BY created_utc, rowid LIMIT ?",
            (*of, created_from_utc, *after, RETAIN_ROWS),
        ).fetchall()
        old = [row[1:4] for row in rows if row[4] < collected_from_utc]
        connection.executemany("DELETE FROM items WHERE rowid = ?", [(rowid,) for rowid, *_ in old])
        take_sources(connection, [(source, subreddit) for _, source, subreddit in old])
        if old:
            raise_to(connection, RETAINED_FROM, created_from_utc)
    return Step(len(old), rows[-1][:2] if len(rows) == RETAIN_ROWS else None)


def retain_set_aside(connection: sqlite3.Connection, created_from_utc: int, collected_from_utc: int) -> int:
    """Do the same with what was set aside; return how many were removed. There are few: they broke the model."""
    with sqlite_schema.transaction(connection):
        removed = connection.execute(
            "DELETE FROM set_aside"
            " WHERE json_extract(item, '$.created_utc') < ? AND json_extract(item, '$.collected_utc') < ?",
            (created_from_utc, collected_from_utc),
        ).rowcount
        count(connection, {"set_aside": -removed})
    return removed


def rows_between(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return the first and the last rowid; 1 and 0 when there is none."""
    first, last = connection.execute("SELECT (SELECT min(rowid) FROM items), (SELECT max(rowid) FROM items)").fetchone()
    return (1, 0) if first is None else (first, last)


def forget_step(connection: sqlite3.Connection, author: str, first: int) -> int:
    """Empty the items of ``author`` among :data:`FORGET_ROWS` rows from ``first`` on; return how many there were."""
    with sqlite_schema.transaction(connection):
        return connection.execute(
            "UPDATE items SET title = '', content = '', author = '', url = '', is_deleted = 1"
            " WHERE rowid >= ? AND rowid < ? AND author = ? COLLATE NOCASE AND is_deleted = 0",
            (first, first + FORGET_ROWS, author),
        ).rowcount


def forget_set_aside(connection: sqlite3.Connection, author: str) -> None:
    """Empty what was set aside of ``author``."""
    with sqlite_schema.transaction(connection):
        empty_set_aside(connection, "author", [author])
