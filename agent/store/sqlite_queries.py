"""The questions that the SQLite reader asks: SQL in, records out. No thread, no clock, no log.

Windows and lists in pages have modules of their own. What comes from outside reaches SQLite as parameters only.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

import msgspec

from agent.records import Collections, Contents, Hour, Latest
from agent.store import sqlite_rows
from agent.store.sqlite_rows import COLUMNS, KEPT, LAST_LOOK
from agent.store.sqlite_windows import HOUR_S
from ipc.messages import Item, SubredditFailure

if TYPE_CHECKING:
    import sqlite3

    from agent.records import Kept, Kind, Scored


def recent(
    connection: sqlite3.Connection, subreddit: str | None, since_utc: int, limit: int, kind: Kind
) -> list[Scored]:
    """Return the newest items, newest first; of one second, the one stored last first."""
    of = "" if subreddit is None else "subreddit = :subreddit AND"
    # One arm a kind, each read from the end of an index and cut at the limit: nothing is sorted but 2 x limit rows.
    arms = " UNION ALL ".join(
        f"SELECT * FROM (SELECT rowid AS stored, {COLUMNS} FROM items WHERE {of} kind = '{one}'"  # noqa: S608 - literals
        " AND is_deleted = 0 AND created_utc >= :since ORDER BY created_utc DESC, rowid DESC LIMIT :limit)"
        for one in (("post", "comment") if kind == "all" else (kind,))
    )
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM ({arms}) ORDER BY created_utc DESC, stored DESC LIMIT :limit",  # noqa: S608 - literals
        {"subreddit": subreddit, "since": since_utc, "limit": limit},
    )
    return [sqlite_rows.scored(row) for row in rows]


def item(connection: sqlite3.Connection, name: str) -> Scored | None:
    """Return the item with this fullname, None when unknown or deleted."""
    row = connection.execute(
        f"SELECT {COLUMNS} FROM items WHERE name = ? AND is_deleted = 0",  # noqa: S608 - literals
        (name,),
    ).fetchone()
    return sqlite_rows.scored(row) if row else None


def due(connection: sqlite3.Connection, looked_at_before_utc: int, limit: int) -> list[Item]:
    """Return items of Reddit whose last look is older, the oldest look first; what was set aside is among them."""
    rows = connection.execute(
        f"SELECT {KEPT} FROM items WHERE source = 'reddit' AND is_deleted = 0 AND {LAST_LOOK} < ?"  # noqa: S608 - literals
        f" ORDER BY {LAST_LOOK}, rowid LIMIT ?",
        (looked_at_before_utc, limit),
    )
    found = [(kept.checked_utc, kept.scored.item) for kept in map(sqlite_rows.kept, rows)]
    # Few, so they have no index. One that has a score by now is due by that.
    rows = connection.execute(
        """
        SELECT item FROM set_aside WHERE json_extract(item, '$.source') = 'reddit'
            AND NOT ifnull(json_extract(item, '$.is_deleted'), 0) AND json_extract(item, '$.collected_utc') < ?
            AND NOT EXISTS (SELECT 1 FROM items WHERE items.name = set_aside.name)
        ORDER BY json_extract(item, '$.collected_utc') LIMIT ?
        """,
        (looked_at_before_utc, limit),
    )
    broken = [msgspec.json.decode(row[0], type=Item) for row in rows]
    found += [(one.collected_utc, one) for one in broken]
    return [one for _, one in sorted(found, key=itemgetter(0))[:limit]]


def scan(connection: sqlite3.Connection, after: str | None, limit: int) -> list[Kept]:
    """Return the next items, as they were stored one after the other: what comes meanwhile comes at the end."""
    rows = connection.execute(
        f"SELECT {KEPT} FROM items WHERE rowid > ? ORDER BY rowid LIMIT ?",  # noqa: S608 - literals
        (int(after or 0), limit),
    )
    return [sqlite_rows.kept(row) for row in rows]


def hours(connection: sqlite3.Connection, after: Hour | None, limit: int) -> list[Hour]:
    """Return the next roll-ups by subreddit and hour, under the names that came first."""
    behind = (after.subreddit, after.hour_utc) if after else ("", -1)
    rows = connection.execute(
        """
        SELECT (SELECT named.subreddit FROM subreddits AS named WHERE named.subreddit = stored.subreddit),
               hour_utc, positive, neutral, negative, compound_sum
        FROM subreddit_hours AS stored WHERE (stored.subreddit, hour_utc) > (?, ?)
        ORDER BY stored.subreddit, hour_utc LIMIT ?
        """,
        (*behind, limit),
    )
    return [
        Hour(
            subreddit=subreddit,
            hour_utc=hour_utc,
            positive=positive,
            neutral=neutral,
            negative=negative,
            compound_sum=compound_sum,
        )
        for subreddit, hour_utc, positive, neutral, negative, compound_sum in rows
    ]


def subreddits(connection: sqlite3.Connection) -> list[str]:
    """Return all names, as first seen, sorted without regard to case."""
    return [name for (name,) in connection.execute("SELECT subreddit FROM subreddits ORDER BY subreddit")]


def latest(connection: sqlite3.Connection) -> list[Latest]:
    """Return how fresh each subreddit is, from rows that are kept up with every write."""
    rows = connection.execute(
        "SELECT subreddit, items, newest_created_utc, newest_collected_utc FROM subreddits ORDER BY subreddit"
    )
    return [
        Latest(subreddit=subreddit, items=items, newest_created_utc=created, newest_collected_utc=collected)
        for subreddit, items, created, collected in rows
    ]


def collections(connection: sqlite3.Connection, now_utc: float) -> Collections:
    """Return what the stored cycles say."""
    counters = _counters(connection)
    last = connection.execute("SELECT finished_utc, failures FROM cycles ORDER BY finished_utc DESC LIMIT 1").fetchone()
    (failed,) = connection.execute(
        "SELECT count(*) FROM cycles WHERE finished_utc > ? AND outcome = 'failed'", (now_utc - HOUR_S,)
    ).fetchone()
    return Collections(
        last_finished_utc=last[0] if last else None,
        last_failures=msgspec.json.decode(last[1], type=tuple[SubredditFailure, ...]) if last else (),
        succeeded=counters.get("cycles_succeeded", 0),
        failed=counters.get("cycles_failed", 0),
        failed_last_hour=failed,
    )


def contents(connection: sqlite3.Connection) -> Contents:
    """Return what the store holds, from a handful of rows that are kept up with every write."""
    rows = connection.execute("SELECT source, items, newest_collected_utc FROM sources ORDER BY source").fetchall()
    return Contents(
        items=sum(items for _, items, _ in rows),
        set_aside=_counters(connection).get("set_aside", 0),
        newest_collected_utc=max((newest for _, _, newest in rows), default=None),
        sources=tuple(source for source, _, _ in rows),
    )


def _counters(connection: sqlite3.Connection) -> dict[str, int]:
    return dict(connection.execute("SELECT name, value FROM counters").fetchall())
