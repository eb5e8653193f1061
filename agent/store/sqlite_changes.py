"""What the SQLite writer changes, a batch a transaction: items, and with them the roll-ups, counters and cycles.

The names that are already there are looked up under the write lock, before anything is changed, so a batch that comes
twice changes nothing the second time, however it was cut. No thread, no clock, no log.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import msgspec

from agent.records import SetAside
from agent.store import looks, sqlite_rows, sqlite_schema
from agent.store.sqlite_counts import Counts, add_sources, count
from ipc.messages import Item

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence

    from agent.records import Kept, Scored
    from ipc.messages import Cycle


def write(
    connection: sqlite3.Connection, scored: Sequence[Scored], set_aside: Sequence[SetAside], cycles: Sequence[Cycle]
) -> int:
    """Store all of it in one transaction and return how many scored items were new."""
    with sqlite_schema.transaction(connection):
        new = _write_items(connection, scored)
        count(connection, {"set_aside": _insert_set_aside(connection, set_aside)})
        _look_at_set_aside(connection, set_aside)
        empty_set_aside(connection, "name", [one.item.name for one in scored if one.item.is_deleted])
        count(connection, _insert_cycles(connection, cycles))
    return new


def checkpoint(connection: sqlite3.Connection, timeout_ms: int) -> bool:
    """Bring the write-ahead log home and cut the file; False when a reader was in the way for all of that time."""
    (before_ms,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute(f"PRAGMA busy_timeout = {timeout_ms:d}")
    try:
        (is_busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {before_ms:d}")
    return not is_busy


def empty_set_aside(connection: sqlite3.Connection, key: str, values: Iterable[str]) -> None:
    """Empty what was set aside under these names, or of these authors (whatever their case)."""
    column = {"name": "name", "author": "json_extract(item, '$.author') COLLATE NOCASE"}[key]
    rows = [
        row
        for value in values
        for row in connection.execute(
            f"SELECT item, error, failed_utc FROM set_aside WHERE {column} = ?",  # noqa: S608 - of the literals above
            (value,),
        ).fetchall()
    ]
    stored = [
        SetAside(item=msgspec.json.decode(item, type=Item), error=error, failed_utc=at) for item, error, at in rows
    ]
    connection.executemany(
        "UPDATE set_aside SET item = ?, error = ? WHERE name = ?",
        [(_json(one.item), one.error, one.item.name) for one in map(looks.emptied_set_aside, stored)],
    )


def _write_items(connection: sqlite3.Connection, scored: Iterable[Scored]) -> int:
    by_name: defaultdict[str, list[Scored]] = defaultdict(list)
    for look in scored:
        by_name[look.item.name].append(look)
    known = _known(connection, by_name)
    counts = Counts()
    new: list[Kept] = []
    changed: list[Kept] = []
    for name, of_one in by_name.items():
        before = known.get(name)
        after = _after(before, of_one)
        if before is None:
            counts.add(after.scored)
            new.append(after)
        elif after is not before:
            counts.exchange(before.scored, after.scored)
            changed.append(after)
    connection.executemany(sqlite_rows.INSERT, map(sqlite_rows.inserted, new))
    connection.executemany(sqlite_rows.UPDATE, map(sqlite_rows.updated, changed))
    counts.store(connection)
    add_sources(connection, new)
    return len(new)


def _after(before: Kept | None, of_one: Sequence[Scored]) -> Kept:
    after = looks.seen(before, of_one[0])
    for look in of_one[1:]:
        after = looks.seen(after, look)
    return after


def _known(connection: sqlite3.Connection, names: Iterable[str]) -> dict[str, Kept]:
    rows = connection.execute(
        f"SELECT {sqlite_rows.KEPT} FROM items WHERE name IN (SELECT value FROM json_each(?))",  # noqa: S608 - literals
        (_json(list(names)),),
    )
    known = map(sqlite_rows.kept, rows)
    return {one.scored.item.name: one for one in known}


def _insert_set_aside(connection: sqlite3.Connection, set_aside: Iterable[SetAside]) -> int:
    return connection.executemany(
        "INSERT INTO set_aside VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [(one.item.name, one.failed_utc, one.error, _json(one.item)) for one in set_aside],
    ).rowcount


def _look_at_set_aside(connection: sqlite3.Connection, set_aside: Iterable[SetAside]) -> None:
    """Note that each was looked at, also where an edit broke the model: what was scored before stays, and isn't due."""
    looked_at = [
        {"name": one.item.name, "at": one.item.collected_utc, "item": _json(one.item), "error": one.error}
        for one in set_aside
    ]
    connection.executemany(
        "UPDATE set_aside SET item = :item, error = :error WHERE name = :name"
        " AND NOT ifnull(json_extract(item, '$.is_deleted'), 0) AND json_extract(item, '$.collected_utc') < :at",
        looked_at,
    )
    connection.executemany(
        f"UPDATE items SET checked_utc = :at WHERE name = :name AND is_deleted = 0 AND {sqlite_rows.LAST_LOOK} < :at",  # noqa: S608 - literals
        looked_at,
    )


def _insert_cycles(connection: sqlite3.Connection, cycles: Iterable[Cycle]) -> Mapping[str, int]:
    """Insert those that are not there, and return how many by outcome, as counters are named."""
    added: Counter[str] = Counter()
    for cycle in cycles:
        added[f"cycles_{cycle.outcome}"] += connection.execute(
            f"INSERT INTO cycles VALUES ({', '.join('?' * 11)}) ON CONFLICT DO NOTHING",  # noqa: S608 - question marks
            _cycle_row(cycle),
        ).rowcount
    return added


def _cycle_row(cycle: Cycle) -> tuple[Any, ...]:
    return (
        cycle.id,
        cycle.source,
        cycle.started_utc,
        cycle.finished_utc,
        cycle.outcome,
        cycle.posts,
        cycle.comments,
        cycle.new,
        cycle.gaps,
        _json(cycle.failures),
        cycle.memory_delta_mb,
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
