"""The two database files, opened for reading and never changed; items in Cosmos DB are asked for there.

It imports none of the code that writes them: when that is broken, this still tells.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from shlex import quote as shell_quote
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from watchdog.checks import cosmos
from watchdog.checks.finding import Claim, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ipc.settings import Settings

#: What marks our files (PRAGMA application_id); a test holds them together with those who write them.
STORE_ID: Final = 0x53417374
OUTBOX_ID: Final = 0x53416F62
#: A look at every page reads the whole file: 316 MB took 0.8 to 1.0 s from the cache. Beyond a few GB it ends here.
QUICK_CHECK_S: Final = 10.0
#: How many steps of SQLite's machine lie between two looks at the clock: 2.6 ms of that.
_STEPS: Final = 10_000
_BUSY_S: Final = 1.0
_MB: Final = 1024 * 1024


def check(settings: Settings) -> Iterator[Finding]:
    """Look at the store and at the outbox."""
    if settings.store.cosmos_endpoint:
        yield from cosmos.check(settings)
    else:
        yield file("database.store", settings.folders.store, STORE_ID)
    yield file("database.outbox", settings.folders.outbox, OUTBOX_ID)


def file(name: str, path: Path, application_id: int, limit_s: float = QUICK_CHECK_S) -> Finding:
    """Judge one file: ours, readable, and whole as far as could be read within ``limit_s``."""
    claim = Claim(name, "a file of ours that can be read and is not damaged")
    if not path.exists():
        return claim.ok(f"{path} is not there yet: a start makes it")
    try:
        with closing(_open(path)) as connection:
            until_s = time.monotonic() + limit_s
            connection.set_progress_handler(lambda: time.monotonic() > until_s, _STEPS)
            return _look(claim, path, connection, application_id)
    except sqlite3.Error as error:
        return _unreadable(claim, path, error, limit_s)


def newest_collected_utc(store: Path) -> float | None:
    """Return when the newest stored item was collected; None when there is none or nobody can say."""
    if not store.exists():
        return None
    try:
        with closing(_open(store)) as connection:
            (newest,) = connection.execute("SELECT max(newest_collected_utc) FROM sources").fetchone()
    except sqlite3.Error:
        return None
    return None if newest is None else float(newest)


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=_BUSY_S)


def _look(claim: Claim, path: Path, connection: sqlite3.Connection, application_id: int) -> Finding:
    (found_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    # A file that a process has made and not filled yet bears no mark.
    if found_id != application_id and not (found_id == 0 and tables == (0,)):
        mend = f"mv {shell_quote(str(path))} elsewhere, or choose another SENTIMENTAGENT_STATE_DIR"
        return claim.wrong(f"{path} is a database of another program", mend)
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        return _damaged(claim, path, str(verdict))
    return claim.ok(f"{path}, {path.stat().st_size / _MB:.1f} MB, schema {version}, quick_check ok")


def _unreadable(claim: Claim, path: Path, error: sqlite3.Error, limit_s: float) -> Finding:
    where = shell_quote(str(path))
    match getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF:  # extended codes add a higher byte
        case sqlite3.SQLITE_INTERRUPT:
            why = f"{path}, {path.stat().st_size / _MB:.1f} MB, was not read to its end within {limit_s:g} s"
            return claim.not_checked(why, f"sqlite3 -readonly {where} 'PRAGMA quick_check'")
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return claim.not_checked(f"{path} is locked by another process", "run this again")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return _damaged(claim, path, str(error))
        case _:
            return claim.wrong(f"{path}: {error}", f"ls -l {where}*; run this as the user that the system runs as")


def _damaged(claim: Claim, path: Path, words: str) -> Finding:
    mend = (
        f"stop everything, move {shell_quote(str(path))} and what begins with its name away, and put a backup in their"
        " place; without one, a start makes a new file"
    )
    return claim.wrong(f"{path} is damaged: {words}", mend)
