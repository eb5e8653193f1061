"""The life of an SQLite file over the years: migration, retention, forgetting, backup, verification."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest
import structlog
from fakes.limits import files_of_at_most
from fakes.stored import TEN_O_CLOCK, cycle, item, scored, set_aside
from msgspec.structs import replace

from agent.records import Asked, Order
from agent.retention import created_from_utc, retain_every_hour
from agent.store import sqlite_pages, sqlite_queries, sqlite_removal, sqlite_schema, sqlite_windows, sqlite_writer
from agent.store.sqlite_reader import SqliteReader, connect_to_read
from agent.store.sqlite_upkeep import backup, verify
from agent.store.sqlite_writer import SqliteWriter
from ipc.errors import SettingsError, StoreUnavailable
from ipc.settings import StoreSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.records import Scored

HOUR = 3600
SETTINGS = StoreSettings(db_retry_max_attempts=1, db_retry_base_delay=0.01)
#: Made by the first version of the store: 40 items, one that was set aside, two cycles.
VERSION_1 = Path(__file__).parents[1] / "golden" / "sentiment_v1.db"
#: Made by the second: the same number, of which later looks have changed 29 and found four of them deleted.
VERSION_2 = Path(__file__).parents[1] / "golden" / "sentiment_v2.db"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the database will be."""
    return tmp_path / "sentiment.db"


async def test_a_database_of_version_1_is_migrated_with_all_that_is_in_it(path: Path, tmp_path: Path) -> None:
    """A reader waits for it in words; afterwards it is like a new one, and every figure is what it was."""
    shutil.copy(VERSION_1, path)
    async with SqliteReader(path, SETTINGS) as reader:
        with pytest.raises(StoreUnavailable, match="of an older version: the analyzer renews it"):
            await reader.contents()
        async with SqliteWriter(path, SETTINGS), SqliteWriter(tmp_path / "new.db", SETTINGS):
            assert _schema(path) == _schema(tmp_path / "new.db")
        contents = await reader.contents()
        assert (contents.items, contents.set_aside, contents.sources) == (40, 1, ("reddit", "sample"))
        totals = await reader.totals(None, 0, TEN_O_CLOCK + 100 * HOUR)
        assert (totals.total, totals.positive, totals.neutral, totals.negative) == (40, 18, 11, 11)
        kept = await reader.scan(None, 100)
        assert [one.checked_utc for one in kept] == [one.scored.item.collected_utc for one in kept]
        assert len(await reader.recent(None, 0, 100, "all")) == 40
        assert len(await reader.due(TEN_O_CLOCK * 2, 100)) == 37  # with the one that was set aside
    assert verify(path).is_sound


async def test_a_database_of_version_2_is_migrated_with_all_that_is_in_it(path: Path, tmp_path: Path) -> None:
    """It is like a new one: lists in every order and how fresh each subreddit is are told of its old items too."""
    shutil.copy(VERSION_2, path)
    async with SqliteWriter(path, SETTINGS), SqliteWriter(tmp_path / "new.db", SETTINGS):
        assert _schema(path) == _schema(tmp_path / "new.db")
    async with SqliteReader(path, SETTINGS) as reader:
        everything = Asked(since_utc=0, until_utc=TEN_O_CLOCK * 2, kind="all")
        for order in get_args(Order):
            assert len((await reader.page(replace(everything, order=order), None, 100)).items) == 36
        most = (await reader.page(replace(everything, order="discussed"), None, 3)).items
        assert [one.item.comment_count for one in most] == [29, 27, 26]
        last = [
            (one.subreddit, one.items, (one.newest_created_utc or 0) - TEN_O_CLOCK) for one in await reader.latest()
        ]
        assert last == [("aws", 10, 37 * 1800), ("Cursor", 20, 38 * 1800), ("OpenAI", 10, 39 * 1800)]
    assert verify(path).is_sound


async def test_a_migration_that_fails_leaves_version_1_as_it_was(path: Path) -> None:
    """All statements of all steps are one transaction: the last one failing undoes the first."""
    shutil.copy(VERSION_1, path)
    before = _schema(path)
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as connection,
        pytest.raises(sqlite3.OperationalError, match="NONSENSE"),
        sqlite_schema.transaction(connection),
    ):
        for statement in (*sqlite_schema.MIGRATIONS[1], "CREATE NONSENSE"):
            connection.execute(statement)
    assert _schema(path) == before
    async with SqliteWriter(path, SETTINGS) as writer:
        assert await writer.write([scored(item("t3_new"))], [], []) == 1


