"""The writer's side of the SQLite store: one process, one durable transaction a batch.

It makes the file, migrates it, sees that it is whole, and keeps its write-ahead log small. A file that is not ours is
never touched, one that is damaged is never written. A second writer waits for its turn, a transaction at a time, and is
told when that doesn't come: SQLite's own lock does it, and nothing is counted twice.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from agent.store import sqlite_changes, sqlite_counts, sqlite_removal, sqlite_schema
from agent.store.query_log import QueryLog
from agent.store.sqlite_connection import BUSY_TIMEOUT_S, SqliteConnection
from ipc import logs
from ipc.errors import SettingsError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType

    from agent.records import Hour, Scored, SetAside
    from ipc.messages import Cycle
    from ipc.settings import StoreSettings

_log = logs.log(__name__)

#: A batch takes tens of milliseconds; a disk that is this far behind is as good as away. Chosen, not measured.
TIMEOUT_S: Final = 60.0
#: Opening may migrate and check. A million rows were migrated in 2.6 s and checked in 1.6, on a fast disk.
OPENING_TIMEOUT_S: Final = 900.0
#: Above this the write-ahead log is brought home and cut to nothing; left alone it grew to 54-132 MB.
WAL_LIMIT_BYTES: Final = 32 * 1024 * 1024
#: While one that holds an old state keeps the log from being cut, this much more (some 8,000 items) may come before
#: the next try, which waits CHECKPOINT_WAIT_MS for that reader. Chosen, not measured.
WAL_STEP_BYTES: Final = 8 * 1024 * 1024
CHECKPOINT_WAIT_MS: Final = 100
#: An item stays for a day after it was collected, however old it is: removed sooner, one that is sent again after a
#: failure would be taken for a new one, and counted twice. Chosen.
REPLAY_S: Final = 24 * 3600
#: Up to this size a file is checked at each start: 590 MB with a million items took 1.6 s, read from memory.
CHECK_LIMIT_BYTES: Final = 1024 * 1024 * 1024


class SqliteWriter:
    """A :class:`~agent.store.protocol.Writing` into a file. ``clock`` is the wall clock that retention goes by."""

    def __init__(self, path: Path, settings: StoreSettings, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._connection = SqliteConnection(
            path,
            connect_to_write,
            settings,
            QueryLog(settings.slow_query_ms),
            timeout_s=TIMEOUT_S,
            opening_timeout_s=OPENING_TIMEOUT_S,
        )
        #: How long the log was when it could not be cut.
        self._stuck_bytes = 0

    async def __aenter__(self) -> Self:
        """Open, create what is missing, migrate what is older.

        Raises:
            SettingsError: the database was made by a newer version, or is not ours.
            StoreUnavailable: it is damaged, locked, or can't be opened for now.

        """
        try:
            await self._connection.poll("open", sqlite_schema.stamp)
        except BaseException:
            await self._connection.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Bring the write-ahead log home, which the next start would have to do otherwise, and close."""
        try:
            await self._checkpoint()
        finally:
            await self._connection.close()

    async def write(self, scored: Sequence[Scored], set_aside: Sequence[SetAside], cycles: Sequence[Cycle]) -> int:
        """Store all of it in one transaction, durably, and return how many scored items were new."""
        new = await self._connection.call("write", sqlite_changes.write, scored, set_aside, cycles)
        await self._shorten()
        return new

    async def retain(self, created_from_utc: int) -> int:
        """Remove items that were created before and did not come within the last day, step by step."""
        collected_from_utc = int(self._clock()) - REPLAY_S
        removed = await self._connection.call(
            "retain", sqlite_removal.retain_set_aside, created_from_utc, collected_from_utc
        )
        for of in sqlite_removal.KINDS:
            after: tuple[int, int] | None = sqlite_removal.FIRST
            while after:
                step = await self._connection.call(
                    "retain", sqlite_removal.retain_step, of, after, created_from_utc, collected_from_utc
                )
                removed, after = removed + step.removed, step.last
                await self._shorten()
        return removed

    async def forget(self, author: str) -> int:
        """Empty every item of ``author``, and return how many there were; all rows are looked through, in steps."""
        await self._connection.call("forget", sqlite_removal.forget_set_aside, author)
        first, last = await self._connection.call("forget", sqlite_removal.rows_between)
        forgotten = 0
        for begin in range(first, last + 1, sqlite_removal.FORGET_ROWS):
            forgotten += await self._connection.call("forget", sqlite_removal.forget_step, author, begin)
            await self._shorten()
        return forgotten

    async def adopt(self, hours: Sequence[Hour]) -> int:
        """Take over roll-ups without their items; return how many were taken."""
        return await self._connection.call("adopt", sqlite_counts.adopt, hours)

    def gauges(self) -> dict[str, float]:
        """Return how long the write-ahead log is."""
        return {"store_wal_bytes": float(self._wal_bytes())}

    async def _shorten(self) -> None:
        if self._wal_bytes() > max(WAL_LIMIT_BYTES, self._stuck_bytes + WAL_STEP_BYTES):
            await self._checkpoint()

    async def _checkpoint(self) -> None:
        """Cut the log. What was written is safe in it: a failure here is none of the write that came before."""
        reason = "a reader holds an old state"
        try:
            is_cut = await self._connection.call("checkpoint", sqlite_changes.checkpoint, CHECKPOINT_WAIT_MS)
        except StoreUnavailable as error:
            is_cut, reason = False, str(error)
        self._stuck_bytes = 0 if is_cut else self._wal_bytes()
        if self._stuck_bytes > WAL_LIMIT_BYTES:
            _log.warning("The write-ahead log stays long", bytes=self._stuck_bytes, reason=reason)

    def _wal_bytes(self) -> int:
        with suppress(OSError):
            return self._path.with_name(f"{self._path.name}-wal").stat().st_size
        return 0


