"""What the SQLite store costs as it grows: 10,000, 1,000,000 and (--large) 10,000,000 items, and the exponent of each.

Items come at the same pace, 57 an hour in 20 subreddits (a million in two years), so that a larger store is an older
one. An exponent of 0 is "the same whatever the size", 1 is "twice as many, twice as long". The peer, in the same run,
is a plain SQLite table of the same items without roll-ups, indexed by time and answering by COUNT over its rows. Upkeep
is measured at the end of each size. Run it by itself:

    .venv/bin/python benchmarks/bench_store.py [--large] [--sizes 10000,100000]
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import math
import os
import platform
import sqlite3
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog
from msgspec.structs import replace

from agent.records import Asked, Score, Scored
from agent.store import sqlite_removal, sqlite_rows
from agent.store.looks import seen
from agent.store.sqlite_reader import SqliteReader
from agent.store.sqlite_upkeep import backup, verify
from agent.store.sqlite_writer import SqliteWriter
from ipc.messages import Item
from ipc.settings import StoreSettings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

BATCH_ITEMS: Final = 500
SUBREDDITS: Final = 20
ITEMS_AN_HOUR: Final = 57
#: 2026-01-01T00:17:20Z: windows end here, in the midst of an hour. Older items lie before.
NOW_UTC: Final = 1_767_226_640
HOUR_S: Final = 3600
DAY_S: Final = 24 * HOUR_S
RUNS: Final = 31

_SCORES: Final = tuple(
    Score(sentiment=name, confidence=high, positive=p, neutral=n, negative=m, rule="text", model="bench")  # type: ignore[arg-type]
    for high, low in ((0.5 + step / 2048, 0.25 - step / 4096) for step in range(1024))
    for name, p, n, m in (("positive", high, low, low), ("neutral", low, high, low), ("negative", low, low, high))
)


def batches(items: int) -> Iterator[list[Scored]]:
    """Yield items of about 500 bytes, the oldest first."""
    for start in range(0, items, BATCH_ITEMS):
        yield [scored(number, items) for number in range(start, min(items, start + BATCH_ITEMS))]


def scored(number: int, items: int) -> Scored:
    """Return the item of this number: one post to each comment."""
    created_utc = NOW_UTC - (items - number) * HOUR_S // ITEMS_AN_HOUR
    return Scored(
        item=Item(
            name=f"{('t3', 't1')[number % 2]}_{number:07x}",
            subreddit=f"subreddit_{number * 7919 % SUBREDDITS}",
            author=f"author_{number * 104_729 % 50_000}",
            title="A title of an ordinary length, as people write them",
            content="x" * 320,
            url=f"https://www.reddit.com/comments/{number:07x}/",
            created_utc=created_utc,
            collected_utc=created_utc + 900,
            upvotes=12,
            comment_count=None if number % 2 else number * 31 % 97,
            source="reddit",
        ),
        score=_SCORES[number * 1_013 % len(_SCORES)],
    )


class Peer:
    """The plain table."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute(
            "CREATE TABLE items (name TEXT PRIMARY KEY, subreddit TEXT, author TEXT, title TEXT, content TEXT,"
            " url TEXT, created_utc INTEGER, collected_utc INTEGER, upvotes INTEGER, comment_count INTEGER,"
            " source TEXT, is_deleted INTEGER, sentiment TEXT, confidence REAL, p_positive REAL, p_neutral REAL,"
            " p_negative REAL, rule TEXT, model TEXT, kind TEXT, checked_utc INTEGER)"
        )
        self._connection.execute("CREATE INDEX by_time ON items (created_utc)")

    def write(self, batch: list[Scored]) -> None:
        """Insert new items in one transaction."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(sqlite_rows.INSERT, [sqlite_rows.inserted(seen(None, one)) for one in batch])
        self._connection.execute("COMMIT")

    def totals(self, since_utc: int) -> object:
        """Count the rows of a window."""
        return self._connection.execute(
            "SELECT sentiment, count(*), avg(p_positive - p_negative) FROM items"
            " WHERE created_utc >= ? AND created_utc < ? GROUP BY sentiment",
            (since_utc, NOW_UTC),
        ).fetchall()

    def series(self, since_utc: int) -> object:
        """Count them by day."""
        return self._connection.execute(
            "SELECT created_utc / 86400, sentiment, count(*), avg(p_positive - p_negative) FROM items"
            " WHERE created_utc >= ? AND created_utc < ? GROUP BY 1, 2",
            (since_utc, NOW_UTC),
        ).fetchall()

    def recent(self) -> object:
        """Read the newest posts."""
        return self._connection.execute(
            "SELECT * FROM items WHERE kind = 'post' ORDER BY created_utc DESC LIMIT 50"
        ).fetchall()

    def contents(self) -> object:
        """Count all rows."""
        return self._connection.execute("SELECT count(*), max(collected_utc) FROM items").fetchall()


async def measure(items: int, folder: Path) -> dict[str, float]:
    """Fill a store of this size, ask it, change it, and return milliseconds (or what the name says)."""
    path = folder / "sentiment.db"
    settings = StoreSettings(slow_query_ms=1e9)
    async with SqliteWriter(path, settings, lambda: NOW_UTC) as writer, SqliteReader(path, settings) as reader:
        found = {"ingest, rows/s": await filled(writer, items)}
        found |= await asked(reader, items)
    found["file, bytes/item"] = path.stat().st_size / items
    async with SqliteWriter(path, settings, lambda: NOW_UTC) as writer:
        found |= await changed(writer, items)
    return found | await kept_up(path, settings, items)


def measured_peer(items: int, folder: Path) -> dict[str, float]:
    """Fill the peer and ask it; return milliseconds (or what the name says)."""
    peer = Peer(folder / "peer.db")
    spent_s = 0.0
    for batch in batches(items):
        began_s = time.perf_counter()
        peer.write(batch)
        spent_s += time.perf_counter() - began_s
    return {
        "peer: ingest, rows/s": items / spent_s,
        "peer: recent 50": peer_ms(peer.recent),
        "peer: stats, 7 d": peer_ms(lambda: peer.totals(NOW_UTC - 7 * DAY_S)),
        "peer: stats, 90 d": peer_ms(lambda: peer.totals(NOW_UTC - 90 * DAY_S)),
        "peer: trends, 90 d by the day": peer_ms(lambda: peer.series(NOW_UTC - 90 * DAY_S)),
        "peer: contents": peer_ms(peer.contents),
    }


async def filled(writer: SqliteWriter, items: int) -> float:
    """Write all items and return how many a second went in; making them is not counted."""
    spent_s = 0.0
    for batch in batches(items):
        began_s = time.perf_counter()
        await writer.write(batch, [], [])
        spent_s += time.perf_counter() - began_s
    return items / spent_s


async def asked(reader: SqliteReader, items: int) -> dict[str, float]:
    """Return the median of each question, in milliseconds."""
    day, week, whole = NOW_UTC - DAY_S, NOW_UTC - 7 * DAY_S, NOW_UTC - 90 * DAY_S
    name = scored(items // 2, items).item.name
    found = {
        "recent 50": await median_ms(lambda: reader.recent(None, 0, 50)),
        "recent 50 of one subreddit": await median_ms(lambda: reader.recent("subreddit_3", 0, 50)),
        "one item": await median_ms(lambda: reader.item(name)),
        "stats, 24 h": await median_ms(lambda: reader.totals(None, day, NOW_UTC)),
        "stats, 7 d": await median_ms(lambda: reader.totals(None, week, NOW_UTC)),
        "stats, 7 d, one subreddit": await median_ms(lambda: reader.totals("subreddit_3", week, NOW_UTC)),
        "trends, 7 d by the hour": await median_ms(lambda: reader.series(None, week, NOW_UTC, HOUR_S)),
        "by subreddit, 7 d": await median_ms(lambda: reader.totals_by_subreddit(week, NOW_UTC, 10)),
        "series of 12 subreddits, 7 d": await median_ms(
            lambda: reader.series_by_subreddit(week, NOW_UTC, 3 * HOUR_S, 12)
        ),
        "latest of each subreddit": await median_ms(reader.latest),
        "state": await median_ms(reader.state),
        "contents (health)": await median_ms(reader.contents),
        "due, 100": await median_ms(lambda: reader.due(NOW_UTC, 100)),
    }
    found |= {f"{name}, 24 h": await median_ms(ask) for name, ask in pages(reader, day)}
    if items > 90 * 24 * ITEMS_AN_HOUR:
        found |= {f"{name}, 90 d": await median_ms(ask) for name, ask in pages(reader, whole)}
        found |= {
            "series of 12 subreddits, 90 d": await median_ms(
                lambda: reader.series_by_subreddit(whole, NOW_UTC, DAY_S, 12)
            ),
            "stats, 90 d": await median_ms(lambda: reader.totals(None, whole, NOW_UTC)),
            "trends, 90 d by the day": await median_ms(lambda: reader.series(None, whole, NOW_UTC, DAY_S)),
        }
    return found


def pages(reader: SqliteReader, since_utc: int) -> Iterator[tuple[str, Callable[[], Awaitable[object]]]]:
    """Yield the questions for the first 50 of posts and comments in each order, and of what is harder to find."""
    asked = Asked(since_utc=since_utc, until_utc=NOW_UTC, kind="all")
    narrow = replace(asked, order="positive", subreddit="subreddit_4")
    for order in ("newest", "oldest", "positive", "negative", "discussed"):
        yield f"page, {order}", partial(reader.page, replace(asked, order=order), None, 50)
    yield "page, positive of one subreddit", partial(reader.page, narrow, None, 50)
    yield (
        "page, negative of the positive",
        partial(reader.page, replace(asked, order="negative", sentiment="positive"), None, 50),
    )


async def changed(writer: SqliteWriter, items: int) -> dict[str, float]:
    """Return how fast later looks go in, and how long the steps of retention and of forgetting hold the others up."""
    step = max(1, items // 5000)
    looks = [scored(number, items) for number in range(0, items, step)]
    later = [replace(one, item=replace(one.item, collected_utc=NOW_UTC, upvotes=13)) for one in looks]
    edited = [
        replace(one, item=replace(one.item, collected_utc=NOW_UTC + 1, content="y" * 300), score=_SCORES[0])
        for one in looks
    ]
    found = {}
    for name, batch in (("later looks, rows/s", later), ("edits, rows/s", edited)):
        began_s = time.perf_counter()
        for start in range(0, len(batch), BATCH_ITEMS):
            await writer.write(batch[start : start + BATCH_ITEMS], [], [])
        found[name] = len(batch) / (time.perf_counter() - began_s)
    began_s = time.perf_counter()
    await writer.forget("author_7")
    found["forget an author, whole"] = (time.perf_counter() - began_s) * 1000
    oldest_utc = NOW_UTC - (items - min(items // 10, 100_000)) * HOUR_S // ITEMS_AN_HOUR
    waits: list[float] = []
    began_s = time.perf_counter()
    retaining = asyncio.create_task(writer.retain(oldest_utc))
    await asyncio.sleep(0)
    while not retaining.done():
        began_wait_s = time.perf_counter()
        await writer.write([], [], [])
        waits.append((time.perf_counter() - began_wait_s) * 1000)
    removed = await retaining
    found["retention, rows/s"] = removed / (time.perf_counter() - began_s)
    found[f"a write's wait in it, longest (steps of {sqlite_removal.RETAIN_ROWS})"] = max(waits)
    return found


async def kept_up(path: Path, settings: StoreSettings, items: int) -> dict[str, float]:
    """Return how long opening (with its check), a backup and a verification take."""
    began_s = time.perf_counter()
    async with SqliteWriter(path, settings):
        opened_ms = (time.perf_counter() - began_s) * 1000
    copied = backup(path, path.with_name("backup.db"))
    verification = verify(path)
    if not verification.is_sound or copied.items > items:
        raise SystemExit(f"the store does not hold together: {verification}")
    return {
        "opening, with the check": opened_ms,
        "backup": copied.took_s * 1000,
        "verification": verification.took_s * 1000,
    }


async def median_ms(ask: Callable[[], Awaitable[object]]) -> float:
    """Return the median time of a question, the way into the thread and back included."""
    times = []
    for _ in range(RUNS):
        began_s = time.perf_counter()
        await ask()
        times.append((time.perf_counter() - began_s) * 1000)
    return statistics.median(times)


def peer_ms(ask: Callable[[], object]) -> float:
    """Return the median of a few: the peer takes its time."""
    times = []
    for _ in range(5):
        began_s = time.perf_counter()
        ask()
        times.append((time.perf_counter() - began_s) * 1000)
    return statistics.median(times)


def exponent(points: list[tuple[int, float]]) -> float:
    """Return the slope of the line of least squares through the logarithms."""
    logs = [(math.log(items), math.log(figure)) for items, figure in points]
    mean_x, mean_y = statistics.mean(x for x, _ in logs), statistics.mean(y for _, y in logs)
    return sum((x - mean_x) * (y - mean_y) for x, y in logs) / sum((x - mean_x) ** 2 for x, _ in logs)


async def main(sizes: list[int], *, with_peer: bool) -> None:
    """Measure each size and print the table."""
    print(
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, Linux {platform.release()},"
        f" {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; milliseconds where nothing else is said\n"
    )
    found: dict[int, dict[str, float]] = {}
    for items in sizes:
        with tempfile.TemporaryDirectory(prefix="bench_store") as folder:
            found[items] = await measure(items, Path(folder))
            if with_peer:
                found[items] |= measured_peer(items, Path(folder))
    print(f"{'':<52}" + "".join(f"{items:>14,}" for items in sizes) + f"{'exponent':>10}")
    for name in dict.fromkeys(name for figures in found.values() for name in figures):
        points = [(items, figures[name]) for items, figures in found.items() if name in figures]
        cells = "".join(f"{found[items][name]:>14,.2f}" if name in found[items] else f"{'-':>14}" for items in sizes)
        print(f"{name:<52}{cells}{exponent(points):>10.2f}" if len(points) > 1 else f"{name:<52}{cells}{'-':>10}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000,1000000", help="how many items, separated by commas")
    parser.add_argument("--large", action="store_true", help="ten million items as well: twenty minutes and 25 GB")
    parser.add_argument("--without-peer", action="store_true", help="measure the store alone")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    wanted = [int(size) for size in options.sizes.split(",")]
    if options.large:
        wanted.append(10_000_000)
    asyncio.run(main(wanted, with_peer=not options.without_peer))