async def test_retention_goes_in_steps_between_which_others_write(path: Path) -> None:
    """A write that comes in the midst of it does not wait for its end; sources and set-aside items follow."""
    rows = sqlite_removal.RETAIN_ROWS * 3 + 10
    async with SqliteWriter(path, SETTINGS) as writer, SqliteReader(path, SETTINGS) as reader:
        old = [scored(item(f"t3_{n}", source="sample", created_utc=TEN_O_CLOCK - 1 - n)) for n in range(rows)]
        await writer.write([*old, scored(item("t3_a"))], [set_aside(item("t3_x", created_utc=1))], [])
        retaining = asyncio.create_task(writer.retain(TEN_O_CLOCK))
        await asyncio.sleep(0)  # its first step is in the queue now
        assert await writer.write([scored(item("t3_b"))], [], []) == 1
        assert not retaining.done()
        assert (await reader.contents()).items > 2
        assert await retaining == rows + 1
        contents = await reader.contents()
        assert (contents.items, contents.set_aside, contents.sources) == (2, 0, ("reddit",))
        assert (await reader.totals(None, 0, TEN_O_CLOCK + HOUR)).total == rows + 2
    assert verify(path).is_sound


async def test_what_came_a_moment_ago_is_not_removed_however_old_it_is(path: Path) -> None:
    """An archive of years ago: a batch that is sent again must be recognised, or it would be counted twice."""
    now_utc = TEN_O_CLOCK
    batch = [scored(item(f"t3_{n}", created_utc=1000 + n % 3, collected_utc=now_utc)) for n in range(5000)]
    async with SqliteWriter(path, SETTINGS, lambda: now_utc) as writer:
        await writer.write(batch, [], [])
        assert await writer.retain(TEN_O_CLOCK - HOUR) == 0
        assert await writer.write(batch, [], []) == 0
        now_utc += sqlite_writer.REPLAY_S + 1
        assert await writer.retain(TEN_O_CLOCK - HOUR) == 5000
    assert verify(path).is_sound


async def test_windows_older_than_retention_count_whole_hours(path: Path) -> None:
    """Of an hour that is cut nothing is known any more; the hours within the window are exact."""
    stored = [scored(item(f"t3_{n}", created_utc=TEN_O_CLOCK + n * 600)) for n in range(24)]
    async with SqliteWriter(path, SETTINGS) as writer, SqliteReader(path, SETTINGS) as reader:
        await writer.write(stored, [], [])
        await writer.retain(TEN_O_CLOCK + 3 * HOUR)
        assert (await reader.totals(None, TEN_O_CLOCK, TEN_O_CLOCK + 4 * HOUR)).total == 24
        assert (await reader.totals(None, TEN_O_CLOCK + 1, TEN_O_CLOCK + 4 * HOUR)).total == 18
        assert (await reader.totals(None, TEN_O_CLOCK + 3 * HOUR + 1, TEN_O_CLOCK + 4 * HOUR)).total == 5


def test_whole_hours_leave() -> None:
    """What is kept begins with an hour, so that no hour is kept in part."""
    assert created_from_utc(1, TEN_O_CLOCK + 86_400 + 1799) == TEN_O_CLOCK
    assert created_from_utc(1, TEN_O_CLOCK + 86_400) == TEN_O_CLOCK


async def test_retention_that_finds_the_store_away_is_put_off(path: Path) -> None:
    """It ends no process: it goes on with the next hour."""
    async with SqliteWriter(path, SETTINGS) as writer:
        await writer.write([scored(item("t3_old"))], [], [])
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with structlog.testing.capture_logs() as events:
                task = asyncio.create_task(retain_every_hour(writer, 1))
                async with asyncio.timeout(5):
                    while not any(event["event"].startswith("Retention") for event in events):
                        await asyncio.sleep(0.01)
        assert events[-1]["event"] == "Retention put off: the store is away"
        assert not task.done()
        task.cancel()


