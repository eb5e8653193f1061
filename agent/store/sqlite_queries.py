"""The questions that the SQLite reader asks: SQL in, records out. No thread, no clock, no log.

Totals of a window are the roll-ups of its whole hours and the rows of the two hours that it cuts, hence exact to the
second and as cheap for a month as for a day. What comes from outside reaches SQLite as parameters only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from agent.records import Collections, Contents, Hour, Point, SubredditTotals, Totals
from agent.store import sqlite_rows
from agent.store.sqlite_rows import COLUMNS, KEPT, LAST_LOOK
from ipc.messages import SubredditFailure

if TYPE_CHECKING:
    import sqlite3

    from agent.records import Kept, Kind, Scored
    from ipc.messages import Item

HOUR_S: Final = 3600

_SUMS: Final = "sum(positive), sum(neutral), sum(negative), sum(compound_sum)"


def _counted(hours: str, of: str) -> str:
    """Return the SQL of a window's counts: whole hours from the table ``hours``, the rest from the rows.

    The rows name both kinds, and deleted ones too, so that an index that begins with these serves a window of all.
    """
    subreddit = "NULL" if hours == "hours" else "subreddit"
    rows = f"""
        SELECT created_utc AS at_utc, subreddit, sentiment = 'positive' AS positive, sentiment = 'neutral' AS neutral,
               sentiment = 'negative' AS negative, p_positive - p_negative AS compound_sum
        FROM items WHERE {of} kind IN ('post', 'comment') AND is_deleted IN (0, 1) AND"""  # noqa: S608 - every part is a literal of this module
    return f"""(
        {rows} created_utc >= :since AND created_utc < :head
        UNION ALL
        {rows} created_utc >= :tail AND created_utc < :until
        UNION ALL
        SELECT hour_utc, {subreddit}, positive, neutral, negative, compound_sum
        FROM {hours} WHERE {of} hour_utc >= :head AND hour_utc < :tail
    )"""  # noqa: S608 - the same


_OF_ALL: Final = _counted("hours", "")
_OF_ONE: Final = _counted("subreddit_hours", "subreddit = :subreddit AND")
_OF_EACH: Final = _counted("subreddit_hours", "")


def _window(subreddit: str | None, since_utc: int, until_utc: int) -> dict[str, Any]:
    """Cut the window into rows before ``head``, whole hours, and rows from ``tail`` on."""
    head = -(-since_utc // HOUR_S) * HOUR_S
    tail = until_utc // HOUR_S * HOUR_S
    if head > tail:  # within one hour: rows alone
        head = tail = until_utc
    return {"subreddit": subreddit, "since": since_utc, "head": head, "tail": tail, "until": until_utc}


def totals(connection: sqlite3.Connection, subreddit: str | None, since_utc: int, until_utc: int) -> Totals:
    """Return the totals of the window."""
    counted = _OF_ALL if subreddit is None else _OF_ONE
    row = connection.execute(
        f"SELECT {_SUMS} FROM {counted}",  # noqa: S608 - every part is a literal of this module
        _window(subreddit, since_utc, until_utc),
    ).fetchone()
    return _totals(*row)


def series(
    connection: sqlite3.Connection, subreddit: str | None, since_utc: int, until_utc: int, bucket_s: int
) -> list[Point]:
    """Return the buckets of the window that hold items, oldest first."""
    if bucket_s % HOUR_S:
        raise ValueError(f"a bucket of {bucket_s} s is no multiple of an hour")
    counted = _OF_ALL if subreddit is None else _OF_ONE
    rows = connection.execute(
        f"SELECT at_utc / :bucket AS bucket, {_SUMS} FROM {counted} GROUP BY bucket ORDER BY bucket",  # noqa: S608 - literals
        _window(subreddit, since_utc, until_utc) | {"bucket": bucket_s},
    )
    return [Point(start_utc=bucket * bucket_s, totals=_totals(*sums)) for bucket, *sums in rows]


def totals_by_subreddit(
    connection: sqlite3.Connection, since_utc: int, until_utc: int, limit: int
) -> list[SubredditTotals]:
    """Return the subreddits with the most items in the window, most first."""
    rows = connection.execute(
        f"""
        SELECT (SELECT named.subreddit FROM subreddits AS named WHERE named.subreddit = counted.subreddit), {_SUMS}
        FROM {_OF_EACH} AS counted
        GROUP BY counted.subreddit COLLATE NOCASE
        ORDER BY sum(positive + neutral + negative) DESC, 1
        LIMIT :limit
        """,  # noqa: S608 - literals
        _window(None, since_utc, until_utc) | {"limit": limit},
    )
    return [SubredditTotals(subreddit=subreddit, totals=_totals(*sums)) for subreddit, *sums in rows]


def _totals(positive: int | None, neutral: int | None, negative: int | None, compound_sum: float | None) -> Totals:
    """Make totals of four sums, which SQLite returns as NULL when there was nothing to add."""
    total = (positive or 0) + (neutral or 0) + (negative or 0)
    return Totals(
        total=total,
        positive=positive or 0,
        neutral=neutral or 0,
        negative=negative or 0,
        # Sums of floats may end a hair outside of [-1, 1].
        avg_sentiment=max(-1.0, min(1.0, (compound_sum or 0.0) / total)) if total else None,
    )


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
    """Return items of Reddit whose last look is older, the oldest look first, from an index of just these."""
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM items WHERE source = 'reddit' AND is_deleted = 0 AND {LAST_LOOK} < ?"  # noqa: S608 - literals
        f" ORDER BY {LAST_LOOK}, rowid LIMIT ?",
        (looked_at_before_utc, limit),
    )
    return [sqlite_rows.scored(row).item for row in rows]


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