def connect_to_write(path: Path, check_limit_bytes: int = CHECK_LIMIT_BYTES) -> sqlite3.Connection:
    """Open the database at ``path`` for writing; make it when it is missing, migrate it when it is older.

    Raises:
        SettingsError: it is somebody else's, or newer, or stands where there can be no write-ahead log.
        StoreUnavailable: it is damaged, or read-only.

    """
    _see_that_it_may_be_written(path)
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection, path, check_limit_bytes)
    except sqlite3.DatabaseError as error:
        connection.close()
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_NOTADB:
            raise SettingsError(
                f"{path} is not an SQLite database, and is left alone:"
                " restore it from a backup, move it away, or choose another SENTIMENTAGENT_STATE_DIR"
            ) from error
        raise
    except BaseException:
        connection.close()
        raise
    return connection


def _see_that_it_may_be_written(path: Path) -> None:
    """Refuse a read-only file before SQLite opens it for reading alone, and mend what that leaves behind.

    SQLite gives the -wal and the -shm that it makes the mode of the database. Made by a reader while that was
    read-only, they would keep the writer out after it no longer is.
    """
    if not path.exists():
        return
    if not _may_be_written(path):
        raise StoreUnavailable(f"the database {path} can't be written: it is read-only")
    for companion in (path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        if companion.exists() and not _may_be_written(companion):
            with suppress(OSError):  # somebody else's: SQLite will say so
                companion.chmod(path.stat().st_mode & 0o777)


def _may_be_written(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _prepare(connection: sqlite3.Connection, path: Path, check_limit_bytes: int) -> None:
    sqlite_schema.recognise(connection, path)  # before anything else: the file may not be ours
    _check(connection, path, check_limit_bytes)
    sqlite_schema.migrate(connection, path)
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise SettingsError(f"{path} can't have a write-ahead log there (a network folder?): choose a local folder")
    # FULL, so that what was acknowledged survives a loss of power and not only of the process: NORMAL syncs at
    # checkpoints alone. One sync a batch costs little: in batches of 500, 63,000 rows a second against 62,000, and
    # 36,000 in batches of 100 (2 cores, 0.24 ms a sync, Python 3.11, SQLite 3.40).
    connection.execute("PRAGMA synchronous = FULL")
    # What is deleted is overwritten, as Debian's SQLite does by itself: it was asked to be gone.
    connection.execute("PRAGMA secure_delete = ON")
    # This module checkpoints by itself, see WAL_LIMIT_BYTES: once in 32 MB instead of once in 4.
    connection.execute("PRAGMA wal_autocheckpoint = 0")


def _check(connection: sqlite3.Connection, path: Path, limit_bytes: int) -> None:
    """See that the file is whole, before anything is written that would make a bad thing worse."""
    size_bytes = path.stat().st_size
    if size_bytes > limit_bytes:
        _log.info(
            "Database not checked: it is too large for each start; sentimentagent store verify does it",
            bytes=size_bytes,
            limit_bytes=limit_bytes,
        )
        return
    (finding,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if finding != "ok":
        first_line = finding.splitlines()[-1]
        raise StoreUnavailable(
            f"the database {path} is damaged ({first_line}) and is left as it is. To restore it: stop the analyzer,"
            f" move {path.name}, {path.name}-wal and {path.name}-shm away, put a backup in their place, start it"
        )
