"""What SQLite's own files can suffer: a killed writer, a strange file, a lock, damage, a full disk, a replaced file."""
# ruff: noqa: ASYNC220 - a test that waits for a process has nothing else to do meanwhile

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog
from fakes.limits import files_of_at_most
from fakes.stored import TEN_O_CLOCK, cycle, item, scored, set_aside

from agent.store import sqlite_schema, sqlite_writer
from agent.store.choose import open_reader, open_writer
from agent.store.query_log import QueryLog
from agent.store.sqlite_connection import SqliteConnection
from agent.store.sqlite_reader import SqliteReader, connect_to_read
from agent.store.sqlite_writer import SqliteWriter
from ipc.environment import load
from ipc.errors import SettingsError, StoreUnavailable
from ipc.settings import StoreSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

#: One try: a test of a lock takes the second that SQLite itself waits, and no more.
SETTINGS = StoreSettings(db_retry_max_attempts=1, db_retry_base_delay=0.01)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the database will be."""
    return tmp_path / "sentiment.db"


@pytest.fixture
async def reader(path: Path) -> AsyncIterator[SqliteReader]:
    """Return a reader of a database that is not there yet."""
    async with SqliteReader(path, SETTINGS) as opened:
        yield opened


async def _write(path: Path, *names: str) -> None:
    async with SqliteWriter(path, SETTINGS) as writer:
        await writer.write([scored(item(name)) for name in names], [], [])


async def test_what_was_written_survives_a_killed_writer(path: Path, reader: SqliteReader) -> None:
    """SIGKILL in the midst of writing: every batch that was told as written is there, whole, and roll-ups agree."""
    with subprocess.Popen(
        [sys.executable, "-m", "fakes.endless_writer", str(path)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
    ) as writer:
        assert writer.stdout is not None
        told = [int(writer.stdout.readline()) for _ in range(20)]
        writer.kill()
        told += [int(line) for line in writer.stdout.read().splitlines()[:-1]]
    contents = await reader.contents()
    assert contents.items >= told[-1]
    assert contents.items % 10 == 0
    assert (await reader.totals(None, TEN_O_CLOCK, TEN_O_CLOCK + 3600)).total == contents.items
    assert len(await reader.recent(None, 0, 100_000)) == contents.items
    async with SqliteWriter(path, SETTINGS) as after:
        assert await after.write([scored(item("t3_1_0")), scored(item("t3_new"))], [], []) == 1


async def test_a_missing_database_is_told_never_made_and_found_when_it_appears(
    path: Path, reader: SqliteReader
) -> None:
    """The reader starts before the writer: it says so, makes nothing, and needs no restart."""
    with pytest.raises(StoreUnavailable, match=r"no database at .* yet: the analyzer makes it"):
        await reader.contents()
    assert list(path.parent.iterdir()) == []
    await _write(path, "t3_a")
    assert (await reader.contents()).items == 1


async def test_a_replaced_database_is_noticed(path: Path, reader: SqliteReader) -> None:
    """An open file that was moved away does not go on answering: the one at the path now does."""
    await _write(path, "t3_a")
    assert (await reader.contents()).items == 1
    for file in path.parent.iterdir():
        file.rename(path.parent / f"old-{file.name}")
    with pytest.raises(StoreUnavailable, match="no database"):
        await reader.contents()
    await _write(path, "t3_b", "t3_c")
    assert (await reader.contents()).items == 2


async def test_another_file_is_another_state(path: Path, reader: SqliteReader) -> None:
    """What a connection says of itself begins anew with each file, and the token of it never comes again."""
    states = []
    for name in ("t3_a", "t3_b", "t3_c"):
        await _write(path, name)
        states.append(await reader.state())
        path.rename(path.with_name(f"{name}.db"))
    assert len(set(states)) == 3


async def test_a_reader_can_not_write(path: Path) -> None:
    """The connection that readers use refuses every change."""
    await _write(path, "t3_a")
    with closing(connect_to_read(path)) as connection, pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM items")


async def test_a_locked_database_is_tried_again_and_then_told(path: Path) -> None:
    """Another process holds the file: the call waits for it as the settings say, and recovers when it lets go."""
    await _write(path, "t3_a")
    patient = StoreSettings(db_retry_max_attempts=4, db_retry_base_delay=0.2)
    async with SqliteReader(path, SETTINGS) as reader, SqliteReader(path, patient) as patient_reader:
        with _exclusive(path):
            with pytest.raises(StoreUnavailable, match="is locked by another process"):
                await reader.contents()
            waiting = asyncio.create_task(patient_reader.contents())
            done, _ = await asyncio.wait({waiting}, timeout=1.2)
            assert not done, "the second try has begun by now"
        assert (await waiting).items == 1
        assert (await reader.contents()).items == 1


async def test_a_damaged_database_is_told_and_read_again_once_it_was_restored(path: Path, reader: SqliteReader) -> None:
    """Damage under an open reader is told in words; with the backup in place the same reader goes on."""
    await _write(path, *(f"t3_{n}" for n in range(500)))
    backup = path.read_bytes()
    path.write_bytes(backup[:4096] + os.urandom(len(backup) - 4096))
    with pytest.raises(StoreUnavailable, match="is damaged; restore it from a backup"):
        await reader.recent(None, 0, 500, "all")
    path.write_bytes(backup)
    assert len(await reader.recent(None, 0, 500, "all")) == 500


async def test_a_full_disk_keeps_nothing_of_the_batch_and_the_next_one_works(path: Path) -> None:
    """With no room for the batch nothing of it is stored; with room again it is, whole."""
    async with SqliteWriter(path, SETTINGS) as writer, SqliteReader(path, SETTINGS) as reader:
        await writer.write([scored(item("t3_a"))], [], [])
        batch = [scored(item(f"t3_{n}", content="x" * 5000)) for n in range(200)]
        with files_of_at_most(300_000), pytest.raises(StoreUnavailable, match=r"disk"):
            await writer.write(batch, [set_aside()], [cycle()])
        contents = await reader.contents()
        assert (contents.items, contents.set_aside) == (1, 0)
        assert (await reader.totals(None, 0, TEN_O_CLOCK + 1)).total == 1
        assert await writer.write(batch, [set_aside()], [cycle()]) == 200
        assert (await reader.totals(None, 0, TEN_O_CLOCK + 1)).total == 201


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_text("not a database at all, but somebody's notes\n" * 50), "not an SQLite database"),
        (lambda path: _make(path, "CREATE TABLE theirs (x)"), "a database of another program"),
        (lambda path: _make(path, "PRAGMA application_id = 7"), "a database of another program"),
        (lambda path: _make(path, "CREATE TABLE t (x)", "PRAGMA user_version = 1"), "a database of another program"),
        (
            lambda path: _make(
                path, f"PRAGMA application_id = {sqlite_schema.APPLICATION_ID}", "PRAGMA user_version = 99"
            ),
            r"newer version .*schema 99",
        ),
    ],
    ids=["notes", "tables", "mark", "version", "newer"],
)
async def test_a_file_that_is_not_ours_is_left_as_it_was(
    path: Path, reader: SqliteReader, make: object, words: str
) -> None:
    """The writer refuses it as a wrong setting, the reader says that there is no store; not a byte changes."""
    assert callable(make)
    make(path)
    before = path.read_bytes()
    with pytest.raises(SettingsError, match=words):
        async with SqliteWriter(path, SETTINGS):
            pass
    with pytest.raises(StoreUnavailable):
        await reader.contents()
    assert path.read_bytes() == before


async def test_an_empty_file_becomes_ours(path: Path) -> None:
    """What a failed first start may leave behind is no obstacle."""
    path.touch()
    await _write(path, "t3_a")
    with closing(connect_to_read(path)) as connection:
        assert sqlite_schema.stamp(connection) == sqlite_schema.Stamp(
            sqlite_schema.APPLICATION_ID, sqlite_schema.VERSION, is_empty=False
        )


async def test_a_migration_that_fails_leaves_the_version_before_it(path: Path) -> None:
    """All statements of all steps are one transaction."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError, match="NONSENSE"):
            _migrate(connection, *sqlite_schema.MIGRATIONS[0], "CREATE NONSENSE")
        assert sqlite_schema.stamp(connection).is_empty


