"""What becomes of an SQLite file that can't be used: how soon and in which words it is told, and that it recovers.

Each of these goes on by itself once the cause is gone: with the same reader and the same writer.
"""
# ruff: noqa: ASYNC220 - a test that waits for a process has nothing else to do meanwhile

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog
from fakes.limits import nobody, owner
from fakes.stored import item, scored

from agent.store import sqlite_changes, sqlite_writer
from agent.store.query_log import QueryLog
from agent.store.sqlite_connection import SqliteConnection
from agent.store.sqlite_reader import SqliteReader
from agent.store.sqlite_upkeep import verify
from agent.store.sqlite_writer import SqliteWriter, connect_to_write
from ipc.errors import SettingsError, StoreUnavailable
from ipc.settings import StoreSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.records import Scored

#: One try: a test of a lock takes the second that SQLite itself waits, and no more.
SETTINGS = StoreSettings(db_retry_max_attempts=1, db_retry_base_delay=0.01)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the database will be."""
    return tmp_path / "sentiment.db"


async def test_a_full_disk_is_told_at_once_and_the_same_batch_goes_in_when_there_is_room(path: Path) -> None:
    """SQLite's own limit of pages stands for the disk: nothing of the batch stays, and no restart is needed."""
    pages = 60

    def connect(file: Path) -> sqlite3.Connection:
        connection = connect_to_write(file)
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    writer = SqliteConnection(path, connect, SETTINGS, QueryLog(1000), timeout_s=5)
    batch = [scored(item(f"t3_{n}", content="x" * 5000)) for n in range(100)]
    with _told_within(0.5), pytest.raises(StoreUnavailable, match="can't grow: the disk is full"):
        await writer.call("write", sqlite_changes.write, batch, [], [])
    async with SqliteReader(path, SETTINGS) as reader:
        assert (await reader.contents()).items == 0
        await writer.call("room", lambda held: held.execute("PRAGMA max_page_count = 100000").fetchone())
        assert await writer.call("write", sqlite_changes.write, batch, [], []) == 100
        assert (await reader.contents()).items == 100
    await writer.close()


async def test_a_read_only_file_is_told_at_once_and_written_again_when_it_may_be(short_path: Path) -> None:
    """Also when a reader has made the log beside it meanwhile, which is as read-only as the file was then."""
    path = short_path / "sentiment.db"
    short_path.chmod(0o777)
    with nobody():
        async with SqliteWriter(path, SETTINGS) as writer, SqliteReader(path, SETTINGS) as reader:
            await writer.write([scored()], [], [])
            _take_up_anew(path, 0o444)
            with _told_within(0.5), pytest.raises(StoreUnavailable, match="can't be written: it is read-only"):
                await writer.write([scored(item("t3_b"))], [], [])
            assert (await reader.contents()).items == 1
            with _told_within(0.5), pytest.raises(StoreUnavailable, match="can't be written: it is read-only"):
                async with SqliteWriter(path, SETTINGS):
                    pass
            path.chmod(0o600)
            assert await writer.write([scored(item("t3_b"))], [], []) == 1
            assert (await reader.contents()).items == 2


async def test_a_read_only_folder_is_told_at_once_and_used_again_when_it_may_be(short_path: Path) -> None:
    """There can be no log beside the file then, which SQLite reports as not to be opened."""
    path = short_path / "sentiment.db"
    short_path.chmod(0o777)
    with nobody():
        async with SqliteWriter(path, SETTINGS) as before:
            await before.write([scored()], [], [])
        with owner():
            short_path.chmod(0o555)
        with _told_within(0.5), pytest.raises(StoreUnavailable, match=r"read-only|can't be opened"):
            async with SqliteWriter(path, SETTINGS) as writer:
                await writer.write([scored(item("t3_b"))], [], [])
        with owner():
            short_path.chmod(0o777)
        async with SqliteWriter(path, SETTINGS) as writer:
            assert await writer.write([scored(item("t3_b"))], [], []) == 1


