"""What a transaction of the SQLite writer adds to roll-ups and counters, and takes from them."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

from agent.store import sqlite_schema
from agent.store.sqlite_windows import HOUR_S

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from agent.records import Hour, Kept, Scored
    from ipc.messages import Item

#: In ``counters``: items created before were removed, so that older roll-ups stand alone.
RETAINED_FROM: Final = "retained_from_utc"

_ADD_HOUR: Final = """
    ON CONFLICT DO UPDATE SET positive = positive + excluded.positive, neutral = neutral + excluded.neutral,
        negative = negative + excluded.negative, compound_sum = compound_sum + excluded.compound_sum
"""
_PLACES: Final = {"positive": 0, "neutral": 1, "negative": 2}


class Counts:
    """What items that come and items that change add to each hour, and what the sources have."""

    def __init__(self) -> None:
        #: Positive, neutral, negative, and the sum of compounds, by subreddit and hour.
        self._hours: defaultdict[tuple[str, int], list[float]] = defaultdict(lambda: [0, 0, 0, 0.0])

    def add(self, one: Scored, times: int = 1) -> None:
        """Count an item, or take it out with ``times`` -1."""
        cell = self._hours[one.item.subreddit, one.item.created_utc // HOUR_S * HOUR_S]
        cell[_PLACES[one.score.sentiment]] += times
        cell[3] += times * one.score.compound

    def exchange(self, before: Scored, after: Scored) -> None:
        """Count an item as it is now, and no longer as it was."""
        if before.score != after.score:
            self.add(before, -1)
            self.add(after)

    def store(self, connection: sqlite3.Connection) -> None:
        """Add all of it to the roll-ups of each subreddit and to those of everything."""
        hours: defaultdict[int, list[float]] = defaultdict(lambda: [0, 0, 0, 0.0])
        for (_, hour_utc), cell in self._hours.items():
            hours[hour_utc] = [sum(pair) for pair in zip(hours[hour_utc], cell, strict=True)]
        connection.executemany(
            f"INSERT INTO hours VALUES (?, ?, ?, ?, ?) {_ADD_HOUR}",  # noqa: S608 - literals of this module
            [(hour_utc, *cell) for hour_utc, cell in hours.items()],
        )
        connection.executemany(
            f"INSERT INTO subreddit_hours VALUES (?, ?, ?, ?, ?, ?) {_ADD_HOUR}",  # noqa: S608 - the same
            [(*key, *cell) for key, cell in self._hours.items()],
        )


def add_sources(connection: sqlite3.Connection, new: Sequence[Kept]) -> None:
    """Count new items by source and by subreddit, and keep the first spelling of its name."""
    collected: defaultdict[str, list[int]] = defaultdict(list)
    of_subreddit: defaultdict[str, list[Item]] = defaultdict(list)
    for one in new:
        item = one.scored.item
        collected[item.source].append(item.collected_utc)
        of_subreddit[item.subreddit].append(item)
    connection.executemany(
        "INSERT INTO sources VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET items = items + excluded.items,"
        " newest_collected_utc = max(newest_collected_utc, excluded.newest_collected_utc)",
        [(source, len(times), max(times)) for source, times in collected.items()],
    )
    connection.executemany(
        "INSERT INTO subreddits VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET items = items + excluded.items,"
        " newest_created_utc = max(ifnull(newest_created_utc, 0), excluded.newest_created_utc),"
        " newest_collected_utc = max(ifnull(newest_collected_utc, 0), excluded.newest_collected_utc)",
        [
            (subreddit, len(items), max(one.created_utc for one in items), max(one.collected_utc for one in items))
            for subreddit, items in of_subreddit.items()
        ],
    )


def adopt(connection: sqlite3.Connection, hours: Sequence[Hour]) -> int:
    """Take over, in one transaction, hours of subreddits of which nothing is counted; return how many."""
    taken: list[int] = []
    with sqlite_schema.transaction(connection):
        for one in hours:
            figures = (one.positive, one.neutral, one.negative, one.compound_sum)
            is_new = connection.execute(
                "INSERT INTO subreddit_hours VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (one.subreddit, one.hour_utc, *figures),
            ).rowcount
            if is_new:
                taken.append(one.hour_utc)
                connection.execute(
                    f"INSERT INTO hours VALUES (?, ?, ?, ?, ?) {_ADD_HOUR}",  # noqa: S608 - literals of this module
                    (one.hour_utc, *figures),
                )
                connection.execute(
                    "INSERT INTO subreddits (subreddit) VALUES (?) ON CONFLICT DO NOTHING", (one.subreddit,)
                )
        if taken:
            raise_to(connection, RETAINED_FROM, max(taken) + HOUR_S)
    return len(taken)


def take_sources(connection: sqlite3.Connection, removed: Sequence[tuple[str, str]]) -> None:
    """Take removed items, each by its source and subreddit, from these; a source without items is none."""
    sources, subreddits = Counter(source for source, _ in removed), Counter(subreddit for _, subreddit in removed)
    connection.executemany(
        "UPDATE sources SET items = items - ? WHERE source = ?", [(n, source) for source, n in sources.items()]
    )
    connection.execute("DELETE FROM sources WHERE items = 0")
    connection.executemany(
        "UPDATE subreddits SET items = items - ? WHERE subreddit = ?", [(n, name) for name, n in subreddits.items()]
    )


def count(connection: sqlite3.Connection, added: Mapping[str, int]) -> None:
    """Add to counters, by name."""
    connection.executemany(
        "INSERT INTO counters VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
        [(name, number) for name, number in added.items() if number],
    )


def raise_to(connection: sqlite3.Connection, counter: str, value: int) -> None:
    """Set a counter that only ever rises."""
    connection.execute(
        "INSERT INTO counters VALUES (?, ?) ON CONFLICT DO UPDATE SET value = max(value, excluded.value)",
        (counter, value),
    )