async def test_the_write_ahead_log_stays_small(path: Path, reader: SqliteReader) -> None:
    """However much is written while a reader looks on, the log stays near its limit."""
    wal = path.with_name(f"{path.name}-wal")
    longest = 0
    async with SqliteWriter(path, SETTINGS) as writer:
        for n in range(60):
            await writer.write([scored(item(f"t3_{n}_{k}", content="x" * 10_000)) for k in range(100)], [], [])
            await reader.contents()
            longest = max(longest, wal.stat().st_size)
    assert longest <= sqlite_writer.WAL_LIMIT_BYTES + 2 * 1024 * 1024
    assert wal.stat().st_size == 0


async def test_a_query_that_takes_too_long_is_interrupted_and_the_next_one_runs(path: Path) -> None:
    """The thread is freed: a call after the late one is answered."""
    await _write(path, "t3_a")
    connection = SqliteConnection(path, connect_to_read, SETTINGS, QueryLog(1000), timeout_s=0.2)
    with pytest.raises(StoreUnavailable, match="did not answer within"):
        await connection.call("endless", _endless)
    assert await connection.call("one", lambda held: held.execute("SELECT 1").fetchone()) == (1,)
    await connection.close()


async def test_a_fault_of_ours_is_no_unavailable_store(path: Path) -> None:
    """A wrong query is not something to wait for: it stays what it is."""
    await _write(path, "t3_a")
    connection = SqliteConnection(path, connect_to_read, SETTINGS, QueryLog(1000), timeout_s=5)
    with pytest.raises(sqlite3.OperationalError, match="no such column"):
        await connection.call("wrong", lambda held: held.execute("SELECT nonsense").fetchone())
    await connection.close()


