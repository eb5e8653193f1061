"""What the SQLite writer changes, a batch a transaction: items, and with them the roll-ups, counters and cycles.

Only what is new counts: the names that are already there are looked up under the write lock, before anything is
inserted, so a batch that comes twice changes nothing, however it was cut. No thread, no clock, no log.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final

import msgspec

from agent.store import sqlite_schema
from agent.store.sqlite_queries import HOUR_S

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from agent.records import Scored, SetAside
    from ipc.messages import Cycle

_INSERT_ITEM: Final = f"INSERT INTO items VALUES ({', '.join('?' * 19)})"  # noqa: S608 - question marks
_ADD_HOUR: Final = """
    ON CONFLICT DO UPDATE SET positive = positive + excluded.positive, neutral = neutral + excluded.neutral,
        negative = negative + excluded.negative, compound_sum = compound_sum + excluded.compound_sum
"""


def write(
    connection: sqlite3.Connection, scored: Sequence[Scored], set_aside: Sequence[SetAside], cycles: Sequence[Cycle]
) -> int:
    """Store all of it in one transaction and return how many scored items were new."""
    with sqlite_schema.transaction(connection):
        new = _unknown(connection, scored)
        _insert(connection, new)
        _roll_up(connection, new)
        _count(connection, "set_aside", _insert_set_aside(connection, set_aside))
        for outcome in ("succeeded", "failed"):
            added = _insert_cycles(connection, (cycle for cycle in cycles if cycle.outcome == outcome))
            _count(connection, f"cycles_{outcome}", added)
    return len(new)


def checkpoint(connection: sqlite3.Connection) -> None:
    """Bring the write-ahead log home and cut the file; with a reader in the way it stays for the next time."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def _unknown(connection: sqlite3.Connection, scored: Sequence[Scored]) -> list[Scored]:
    """Return those that are not stored, each name once."""
    by_name: dict[str, Scored] = {}
    for one in scored:
        by_name.setdefault(one.item.name, one)
    names = msgspec.json.encode(list(by_name)).decode()
    for (name,) in connection.execute(
        "SELECT name FROM items WHERE name IN (SELECT value FROM json_each(?))", (names,)
    ).fetchall():
        del by_name[name]
    return list(by_name.values())


def _insert(connection: sqlite3.Connection, new: Iterable[Scored]) -> None:
    connection.executemany(_INSERT_ITEM, map(_row, new))


def _row(one: Scored) -> tuple[Any, ...]:
    item, score = one.item, one.score
    return (
        item.name,
        item.kind,
        item.subreddit,
        item.author,
        item.title,
        item.content,
        item.url,
        item.created_utc,
        item.collected_utc,
        item.upvotes,
        item.comment_count,
        item.source,
        score.sentiment,
        score.confidence,
        score.positive,
        score.neutral,
        score.negative,
        score.rule,
        score.model,
    )


class _Hour:
    """What one batch adds to one hour."""

    __slots__ = ("compound_sum", "counts")

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.compound_sum = 0.0

    def add(self, one: Scored) -> None:
        self.counts[one.score.sentiment] += 1
        self.compound_sum += one.score.compound

    def row(self, *key: str | int) -> tuple[str | int | float, ...]:
        return (*key, self.counts["positive"], self.counts["neutral"], self.counts["negative"], self.compound_sum)


def _roll_up(connection: sqlite3.Connection, new: Sequence[Scored]) -> None:
    hours: defaultdict[int, _Hour] = defaultdict(_Hour)
    subreddit_hours: defaultdict[tuple[str, int], _Hour] = defaultdict(_Hour)
    for one in new:
        hour_utc = one.item.created_utc // HOUR_S * HOUR_S
        hours[hour_utc].add(one)
        subreddit_hours[one.item.subreddit, hour_utc].add(one)
    connection.executemany(
        f"INSERT INTO hours VALUES (?, ?, ?, ?, ?) {_ADD_HOUR}",  # noqa: S608 - literals of this module
        [hour.row(hour_utc) for hour_utc, hour in hours.items()],
    )
    connection.executemany(
        f"INSERT INTO subreddit_hours VALUES (?, ?, ?, ?, ?, ?) {_ADD_HOUR}",  # noqa: S608 - the same
        [hour.row(*key) for key, hour in subreddit_hours.items()],
    )
    connection.executemany(
        "INSERT INTO subreddits VALUES (?) ON CONFLICT DO NOTHING",
        [(subreddit,) for subreddit in dict.fromkeys(one.item.subreddit for one in new)],
    )
    connection.executemany(
        "INSERT INTO sources VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET items = items + excluded.items,"
        " newest_collected_utc = max(newest_collected_utc, excluded.newest_collected_utc)",
        _sources(new),
    )


def _sources(new: Sequence[Scored]) -> list[tuple[str, int, int]]:
    collected: defaultdict[str, list[int]] = defaultdict(list)
    for one in new:
        collected[one.item.source].append(one.item.collected_utc)
    return [(source, len(times), max(times)) for source, times in collected.items()]


def _insert_set_aside(connection: sqlite3.Connection, set_aside: Iterable[SetAside]) -> int:
    return connection.executemany(
        "INSERT INTO set_aside VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [(one.item.name, one.failed_utc, one.error, msgspec.json.encode(one.item).decode()) for one in set_aside],
    ).rowcount


def _insert_cycles(connection: sqlite3.Connection, cycles: Iterable[Cycle]) -> int:
    return connection.executemany(
        f"INSERT INTO cycles VALUES ({', '.join('?' * 11)}) ON CONFLICT DO NOTHING",  # noqa: S608 - question marks
        [
            (
                cycle.id,
                cycle.source,
                cycle.started_utc,
                cycle.finished_utc,
                cycle.outcome,
                cycle.posts,
                cycle.comments,
                cycle.new,
                cycle.gaps,
                msgspec.json.encode(cycle.failures).decode(),
                cycle.memory_delta_mb,
            )
            for cycle in cycles
        ],
    ).rowcount


def _count(connection: sqlite3.Connection, counter: str, added: int) -> None:
    if added > 0:
        connection.execute(
            "INSERT INTO counters VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
            (counter, added),
        )
