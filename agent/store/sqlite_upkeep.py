"""Upkeep of the SQLite store, for an operator's commands: a backup while the writer goes on, and a verification.

Both read one state of the database from beginning to end, with a connection that can't write. No event loop and no log.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import msgspec

from agent.store.sqlite_connection import in_words
from agent.store.sqlite_counts import RETAINED_FROM
from agent.store.sqlite_reader import connect_to_read
from agent.store.sqlite_windows import HOUR_S
from ipc.errors import SettingsError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: Pages of 4 kB that are copied between two calls of ``on_progress``: 16 MB, some tens of milliseconds.
STEP_PAGES: Final = 4096
#: Differences that are told one by one; beyond, they are counted.
DIFFERENCES_TOLD: Final = 100
#: Sums of compounds differ by this much by the order of adding alone, at the very most.
_TOLERANCE: Final = 1e-6


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that was written and checked."""

    items: int
    size_bytes: int
    took_s: float


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One figure that is not what the rows say."""

    #: ``positive of r/aws in the hour 1760522400``, ``items of the source reddit``, ...
    what: str
    stored: float
    counted: float


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What the rows say of the figures that are kept about them."""

    #: The first :data:`DIFFERENCES_TOLD`.
    differences: tuple[Difference, ...]
    difference_count: int
    #: What ``PRAGMA quick_check`` has found in the file itself, a line each; empty when it is whole.
    damages: tuple[str, ...]
    #: How many items were read for it; none in a damaged file, as of what follows.
    items: int
    #: Roll-ups of a subreddit and hour that were recomputed.
    hours: int
    #: Those that are older than the items that are kept: there is nothing to recompute them from.
    hours_not_verifiable: int
    took_s: float

    @property
    def is_sound(self) -> bool:
        """Nothing was found."""
        return not self.difference_count and not self.damages


