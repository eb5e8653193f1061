"""The commands around the store, as an operator types them, over SQLite and a stand-in for Cosmos DB."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import structlog
from click.testing import CliRunner
from fakes.cosmos.server import FakeCosmos
from fakes.stored import TEN_O_CLOCK, item, scored, set_aside

from agent.store.choose import open_reader, open_writer
from agent.store_command import store
from ipc.environment import load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

    from ipc.settings import Settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the home of a copy that has a state folder and nothing in it."""
    monkeypatch.setenv("SENTIMENTAGENT_HOME", str(tmp_path))
    (tmp_path / "state").mkdir()
    return tmp_path


@pytest.fixture(autouse=True)
def _own_logs() -> Iterator[None]:
    """Undo what a command does to the logs of its process, which is the test's here."""
    yield
    structlog.reset_defaults()


def run(*arguments: str) -> Result:
    """Type a command."""
    return CliRunner().invoke(store, arguments)


def fill(settings: Settings, count: int = 250) -> None:
    """Store posts of three subreddits and days, one of them set aside."""
    posts = [
        scored(
            item(
                f"t3_{number}",
                subreddit=("aws", "Cursor", "OpenAI")[number % 3],
                created_utc=TEN_O_CLOCK - number * 900,
                author=f"author{number % 5}",
            ),
            ("positive", "neutral", "negative")[number % 3],
        )
        for number in range(count)
    ]

    async def write() -> None:
        async with open_writer(settings) as writer:
            await writer.write(posts, [set_aside()], [])

    asyncio.run(write())


@contextmanager
def cosmos(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCosmos]:
    """Run an account in a thread of its own, so that commands may run their own loops, and point the settings at it."""
    loop, service = asyncio.new_event_loop(), FakeCosmos()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(service.__aenter__(), loop).result(10)
        monkeypatch.setenv("COSMOS_ENDPOINT", service.url)
        monkeypatch.setenv("COSMOS_KEY", service.key)
        yield service
    finally:
        asyncio.run_coroutine_threadsafe(service.__aexit__(None, None, None), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def sqlite_settings() -> Settings:
    """Return the settings without Cosmos DB."""
    settings = load()
    assert not settings.store.cosmos_endpoint
    return settings


def test_init_says_that_sqlite_needs_nothing(home: Path) -> None:
    """And makes nothing."""
    done = run("init")
    assert (done.exit_code, done.stdout.startswith("SQLite needs nothing made")) == (0, True)
    assert not list((home / "state").iterdir())


@pytest.mark.usefixtures("home")
def test_init_makes_cosmos_ready_once_and_a_dry_run_makes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan is the same text, and done twice there is nothing to do."""
    with cosmos(monkeypatch):
        planned = run("init", "--dry-run")
        assert planned.exit_code == 0, planned.output
        assert "create the container items" in planned.stdout
        assert run("init", "--dry-run").stdout == planned.stdout
        assert run("init").stdout == planned.stdout
        assert run("init").stdout == "Nothing to do: the database is as it must be.\n"


def test_a_backup_is_checked_and_never_replaces_a_file_unasked(home: Path) -> None:
    """A whole copy that opens by itself."""
    fill(sqlite_settings())
    copy = home / "copy.db"
    done = run("backup", str(copy), "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["items"] == 250
    with sqlite3.connect(copy) as connection:
        assert connection.execute("SELECT count(*) FROM items").fetchone() == (250,)
    connection.close()
    again = run("backup", str(copy))
    assert (again.exit_code, "is there already" in again.stderr) == (78, True)
    assert run("backup", str(copy), "--overwrite").exit_code == 0


def test_verify_tells_a_roll_up_that_is_wrong(home: Path) -> None:
    """Exit status 0 when sound, 1 when not, with both figures."""
    fill(sqlite_settings())
    assert run("verify").stdout.endswith("sound\n")
    with sqlite3.connect(home / "state" / "sentiment.db") as connection:
        connection.execute(
            "UPDATE subreddit_hours SET positive = positive + 1 WHERE subreddit = 'aws' AND hour_utc = ?",
            (TEN_O_CLOCK,),
        )
    connection.close()
    found = run("verify")
    assert found.exit_code == 1
    assert f"positive of r/aws in the hour {TEN_O_CLOCK}: stored" in found.stdout
    assert "NOT SOUND: 1 differences" in found.stdout


def test_without_a_database_the_commands_say_so(home: Path) -> None:
    """A sentence and exit status 1, no traceback."""
    for arguments in (("verify",), ("backup", str(home / "copy.db"))):
        done = run(*arguments)
        assert (done.exit_code, "there is no database" in done.stderr) == (1, True), done.output


@pytest.mark.usefixtures("home")
def test_forget_empties_an_authors_items_and_keeps_the_count() -> None:
    """Whatever the case of the name."""
    settings = sqlite_settings()
    fill(settings)
    done = run("forget", "--author", "AUTHOR1", "--json")
    assert json.loads(done.stdout) == {"forgotten": 50}

    async def look() -> tuple[int, bool]:
        async with open_reader(settings) as reader:
            totals = await reader.totals(None, 0, TEN_O_CLOCK + 1)
            return totals.total, await reader.item("t3_1") is None

    assert asyncio.run(look()) == (250, True)
    assert json.loads(run("forget", "--author", "author1", "--json").stdout) == {"forgotten": 0}


def test_everything_moves_to_cosmos_and_back_and_both_sides_count_the_same(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hour without its items moves too; a second run finds nothing new; what is verified there is sound."""
    fill(sqlite_settings())
    with sqlite3.connect(home / "state" / "sentiment.db") as connection:
        connection.execute("INSERT INTO subreddit_hours VALUES ('aws', ?, 1, 2, 3, 0.5)", (TEN_O_CLOCK - 900 * 3600,))
        connection.execute("INSERT INTO hours VALUES (?, 1, 2, 3, 0.5)", (TEN_O_CLOCK - 900 * 3600,))
    connection.close()
    monkeypatch.setenv("DATA_RETENTION_DAYS", "9000")
    with cosmos(monkeypatch):
        assert run("init").exit_code == 0
        done = run("migrate", "--from", "sqlite", "--to", "cosmos", "--json")
        assert done.exit_code == 0, done.output
        told = json.loads(done.stdout)
        assert (told["read"], told["new"], told["hours_adopted"], told["hours_short"]) == (250, 250, 1, 0)
        assert (told["items_before"], told["items_after"], told["set_aside"]) == (250, 250, 1)
        again = json.loads(run("migrate", "--from", "sqlite", "--to", "cosmos", "--json").stdout)
        assert (again["read"], again["new"], again["hours_adopted"]) == (250, 0, 0)
        (home / "state" / "sentiment.db").rename(home / "old.db")
        back = run("migrate", "--from", "cosmos", "--to", "sqlite")
        assert back.exit_code == 0, back.output
        assert back.stdout.endswith("whole\n")
    monkeypatch.delenv("COSMOS_ENDPOINT")
    monkeypatch.delenv("COSMOS_KEY")
    assert run("verify").stdout.endswith("sound\n")


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--from", "sqlite", "--to", "sqlite"), 1, "the same"),
        (("--from", "sqlite", "--to", "cosmos"), 78, "COSMOS_ENDPOINT is not set"),
    ],
)
def test_a_migration_that_makes_no_sense_is_refused(arguments: tuple[str, ...], status: int, words: str) -> None:
    """In a sentence."""
    done = run("migrate", *arguments)
    assert (done.exit_code, words in done.stderr) == (status, True)
