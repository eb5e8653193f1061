"""Lists in pages: which rows come next in an order, out of SQLite's indexes. No thread, no clock, no log.

An index can't hold a window of time and an order by score at once. So the posts of each week, and its comments, are
kept in order (``items_by_compound``, ``items_by_comments``): a page is the front of all these runs, merged, and costs
by the weeks of its window and not by its items. A window of few items is sorted instead.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from heapq import merge
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from agent.store import places, sqlite_rows, sqlite_schema, sqlite_windows
from agent.store.places import Place
from agent.store.sqlite_rows import COLUMNS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from agent.records import Asked, Page

WEEK_S: Final = 7 * 24 * 3600
#: Up to so many items a window is sorted, which reads each of their rows: 3 to 4 us a row. Beyond, the runs are
#: cheaper, even where most of what they pass is of another subreddit.
FEW: Final = 2000


class _Order(NamedTuple):
    #: The column that it goes by before the time and the name.
    figure: str
    is_descending: bool
    #: The index that holds each week in this order; None for the orders of time.
    weeks: str | None


_ORDERS: Final = {
    "newest": _Order("created_utc", is_descending=True, weeks=None),
    "oldest": _Order("created_utc", is_descending=False, weeks=None),
    "positive": _Order("compound", is_descending=True, weeks="items_by_compound"),
    "negative": _Order("compound", is_descending=False, weeks="items_by_compound"),
    "discussed": _Order("discussed", is_descending=True, weeks="items_by_comments"),
}


def page(connection: sqlite3.Connection, asked: Asked, after: str | None, limit: int) -> Page:
    """Return the next items behind the place ``after``.

    Raises:
        ValueError: ``after`` is no place in this order.

    """
    place = places.decode(after, asked.order) if after is not None else None
    order = _ORDERS[asked.order]
    with sqlite_schema.reading(connection), ExitStack() as open_:
        runs = [
            open_.enter_context(closing(connection.execute(*run))) for run in _runs(connection, asked, place, limit + 1)
        ]
        merged = merge(*runs, key=itemgetter(0, 1, 2), reverse=order.is_descending)
        return places.page(((Place(asked.order, *row[:3]), sqlite_rows.scored(row[3:])) for row in merged), limit)


def _runs(
    connection: sqlite3.Connection, asked: Asked, place: Place | None, limit: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield statements, with their parameters, whose rows are each in order; merged they are all rows of the list."""
    index = _ORDERS[asked.order].weeks
    shared = _shared(asked, place, limit)
    kinds = ("post", "comment") if asked.kind == "all" else (asked.kind,)
    if index is None or _is_few(connection, asked):
        by_time = "items_by_time" if asked.subreddit is None else "items_by_subreddit"
        statement = _statement(asked, by_time, "kind = :kind", has_place=place is not None)
        for kind in kinds:
            yield statement, shared | {"kind": kind}
        return
    statement = _statement(asked, index, "kind = :kind AND week = :week", has_place=place is not None)
    for kind in kinds:
        for week in _weeks(connection, index, shared | {"kind": kind}):
            yield statement, shared | {"kind": kind, "week": week}


def _statement(asked: Asked, index: str, equal: str, *, has_place: bool) -> str:
    figure, is_descending, _ = _ORDERS[asked.order]
    columns = tuple(dict.fromkeys((figure, "created_utc", "name")))
    conditions = [equal, "is_deleted = 0", "created_utc >= :since", "created_utc < :until"]
    if asked.subreddit is not None:
        conditions.append("subreddit = :subreddit")
    if asked.sentiment is not None:
        conditions.append("sentiment = :sentiment")
    if has_place:
        values = ", ".join({figure: ":figure", "created_utc": ":created_utc", "name": ":name"}[one] for one in columns)
        conditions.append(f"({', '.join(columns)}) {'<' if is_descending else '>'} ({values})")
    ordered = ", ".join(f"{one} {'DESC' if is_descending else 'ASC'}" for one in columns)
    return (
        f"SELECT {figure}, created_utc, name, {COLUMNS} FROM items INDEXED BY {index}"  # noqa: S608 - literals
        f" WHERE {' AND '.join(conditions)} ORDER BY {ordered} LIMIT :limit"
    )


def _shared(asked: Asked, place: Place | None, limit: int) -> dict[str, Any]:
    """Return the parameters of all runs. In an order of time the window begins or ends with the place."""
    since_utc, until_utc = asked.since_utc, asked.until_utc
    if place is not None and asked.order == "newest":
        until_utc = min(until_utc, place.created_utc + 1)
    elif place is not None and asked.order == "oldest":
        since_utc = max(since_utc, place.created_utc)
    shared: dict[str, Any] = {"since": since_utc, "until": until_utc, "limit": limit}
    shared |= {"subreddit": asked.subreddit, "sentiment": asked.sentiment}
    return (
        shared
        if place is None
        else shared
        | {
            "figure": place.figure,
            "created_utc": place.created_utc,
            "name": place.name,
        }
    )


def _is_few(connection: sqlite3.Connection, asked: Asked) -> bool:
    window = asked.subreddit, asked.since_utc, asked.until_utc
    return sqlite_windows.totals(connection, *window).total <= FEW


def _weeks(connection: sqlite3.Connection, index: str, window: dict[str, Any]) -> list[int]:
    """Return the weeks of the window that have items of this kind, by one look into the index for each."""
    following = (
        f"SELECT min(week) FROM items INDEXED BY {index}"  # noqa: S608 - literals
        " WHERE kind = :kind AND is_deleted = 0 AND week <= :last AND week"
    )
    rows = connection.execute(
        f"WITH RECURSIVE weeks (week) AS (SELECT ({following} >= :first)"  # noqa: S608 - the same
        f" UNION ALL SELECT ({following} > weeks.week) FROM weeks WHERE weeks.week IS NOT NULL)"
        " SELECT week FROM weeks WHERE week IS NOT NULL",
        window | {"first": window["since"] // WEEK_S, "last": (window["until"] - 1) // WEEK_S},
    )
    return [week for (week,) in rows]
