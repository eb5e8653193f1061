"""The SQL of windows: totals and series, of all subreddits together, of one, and of each. No thread, no clock, no log.

Totals of a window are the roll-ups of its whole hours and the rows of the two hours that it cuts, hence exact to the
second and as cheap for a month as for a day. What comes from outside reaches SQLite as parameters only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from agent.records import Point, SubredditTotals, Totals
from agent.store import sqlite_schema

if TYPE_CHECKING:
    import sqlite3

HOUR_S: Final = 3600

#: The first spelling.
_NAME: Final = "(SELECT named.subreddit FROM subreddits AS named WHERE named.subreddit = counted.subreddit)"
_SUMS: Final = "sum(positive), sum(neutral), sum(negative), sum(compound_sum)"


def _counted(of: str, subreddit: str, whole_hours: str) -> str:
    """Return the SQL of a window's counts: whole hours from roll-ups, the rest from the rows.

    The rows name both kinds, and deleted ones too, so that an index that begins with these serves a window of all.
    """
    rows = f"""
        SELECT created_utc AS at_utc, subreddit, sentiment = 'positive' AS positive, sentiment = 'neutral' AS neutral,
               sentiment = 'negative' AS negative, p_positive - p_negative AS compound_sum
        FROM items WHERE {of} kind IN ('post', 'comment') AND is_deleted IN (0, 1) AND"""  # noqa: S608 - every part is a literal of this module
    return f"""(
        {rows} created_utc >= :since AND created_utc < :head
        UNION ALL
        {rows} created_utc >= :tail AND created_utc < :until
        UNION ALL
        SELECT hour_utc, {subreddit} FROM {whole_hours}
    )"""  # noqa: S608 - the same


_FIGURES: Final = "positive, neutral, negative, compound_sum"
_WHOLE: Final = "hour_utc >= :head AND hour_utc < :tail"
_OF_ALL: Final = _counted("", f"NULL, {_FIGURES}", f"hours WHERE {_WHOLE}")
_OF_ONE: Final = _counted(
    "subreddit = :subreddit AND", f"subreddit, {_FIGURES}", f"subreddit_hours WHERE subreddit = :subreddit AND {_WHOLE}"
)
# One subreddit after the other, as they lie in the table, and added up on the way: nothing is sorted but the sums.
_OF_EACH: Final = _counted(
    "",
    f"subreddit, {_SUMS}",
    f"subreddits CROSS JOIN subreddit_hours USING (subreddit) WHERE {_WHOLE} GROUP BY subreddit",
)


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
    counted = _OF_ALL if subreddit is None else _OF_ONE
    rows = connection.execute(
        f"SELECT at_utc / :bucket AS bucket, {_SUMS} FROM {counted} GROUP BY bucket ORDER BY bucket",  # noqa: S608 - literals
        _window(subreddit, since_utc, until_utc) | {"bucket": _whole_hours(bucket_s)},
    )
    return [Point(start_utc=bucket * bucket_s, totals=_totals(*sums)) for bucket, *sums in rows]


def totals_by_subreddit(
    connection: sqlite3.Connection, since_utc: int, until_utc: int, limit: int
) -> list[SubredditTotals]:
    """Return the subreddits with the most items in the window, most first."""
    rows = connection.execute(
        f"""
        SELECT {_NAME}, {_SUMS}
        FROM {_OF_EACH} AS counted
        GROUP BY counted.subreddit COLLATE NOCASE
        ORDER BY sum(positive + neutral + negative) DESC, 1
        LIMIT :limit
        """,  # noqa: S608 - literals
        _window(None, since_utc, until_utc) | {"limit": limit},
    )
    return [SubredditTotals(subreddit=subreddit, totals=_totals(*sums)) for subreddit, *sums in rows]


def series_by_subreddit(
    connection: sqlite3.Connection, since_utc: int, until_utc: int, bucket_s: int, limit: int
) -> dict[str, list[Point]]:
    """Return the series of the subreddits with the most items in the window, most first, of one state of the store."""
    _whole_hours(bucket_s)
    with sqlite_schema.reading(connection):
        most = [one.subreddit for one in totals_by_subreddit(connection, since_utc, until_utc, limit)]
        return {name: series(connection, name, since_utc, until_utc, bucket_s) for name in most}


def _whole_hours(bucket_s: int) -> int:
    if bucket_s % HOUR_S:
        raise ValueError(f"a bucket of {bucket_s} s is no multiple of an hour")
    return bucket_s


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