async def test_queries_are_logged_with_their_time_and_slow_ones_say_so(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An ordinary query is one line at INFO, a health poll one at DEBUG, anything above the limit a warning."""
    caplog.set_level(logging.DEBUG)
    await _write(path, "t3_a", "t3_b")
    with structlog.testing.capture_logs() as events:
        async with SqliteReader(path, SETTINGS) as reader:
            await reader.recent(None, 0, 10)
            await reader.contents()
        async with SqliteReader(path, StoreSettings(slow_query_ms=0)) as reader:
            await reader.contents()
    told = [(event["log_level"], event["event"], event["name"], event["rows"]) for event in events]
    assert told == [
        ("info", "Query", "recent", 2),
        ("debug", "Query", "contents", 1),
        ("warning", "Query slow", "contents", 1),
    ]
    assert all(event["duration_ms"] > 0 for event in events)


async def test_the_settings_choose_the_store(tmp_path: Path) -> None:
    """Both sides of what the settings ask for meet in the state folder."""
    settings = load({"SENTIMENTAGENT_HOME": str(tmp_path)})
    settings.folders.state.mkdir()
    async with open_writer(settings) as writer, open_reader(settings) as reader:
        await writer.write([scored()], [], [])
        assert (await reader.contents()).items == 1
        assert reader.engine == "sqlite"
    assert settings.folders.store.exists()


def _make(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def _migrate(connection: sqlite3.Connection, *statements: str) -> None:
    with sqlite_schema.transaction(connection):
        for statement in statements:
            connection.execute(statement)


def _endless(connection: sqlite3.Connection) -> object:
    return connection.execute(
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    ).fetchone()


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """Hold the database so that nobody else can read it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        yield