async def test_what_was_set_aside_is_emptied_with_its_item_and_with_its_author(path: Path) -> None:
    """An edit that broke the model may hold the text of what is deleted later; the error may quote it."""
    broken = item("t3_a", content="private")
    theirs = item("t3_b", content="private too", author="SomeOne")
    async with SqliteWriter(path, SETTINGS) as writer:
        aside = [replace(set_aside(one), error=f"ValueError: {one.content}") for one in (broken, theirs)]
        await writer.write([scored(item("t3_a"))], aside, [])
        gone = replace(broken, is_deleted=True, collected_utc=broken.collected_utc + 1)
        await writer.write([scored(gone)], [], [])
        assert await writer.forget("someone") == 0
        await writer.write([], aside, [])
    with closing(connect_to_read(path)) as connection:
        rows = connection.execute("SELECT name, error, item FROM set_aside ORDER BY name").fetchall()
    assert [row[:2] for row in rows] == [("t3_a", "ValueError"), ("t3_b", "ValueError")]
    assert not [row for row in rows if "private" in row[2] or "SomeOne" in row[2]]
    assert verify(path).is_sound


@pytest.mark.parametrize("how", ["deletion", "forget", "retention", "edit"])
async def test_what_is_gone_is_gone_from_the_file(path: Path, how: str) -> None:
    """Not only from the answers: no byte of the text is left, nor of the author, once the log is cut."""
    text = "a text that nobody shall find " * 400
    theirs = item("t3_a", content=text, author="nobody_shall_find_me")
    async with SqliteWriter(path, SETTINGS) as writer:
        await writer.write([scored(theirs), *_many("b")], [], [])
        later = replace(theirs, collected_utc=theirs.collected_utc + 1, author="[deleted]")
        if how == "deletion":
            await writer.write([scored(replace(later, is_deleted=True))], [], [])
        elif how == "forget":
            assert await writer.forget("Nobody_shall_find_me") == 1
        elif how == "retention":
            assert await writer.retain(TEN_O_CLOCK + HOUR) == 301
        else:
            await writer.write([scored(replace(later, content="Edited"))], [], [])
    for file in path.parent.iterdir():
        assert b"nobody shall find" not in file.read_bytes()
        assert b"nobody_shall_find_me" not in file.read_bytes()


async def test_forgetting_looks_through_all_rows_in_steps(path: Path) -> None:
    """Also where the first rows are gone, and where a step finds nothing."""
    rows = sqlite_removal.FORGET_ROWS + 10
    async with SqliteWriter(path, SETTINGS) as writer:
        stored = [scored(item(f"t3_{n}", author="me" if n % 7000 == 5 else "you")) for n in range(rows)]
        await writer.write([replace(stored[0], item=item("t3_old", created_utc=5, author="me")), *stored], [], [])
        await writer.retain(10)
        assert await writer.forget("ME") == 3
        assert await writer.forget("ME") == 0


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda held: sqlite_queries.recent(held, None, 0, 50, "all"), "items_by_time (kind=? AND is_deleted=?"),
        (
            lambda held: sqlite_queries.recent(held, "aws", 0, 50, "post"),
            "items_by_subreddit (subreddit=? AND kind=? AND",
        ),
        (
            lambda held: sqlite_windows.totals(held, None, 1, 9),
            "items_by_time (kind=? AND is_deleted=? AND created_utc>?",
        ),
        (
            lambda held: sqlite_windows.totals(held, "aws", 1, 9),
            "items_by_subreddit (subreddit=? AND kind=? AND is_del",
        ),
        (lambda held: sqlite_queries.due(held, 5, 50), "items_due (<expr><?)"),
        (lambda held: sqlite_queries.hours(held, None, 50), "PRIMARY KEY"),
        (lambda held: sqlite_queries.scan(held, "7", 50), "INTEGER PRIMARY KEY (rowid>?)"),
        (
            lambda held: sqlite_removal.retain_step(held, ("post", 0), sqlite_removal.FIRST, 5, 5),
            "items_by_time (kind=? AND is_deleted=? AND created_utc",
        ),
    ],
    ids=["recent", "recent of one", "totals", "totals of one", "due", "hours", "scan", "retain"],
)
async def test_questions_cost_the_same_whatever_the_size(
    path: Path, ask: Callable[[sqlite3.Connection], Any], index: str
) -> None:
    """Each finds its rows by an index and sorts none of the table."""
    async with SqliteWriter(path, SETTINGS) as writer:
        await writer.write([scored()], [], [])
    statements: list[str] = []
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.set_trace_callback(statements.append)
        ask(connection)
        connection.set_trace_callback(None)
        selected = next(statement for statement in statements if statement.lstrip().startswith("SELECT"))
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {selected}")]
    assert [step for step in plan if index in step], plan
    assert not [step for step in plan if step.startswith("SCAN items") and "INDEX" not in step], plan


