"""The writer's side of the SQLite store: one process, one durable transaction a batch.

It makes the file, migrates it, and keeps its write-ahead log small. A file that is not ours is never touched.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from agent.store import sqlite_changes, sqlite_schema
from agent.store.query_log import QueryLog
from agent.store.sqlite_connection import BUSY_TIMEOUT_S, SqliteConnection
from ipc import logs
from ipc.errors import SettingsError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from agent.records import Scored, SetAside
    from ipc.messages import Cycle
    from ipc.settings import StoreSettings

_log = logs.log(__name__)

#: A batch takes tens of milliseconds; a disk that is this far behind is as good as away. Chosen, not measured.
TIMEOUT_S: Final = 60.0
#: Above this the write-ahead log is brought home and cut to nothing; left alone it grew to 54-132 MB.
WAL_LIMIT_BYTES: Final = 32 * 1024 * 1024


class SqliteWriter:
    """A :class:`~agent.store.protocol.Writing` into a file."""

    def __init__(self, path: Path, settings: StoreSettings) -> None:
        self._path = path
        self._connection = SqliteConnection(
            path, connect_to_write, settings, QueryLog(settings.slow_query_ms), TIMEOUT_S
        )

    async def __aenter__(self) -> Self:
        """Open, create what is missing, migrate what is older.

        Raises:
            SettingsError: the database was made by a newer version, or is not ours.

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
        if self._wal_bytes() > WAL_LIMIT_BYTES:
            await self._checkpoint()
        return new

    async def _checkpoint(self) -> None:
        """Shorten the log. What was written is safe in it: a failure here is none of the write that came before."""
        try:
            await self._connection.call("checkpoint", sqlite_changes.checkpoint)
        except StoreUnavailable as error:
            _log.warning("The write-ahead log stays long", bytes=self._wal_bytes(), reason=str(error))

    def _wal_bytes(self) -> int:
        with suppress(OSError):
            return self._path.with_name(f"{self._path.name}-wal").stat().st_size
        return 0


def connect_to_write(path: Path) -> sqlite3.Connection:
    """Open the database at ``path`` for writing; make it when it is missing, migrate it when it is older.

    Raises:
        SettingsError: it is somebody else's, or newer, or stands where there can be no write-ahead log.

    """
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection, path)
    except sqlite3.DatabaseError as error:
        connection.close()
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_NOTADB:
            raise SettingsError(
                f"{path} is not an SQLite database, and is left alone:"
                " move it away, or choose another SENTIMENTAGENT_STATE_DIR"
            ) from error
        raise
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    sqlite_schema.claim(connection, path)  # before anything is changed: the file may not be ours
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise SettingsError(f"{path} can't have a write-ahead log there (a network folder?): choose a local folder")
    # FULL, so that what was acknowledged survives a loss of power and not only of the process: NORMAL syncs at
    # checkpoints alone. One sync a batch costs little: in batches of 500, 63,000 rows a second against 62,000, and
    # 36,000 in batches of 100 (2 cores, 0.24 ms a sync, Python 3.11, SQLite 3.40).
    connection.execute("PRAGMA synchronous = FULL")
    # This module checkpoints by itself, see WAL_LIMIT_BYTES: once in 32 MB instead of once in 4.
    connection.execute("PRAGMA wal_autocheckpoint = 0")