def backup(
    path: Path, destination: Path, *, overwrite: bool = False, on_progress: Callable[[int, int], None] | None = None
) -> Backup:
    """Copy the database into one file, check it, and only then give it its name.

    The writer may go on meanwhile; its write-ahead log grows until the copy is done. ``on_progress`` gets the pages
    that are copied and those there are.

    Raises:
        SettingsError: there is a file already, or no folder to put it in.
        StoreUnavailable: the database can't be read, the copy not be written, or it is damaged.

    """
    began_s = time.monotonic()
    if destination.exists() and (not overwrite or destination.samefile(path)):
        raise SettingsError(f"{destination} is there already, and is left as it is: choose another name")
    if not destination.parent.is_dir():
        raise SettingsError(f"there is no folder {destination.parent}")
    partial = destination.with_name(f".{destination.name}.{os.getpid()}.partial")
    try:
        with in_words(path), closing(connect_to_read(path)) as source:
            _hold(source)
            with in_words(partial):
                _copy(source, partial, on_progress)
                items = _checked(partial)
        _publish(partial, destination, overwrite=overwrite)
    except OSError as error:
        raise StoreUnavailable(f"the backup {destination} can't be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
    return Backup(items=items, size_bytes=destination.stat().st_size, took_s=time.monotonic() - began_s)


def verify(path: Path) -> Verification:
    """Recompute roll-ups and counters from the rows and compare; check the file as well.

    Raises:
        StoreUnavailable: the database can't be read.

    """
    began_s = time.monotonic()
    with in_words(path), closing(connect_to_read(path)) as connection:
        _hold(connection)
        damages = _damages(connection)
        # Nothing that a damaged file says of itself is worth counting.
        return _verified(connection, began_s) if not damages else _damaged(damages, began_s)


def _damaged(damages: tuple[str, ...], began_s: float) -> Verification:
    return Verification(
        differences=(),
        difference_count=0,
        damages=damages,
        items=0,
        hours=0,
        hours_not_verifiable=0,
        took_s=time.monotonic() - began_s,
    )


def _verified(connection: sqlite3.Connection, began_s: float) -> Verification:
    counters: dict[str, int] = dict(connection.execute("SELECT name, value FROM counters"))
    first_hour = -(-counters.get(RETAINED_FROM, 0) // HOUR_S) * HOUR_S
    told: list[Difference] = []
    count = 0
    for difference in _differences(connection, counters, first_hour):
        count += 1
        if len(told) < DIFFERENCES_TOLD:
            told.append(difference)
    return Verification(
        differences=tuple(told),
        difference_count=count,
        damages=(),
        items=_one(connection, "SELECT count(*) FROM items"),
        hours=_one(connection, "SELECT count(*) FROM subreddit_hours WHERE hour_utc >= ?", first_hour),
        hours_not_verifiable=_one(connection, "SELECT count(*) FROM subreddit_hours WHERE hour_utc < ?", first_hour),
        took_s=time.monotonic() - began_s,
    )


def _damages(connection: sqlite3.Connection) -> tuple[str, ...]:
    found: list[str] = []
    try:
        found += (line for (line,) in connection.execute("PRAGMA quick_check"))
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
            raise
        found.append(str(error))  # so damaged that the check itself can't go on
    return () if found == ["ok"] else tuple(found)


def _hold(connection: sqlite3.Connection) -> None:
    """Begin to read one state: the writer goes on, and nothing of what it writes from now on is seen.

    Without it the copy begins anew each time that the writer commits (sqlite.org/c3ref/backup_finish.html).
    """
    connection.execute("BEGIN")
    connection.execute("SELECT 1 FROM sqlite_schema").fetchone()


def _copy(source: sqlite3.Connection, partial: Path, on_progress: Callable[[int, int], None] | None) -> None:
    def progressed(_status: int, remaining: int, pages: int) -> None:
        if on_progress:
            on_progress(pages - remaining, pages)

    partial.touch(mode=0o600)
    with closing(sqlite3.connect(partial, isolation_level=None)) as copy:
        # What is half written is thrown away, and what is whole is synced below: the copy needs no journal.
        copy.execute("PRAGMA journal_mode = OFF")
        copy.execute("PRAGMA synchronous = OFF")
        source.backup(copy, pages=STEP_PAGES, progress=progressed)
        # One file by itself, without a write-ahead log; the writer makes that anew when the backup is put in place.
        copy.execute("PRAGMA journal_mode = DELETE")


def _checked(partial: Path) -> int:
    """See that the copy is whole, and return how many items it has."""
    with closing(sqlite3.connect(f"{partial.absolute().as_uri()}?mode=ro", uri=True)) as copy:
        finding = _one(copy, "PRAGMA quick_check(1)")
        if finding != "ok":
            raise StoreUnavailable(f"the database is damaged: so is a copy of it ({finding.splitlines()[-1]})")
        return int(_one(copy, "SELECT ifnull(sum(items), 0) FROM sources"))


def _publish(partial: Path, destination: Path, *, overwrite: bool) -> None:
    with partial.open("rb") as written:
        os.fsync(written.fileno())
    destination.touch(mode=0o600, exist_ok=overwrite)  # the name is ours from here on, or it was taken meanwhile
    partial.replace(destination)
    folder = os.open(destination.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


#: Both sides in one pass: what is stored and what the rows say, side by side for each subreddit and hour.
_HOURS: Final = """
    SELECT {name}, hour_utc,
           sum(stored * positive), sum((1 - stored) * positive), sum(stored * neutral), sum((1 - stored) * neutral),
           sum(stored * negative), sum((1 - stored) * negative),
           sum(stored * compound_sum), sum((1 - stored) * compound_sum)
    FROM (
        SELECT 1 AS stored, {stored_name} AS subreddit, hour_utc, positive, neutral, negative, compound_sum FROM {table}
        UNION ALL
        SELECT 0, subreddit, created_utc / 3600 * 3600, sentiment = 'positive', sentiment = 'neutral',
               sentiment = 'negative', p_positive - p_negative FROM items WHERE created_utc >= :first
    ) WHERE hour_utc >= :first GROUP BY {key} hour_utc
"""
_OF_SUBREDDITS: Final = _HOURS.format(
    name="subreddit", stored_name="subreddit", table="subreddit_hours", key="subreddit COLLATE NOCASE,"
)
_OF_ALL: Final = _HOURS.format(name="NULL", stored_name="NULL", table="hours", key="")
_FIGURES: Final = ("positive", "neutral", "negative", "sum of compounds")


def _differences(connection: sqlite3.Connection, counters: dict[str, int], first_hour: int) -> Iterator[Difference]:
    for statement in (_OF_SUBREDDITS, _OF_ALL):
        for subreddit, hour_utc, *sums in connection.execute(statement, {"first": first_hour}):
            where = f"r/{subreddit}" if subreddit else "all subreddits"
            for figure, stored, counted in zip(_FIGURES, sums[::2], sums[1::2], strict=True):
                yield from _unless_same(f"{figure} of {where} in the hour {hour_utc}", stored, counted)
    for source, stored, counted in connection.execute(
        "SELECT source, sum(stored), sum(counted) FROM (SELECT source, items AS stored, 0 AS counted FROM sources"
        " UNION ALL SELECT source, 0, 1 FROM items) GROUP BY source"
    ):
        yield from _unless_same(f"items of the source {source}", stored, counted)
    for subreddit, stored, counted in connection.execute(
        "SELECT subreddit, sum(stored), sum(counted) FROM (SELECT subreddit, items AS stored, 0 AS counted"
        " FROM subreddits UNION ALL SELECT subreddit, 0, 1 FROM items) GROUP BY subreddit COLLATE NOCASE"
    ):
        yield from _unless_same(f"items of r/{subreddit}", stored, counted)
    for counter, statement in (
        ("set_aside", "SELECT count(*) FROM set_aside"),
        ("cycles_succeeded", "SELECT count(*) FROM cycles WHERE outcome = 'succeeded'"),
        ("cycles_failed", "SELECT count(*) FROM cycles WHERE outcome = 'failed'"),
    ):
        yield from _unless_same(f"the counter {counter}", counters.get(counter, 0), _one(connection, statement))


def _unless_same(what: str, stored: float, counted: float) -> Iterator[Difference]:
    if abs(stored - counted) > _TOLERANCE:
        yield Difference(what=what, stored=stored, counted=counted)


def _one(connection: sqlite3.Connection, statement: str, *parameters: object) -> Any:  # noqa: ANN401 - of SQLite's types
    return connection.execute(statement, parameters).fetchone()[0]