async def test_a_writer_that_finds_another_in_its_way_is_told_and_goes_on_after_it(path: Path) -> None:
    """A transaction that another process leaves open is waited for, then told; readers do not notice."""
    async with SqliteWriter(path, SETTINGS) as writer, SqliteReader(path, SETTINGS) as reader:
        await writer.write([scored()], [], [])
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with _told_within(1.6), pytest.raises(StoreUnavailable, match="is locked by another process"):
                await writer.write([scored(item("t3_b"))], [], [])
            assert (await reader.contents()).items == 1
        assert await writer.write([scored(item("t3_b"))], [], []) == 1


async def test_two_writers_take_turns_and_count_everything_once(path: Path) -> None:
    """Two processes write the same items, ten at a time: each waits for the other, and all figures agree."""
    command = [sys.executable, "-m", "fakes.endless_writer", str(path)]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])}
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE, env=environ) for _ in range(2)]
    try:
        for writer in writers:
            assert writer.stdout is not None
            assert [writer.stdout.readline() for _ in range(30)][-1] == b"300\n"
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    found = verify(path)
    assert found.is_sound, found
    assert found.items >= 300


async def test_damage_is_found_at_the_start_told_with_what_to_do_and_never_written_over(path: Path) -> None:
    """The writer refuses to open it, however often it is tried, until a backup is in its place."""
    async with SqliteWriter(path, SETTINGS) as writer:
        await writer.write([scored(item(f"t3_{n}", content="x" * 500)) for n in range(2000)], [], [])
    backup = path.read_bytes()
    path.write_bytes(backup[: len(backup) // 2] + _noise(8192) + backup[len(backup) // 2 + 8192 :])
    damaged = path.read_bytes()
    for _ in range(2):
        with _told_within(0.5), pytest.raises(StoreUnavailable, match="is damaged .* put a backup in their place"):
            async with SqliteWriter(path, SETTINGS):
                pass
    assert path.read_bytes() == damaged
    path.write_bytes(backup)
    async with SqliteWriter(path, SETTINGS) as writer:
        assert await writer.write([scored(item("t3_1")), scored(item("t3_new"))], [], []) == 1


async def test_damage_under_way_stops_the_writer_until_it_is_restored(path: Path) -> None:
    """What SQLite meets while it writes is told, then found by the check at each try; the same writer recovers."""
    async with SqliteWriter(path, SETTINGS) as writer:
        for n in range(6):  # far more than SQLite holds in memory
            await writer.write(_batch(f"{n}_", content="x" * 3000), [], [])
    backup = path.read_bytes()
    async with SqliteWriter(path, SETTINGS) as writer:
        path.write_bytes(backup[:8192] + _noise(len(backup) - 8192))
        for _ in range(2):
            with _told_within(0.5), pytest.raises(StoreUnavailable, match="is damaged"):
                await writer.write(_batch("3_"), [], [])
        for file in path.parent.glob(f"{path.name}-*"):
            file.unlink()
        path.write_bytes(backup)
        assert await writer.write([*_batch("3_"), *_batch("new")], [], []) == 500
    assert verify(path).items == 3500


async def test_a_truncated_database_is_damaged(path: Path) -> None:
    """A copy that broke off half-way is not taken for a smaller database."""
    async with SqliteWriter(path, SETTINGS) as writer:
        await writer.write(_batch("a"), [], [])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreUnavailable, match="is damaged"):
        async with SqliteWriter(path, SETTINGS):
            pass
    assert path.read_bytes() == whole[: len(whole) // 2]


async def test_a_file_too_large_for_each_start_is_opened_unchecked_and_says_so(path: Path) -> None:
    """The start stays short; the log names what checks it instead."""
    async with SqliteWriter(path, SETTINGS) as writer:
        await writer.write([scored()], [], [])
    with structlog.testing.capture_logs() as events, closing(connect_to_write(path, check_limit_bytes=1)):
        pass
    assert [event["event"] for event in events] == [
        "Database not checked: it is too large for each start; sentimentagent store verify does it"
    ]


async def test_a_folder_that_is_not_there_is_told(path: Path) -> None:
    """A disk that is not mounted: the writer says so at each try, and finds it when it is there."""
    away = path.parent / "disk" / path.name
    with _told_within(0.5), pytest.raises(StoreUnavailable, match="can't be opened"):
        async with SqliteWriter(away, SETTINGS):
            pass
    away.parent.mkdir()
    async with SqliteWriter(away, SETTINGS) as writer:
        assert await writer.write([scored()], [], []) == 1


async def test_a_file_that_is_moved_away_is_told_and_none_is_made_in_its_place(path: Path) -> None:
    """Else what is acknowledged meanwhile would be lost when it is put back; put back, it is taken up at once."""
    away = path.with_name("away")
    async with SqliteWriter(path, SETTINGS) as writer, SqliteReader(path, SETTINGS) as reader:
        await writer.write([scored()], [], [])
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).rename(away.with_name(away.name + suffix))
        for _ in range(2):
            with _told_within(0.5), pytest.raises(StoreUnavailable, match="put it back"):
                await writer.write([scored(item("t3_b"))], [], [])
        assert not path.exists()
        for suffix in ("", "-wal", "-shm"):
            away.with_name(away.name + suffix).rename(path.with_name(path.name + suffix))
        assert await writer.write([scored(item("t3_b"))], [], []) == 1
        assert (await reader.contents()).items == 2


async def test_a_header_that_is_no_database_is_a_wrong_setting(path: Path) -> None:
    """Whose it was can't be said any more: it is left alone, and both ways out are named."""
    async with SqliteWriter(path, SETTINGS) as writer:
        await writer.write([scored()], [], [])
    path.write_bytes(_noise(4096) + path.read_bytes()[4096:])
    with pytest.raises(SettingsError, match="is left alone: restore it from a backup, move it away, or"):
        async with SqliteWriter(path, SETTINGS):
            pass


async def test_a_reader_that_holds_an_old_state_slows_no_write_and_the_log_is_cut_after_it(path: Path) -> None:
    """The log grows meanwhile, since nothing may be thrown away; it is tried again now and then, and told each time."""
    wal = path.with_name(f"{path.name}-wal")
    async with SqliteWriter(path, SETTINGS) as writer:
        await writer.write([scored()], [], [])
        with structlog.testing.capture_logs() as events, closing(sqlite3.connect(path, isolation_level=None)) as old:
            old.execute("BEGIN")
            assert old.execute("SELECT count(*) FROM items").fetchone() == (1,)
            while wal.stat().st_size < sqlite_writer.WAL_LIMIT_BYTES + 2 * sqlite_writer.WAL_STEP_BYTES:
                await writer.write(_batch(f"{wal.stat().st_size}_", content="x" * 5000), [], [])
            assert old.execute("SELECT count(*) FROM items").fetchone() == (1,)
        warnings = [event for event in events if event["event"] == "The write-ahead log stays long"]
        assert 1 <= len(warnings) <= 3
        assert warnings[0]["reason"] == "a reader holds an old state"
        tries = [event["duration_ms"] for event in events if event.get("name") == "checkpoint"]
        assert max(tries, default=0) < 2000
        stuck = wal.stat().st_size
        while wal.stat().st_size >= stuck:
            await writer.write(_batch(f"after{wal.stat().st_size}_", content="x" * 5000), [], [])
            assert wal.stat().st_size < stuck + 2 * sqlite_writer.WAL_STEP_BYTES
        assert writer.gauges() == {"store_wal_bytes": float(wal.stat().st_size)}


@contextmanager
def _told_within(limit_s: float) -> Iterator[None]:
    """See that a fault does not take its time."""
    began_s = time.monotonic()
    yield
    assert time.monotonic() - began_s < limit_s


def _take_up_anew(path: Path, mode: int) -> None:
    """Put a copy in the place of the file, as a restored backup is: who has it open opens the new one."""
    copy = path.with_name("copy")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    for file in path.parent.glob(f"{path.name}-*"):
        file.unlink()
    copy.chmod(mode)
    copy.replace(path)


def _noise(size: int) -> bytes:
    return random.Random(7).randbytes(size)  # noqa: S311 - the same every time, and no secret


def _batch(prefix: str, content: str = "A text") -> list[Scored]:
    return [scored(item(f"t3_{prefix}{n}", content=content)) for n in range(500)]