@pytest.mark.parametrize("order", ["positive", "negative", "discussed"])
async def test_a_page_of_very_many_sorts_none_of_them(path: Path, order: Order) -> None:
    """It is read from the index of each week, from its place on: neither a row before it nor one beyond its end."""
    async with SqliteWriter(path, SETTINGS) as writer:
        stored = [scored(item(f"t3_{n}", created_utc=TEN_O_CLOCK + n)) for n in range(sqlite_pages.FEW + 10)]
        await writer.write(stored, [], [])
    asked = Asked(since_utc=0, until_utc=TEN_O_CLOCK * 2, order=order, subreddit="cursor", sentiment="positive")
    statements: list[str] = []
    with closing(connect_to_read(path)) as connection:
        first = sqlite_pages.page(connection, asked, None, 50)
        connection.set_trace_callback(statements.append)
        assert len(sqlite_pages.page(connection, asked, first.next, 50).items) == 50
        connection.set_trace_callback(None)
        (selected,) = [statement for statement in statements if "INDEXED BY" in statement and "ORDER BY" in statement]
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {selected}")]
    assert "created_utc)" in plan[0], "the place is where the search begins"
    assert plan[1:] == ["USE TEMP B-TREE FOR RIGHT PART OF ORDER BY"], "of equals, by name"


async def test_a_backup_is_whole_while_the_writer_goes_on(path: Path, tmp_path: Path) -> None:
    """It holds one state, all roll-ups as its rows say, in one file by itself that a writer takes up."""
    copy = tmp_path / "backup.db"
    progress: list[tuple[int, int]] = []
    async with SqliteWriter(path, SETTINGS) as writer:
        await writer.write(_many("a"), [set_aside()], [cycle()])
        backing_up = asyncio.create_task(
            asyncio.to_thread(backup, path, copy, on_progress=lambda *pages: progress.append(pages))
        )
        written = 0
        while not backing_up.done():
            written += await writer.write(_many(f"b{written}_"), [], [])
        result = await backing_up
    assert len(_many("a")) <= result.items <= len(_many("a")) + written
    assert result.size_bytes == copy.stat().st_size
    assert progress[-1][0] == progress[-1][1] > 0
    assert sorted(one.name for one in tmp_path.glob("*backup*")) == ["backup.db"]
    assert copy.stat().st_mode & 0o777 == 0o600
    verification = verify(copy)
    assert verification.is_sound
    assert verification.items == result.items
    async with SqliteWriter(copy, SETTINGS) as restored:
        assert await restored.write([*_many("a"), scored(item("t3_new"))], [], []) == 1


async def test_a_backup_overwrites_nothing_unless_it_is_told_to(path: Path, tmp_path: Path) -> None:
    """Neither an older backup nor, whatever it is told, the database itself."""
    copy = tmp_path / "backup.db"
    copy.write_text("an older one")
    async with SqliteWriter(path, SETTINGS) as writer:
        await writer.write([scored()], [], [])
        with pytest.raises(SettingsError, match="is there already, and is left as it is"):
            backup(path, copy)
        assert copy.read_text() == "an older one"
        with pytest.raises(SettingsError, match="is there already"):
            backup(path, path, overwrite=True)
        assert backup(path, copy, overwrite=True).items == 1
        with pytest.raises(SettingsError, match="no folder"):
            backup(path, tmp_path / "nowhere" / "backup.db")
    assert verify(copy).is_sound


