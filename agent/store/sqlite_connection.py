"""One SQLite connection and the one thread that uses it: the only way from the event loop into SQLite.

It opens at the first call, and again at the call after the file was found missing, replaced or damaged, so that whoever
holds it starts before the database is there and recovers by itself. SQLite's errors become
:class:`~ipc.errors.StoreUnavailable` here, in words; a busy database is tried again.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec, TypeVar

from agent.records import Page
from agent.store.thread import Thread
from ipc.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from agent.store.query_log import QueryLog
    from ipc.settings import StoreSettings

P = ParamSpec("P")
T = TypeVar("T")

#: How long SQLite itself waits for a lock, before the tries of DB_RETRY_MAX_ATTEMPTS. Locks between one writer and its
#: readers in WAL mode last for milliseconds. Chosen, not measured.
BUSY_TIMEOUT_S: Final = 1.0

_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
#: After these the connection is no good: a file that could be opened for reading alone is never written by it, and what
#: was damaged is to be looked at anew.
_CLOSING: Final = frozenset(
    {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_IOERR,
    }
)
#: What the world outside does to a database; every other error of SQLite is a fault of ours and stays what it is.
_IN_WORDS: Final = {
    sqlite3.SQLITE_BUSY: "is locked by another process",
    sqlite3.SQLITE_LOCKED: "is locked by another process",
    sqlite3.SQLITE_CORRUPT: "is damaged; restore it from a backup: docs/sqlite.md says how",
    sqlite3.SQLITE_NOTADB: "is not an SQLite database",
    sqlite3.SQLITE_FULL: "can't grow: the disk is full",
    sqlite3.SQLITE_READONLY: "can't be written: it is read-only",
    sqlite3.SQLITE_PERM: "can't be opened: permission is missing",
    sqlite3.SQLITE_CANTOPEN: "can't be opened",
    sqlite3.SQLITE_IOERR: "can't be read or written: the disk reports an error",
    sqlite3.SQLITE_PROTOCOL: "is locked by another process",
    sqlite3.SQLITE_NOMEM: "can't be used: memory is short",
    sqlite3.SQLITE_INTERRUPT: "took too long and was interrupted",
}


class _Busy(StoreUnavailable):
    """Locked for the moment: worth another try within the same call."""


class SqliteConnection:
    """A connection that lives in a thread of its own.

    ``connect`` opens the file for reading or for writing. Calls wait in a queue for the thread, first come, first
    served; each is bounded by ``timeout_s`` from the moment that it was made (backpressure: the callers wait), and the
    one that opens the file by ``opening_timeout_s``.
    """

    def __init__(  # noqa: PLR0913 - each says one thing of the connection, and there are two callers
        self,
        path: Path,
        connect: Callable[[Path], sqlite3.Connection],
        settings: StoreSettings,
        log: QueryLog,
        *,
        timeout_s: float,
        opening_timeout_s: float | None = None,
    ) -> None:
        self._path = path
        self._connect = connect
        self._settings = settings
        self._log = log
        self._timeout_s = timeout_s
        self._opening_timeout_s = opening_timeout_s or timeout_s
        self._thread = Thread(f"sqlite-{path.stem}")
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None

    async def call(
        self, name: str, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **options: P.kwargs
    ) -> T:
        """Run ``work(connection, ...)`` in the thread; log it as the query ``name``.

        Raises:
            StoreUnavailable: the database is away, damaged, or busy for longer than the settings allow.

        """
        result, duration_ms = await self._try(work, *args, **options)
        self._log.note(name, duration_ms, _rows(result))
        return result

    async def poll(
        self, name: str, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **options: P.kwargs
    ) -> T:
        """Do the same for what is asked every few seconds, which is logged at DEBUG unless it was slow."""
        result, duration_ms = await self._try(work, *args, **options)
        self._log.note(name, duration_ms, _rows(result), quiet=True)
        return result

    async def close(self) -> None:
        """Close after the calls that wait have ended."""
        await self._thread.run(self._close)
        self._thread.end()

    async def _try(
        self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **options: P.kwargs
    ) -> tuple[T, float]:
        for delay_s in self._delays_s():
            try:
                return await self._once(work, *args, **options)
            except _Busy:
                # The thread is free meanwhile: the wait is out here.
                await asyncio.sleep(delay_s)
        return await self._once(work, *args, **options)

    def _delays_s(self) -> Iterator[float]:
        delay_s = self._settings.db_retry_base_delay
        for _ in range(self._settings.db_retry_max_attempts - 1):
            yield delay_s * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
            delay_s *= 2

    async def _once(
        self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **options: P.kwargs
    ) -> tuple[T, float]:
        def timed() -> tuple[T, float]:
            began_s = time.perf_counter()
            result = self._run(work, *args, **options)
            return result, (time.perf_counter() - began_s) * 1000

        limit_s = self._opening_timeout_s if self._connection is None else self._timeout_s
        try:
            async with asyncio.timeout(limit_s):
                return await self._thread.run(timed)
        except TimeoutError as error:
            self._interrupt()
            raise StoreUnavailable(f"the database {self._path} did not answer within {limit_s:g} s") from error

    def _interrupt(self) -> None:
        """End the running statement, so that the thread is free for the next call."""
        if self._connection is not None:
            with suppress(sqlite3.ProgrammingError):  # closed by its thread a moment ago
                self._connection.interrupt()

    def _run(self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **options: P.kwargs) -> T:
        try:
            with in_words(self._path):
                return work(self._current(), *args, **options)
        except StoreUnavailable as error:
            if isinstance(error.__cause__, sqlite3.Error) and _code(error.__cause__) in _CLOSING:
                self._close()
            raise

    def _current(self) -> sqlite3.Connection:
        """Return a connection to the file that is at the path now: one that was moved away must not go on answering.

        Nor is another one made in its place: what was stored there would be lost when the first one is put back.
        """
        found = self._identity()
        if self._connection is None or self._file != found:
            self._close()
            if self._file is not None and found is None:
                raise StoreUnavailable(
                    f"there is no database {self._path} any more: put it back; a restart makes an empty one"
                )
            self._connection = self._connect(self._path)
            self._file = self._identity()
        return self._connection

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """Say in words what the world outside did to the database; a fault of ours stays what it is."""
    try:
        yield
    except sqlite3.Error as error:
        code = _code(error)
        if code not in _IN_WORDS:
            raise
        kind = _Busy if code in _BUSY else StoreUnavailable
        raise kind(f"the database {path} {_IN_WORDS[code]} ({error})") from error


def _code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF  # extended codes add a higher byte


def _rows(result: object) -> int:
    if isinstance(result, Page):
        return len(result.items)
    if isinstance(result, list | dict):
        return len(result)
    if isinstance(result, int):
        return int(result)
    return 0 if result is None else 1
