"""How items leave the SQLite store: by age, and by author. One bounded step a transaction; roll-ups stay as they are.

A step holds the write lock for some tens of milliseconds at most, so that writes go on between two of them.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from agent.store import sqlite_schema
from agent.store.sqlite_changes import empty_set_aside
from agent.store.sqlite_counts import RETAINED_FROM, count, raise_to, take_sources

if TYPE_CHECKING:
    import sqlite3

#: How many items one step removes at most. See benchmarks/bench_store.py for how long one takes.
RETAIN_ROWS: Final = 2000
#: How many rows one step looks through for an author. There is no index by author: it would cost every item some
#: twenty bytes and every insert a place in the middle of a tree, for a question that is asked a few times a year.
FORGET_ROWS: Final = 20_000


def retain_step(connection: sqlite3.Connection, created_from_utc: int) -> int:
    """Remove up to :data:`RETAIN_ROWS` items that were created before; return how many, fewer once none is left."""
    with sqlite_schema.transaction(connection):
        rows = connection.execute(
            # Kinds and marks are named so that the index that begins with them finds the rows.
            "SELECT rowid, source FROM items WHERE kind IN ('post', 'comment') AND is_deleted IN (0, 1)"
            " AND created_utc < ? LIMIT ?",
            (created_from_utc, RETAIN_ROWS),
        ).fetchall()
        connection.executemany("DELETE FROM items WHERE rowid = ?", [(rowid,) for rowid, _ in rows])
        take_sources(connection, Counter(source for _, source in rows))
        if rows:
            raise_to(connection, RETAINED_FROM, created_from_utc)
    return len(rows)


def retain_set_aside(connection: sqlite3.Connection, created_from_utc: int) -> int:
    """Remove what was set aside and created before; return how many. There are few: they broke the model."""
    with sqlite_schema.transaction(connection):
        removed = connection.execute(
            "DELETE FROM set_aside WHERE json_extract(item, '$.created_utc') < ?", (created_from_utc,)
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