async def test_a_backup_that_can_not_be_written_leaves_nothing_behind(path: Path, tmp_path: Path) -> None:
    """A full disk is told in words, and half a file is none."""
    async with SqliteWriter(path, SETTINGS) as writer:
        await writer.write(_many("a"), [], [])
    with files_of_at_most(100_000), pytest.raises(StoreUnavailable, match=r"partial .*disk"):
        backup(path, tmp_path / "backup.db")
    assert [one for one in tmp_path.iterdir() if "backup" in one.name] == []


async def test_a_backup_of_a_damaged_database_is_refused(path: Path, tmp_path: Path) -> None:
    """A copy that is not whole never gets the name of a backup."""
    async with SqliteWriter(path, SETTINGS) as writer:
        await writer.write(_many("a"), [], [])
    damage(path)
    with pytest.raises(StoreUnavailable, match="is damaged"):
        backup(path, tmp_path / "backup.db")
    assert [one for one in tmp_path.iterdir() if "backup" in one.name] == []
    assert verify(path).damages


@pytest.mark.parametrize(
    ("tamper", "what", "stored", "counted"),
    [
        ("UPDATE subreddit_hours SET positive = 7", "positive of r/Cursor in the hour 1760522400", 7, 1),
        ("DELETE FROM subreddit_hours", "positive of r/Cursor in the hour 1760522400", 0, 1),
        ("UPDATE hours SET negative = 2", "negative of all subreddits in the hour 1760522400", 2, 0),
        ("UPDATE hours SET compound_sum = 3", "sum of compounds of all subreddits in the hour 1760522400", 3, 0.75),
        ("UPDATE sources SET items = 5", "items of the source reddit", 5, 1),
        ("INSERT INTO sources VALUES ('sample', 3, 0)", "items of the source sample", 3, 0),
        ("UPDATE subreddits SET items = 5", "items of r/Cursor", 5, 1),
        ("DELETE FROM counters WHERE name = 'set_aside'", "the counter set_aside", 0, 1),
        ("DELETE FROM cycles", "the counter cycles_failed", 1, 0),
    ],
)
async def test_a_figure_that_is_not_what_the_rows_say_is_told(
    path: Path, tamper: str, what: str, stored: float, counted: float
) -> None:
    """With what is stored and what was counted; the rest is as it should be."""
    async with SqliteWriter(path, SETTINGS) as writer:
        await writer.write([scored()], [set_aside()], [cycle(failed=True)])
    assert verify(path).is_sound
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(tamper)
    found = verify(path)
    assert (what, stored) in [(one.what, one.stored) for one in found.differences]
    assert [one.counted for one in found.differences if one.what == what] == [pytest.approx(counted)]
    assert not found.is_sound


async def test_hours_older_than_the_items_are_told_as_not_verifiable(path: Path) -> None:
    """They are no differences; what comes after them is held to its rows."""
    async with SqliteWriter(path, SETTINGS) as writer:
        await writer.write([scored(item(f"t3_{n}", created_utc=TEN_O_CLOCK + n * 1200)) for n in range(12)], [], [])
        await writer.retain(TEN_O_CLOCK + HOUR + 60)
    found = verify(path)
    assert (found.differences, found.items, found.hours, found.hours_not_verifiable) == ((), 8, 2, 2)


async def test_many_differences_are_counted_and_some_told(path: Path) -> None:
    """What is told is bounded."""
    async with SqliteWriter(path, SETTINGS) as writer:
        await writer.write([scored(item(f"t3_{n}", created_utc=TEN_O_CLOCK + n * HOUR)) for n in range(200)], [], [])
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE subreddit_hours SET positive = 7, neutral = 7, negative = 7")
    found = verify(path)
    assert (len(found.differences), found.difference_count) == (100, 600)


def damage(path: Path) -> None:
    """Write noise over a part of a file that no page header of the schema is in."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(random.Random(7).randbytes(size // 4))  # noqa: S311 - the same every time, and no secret


def _many(prefix: str) -> list[Scored]:
    return [scored(item(f"t3_{prefix}{n}", content="x" * 1000)) for n in range(300)]


def _schema(path: Path) -> tuple[int, list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        return version, sorted(
            connection.execute("SELECT type, name, ifnull(sql, '') FROM sqlite_schema"), key=lambda row: row[:2]
        )
