"""Asking a copy of which some parts are there: real sockets, a real API, and whoever is missing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from fakes.processes import FakeWatchdog, process_report, status_report
from fakes.running_api import RunningApi, running_api
from fakes.stored import cycle, item, scored
from msgspec.structs import replace

from ipc.environment import load
from ipc.messages import PROCESSES, SubredditFailure
from watchdog import survey
from watchdog.status_command import status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from watchdog.survey import Survey


@pytest.fixture
async def watchdog(short_path: Path) -> AsyncIterator[FakeWatchdog]:
    """Return a watchdog that says that this process is the API."""
    run = short_path / "run"
    run.mkdir(mode=0o700)
    standing = FakeWatchdog()
    standing.report = status_report(process_report("api", pid=os.getpid()))
    async with standing.at(run / "watchdog.sock"):
        yield standing


@pytest.fixture
async def api(short_path: Path, watchdog: FakeWatchdog) -> AsyncIterator[RunningApi]:  # noqa: ARG001 - it asks for it
    """Return an API whose store holds a fresh post of one subreddit; another one could not be read."""
    async with running_api(short_path, MEMORY_WARNING_MB="1000", MEMORY_LIMIT_MB="2000") as running:
        failing = SubredditFailure(subreddit="aws", cause="forbidden", detail="private")
        await running.store(
            scored(item(created_utc=int(time.time()) - 600)),
            cycles=(replace(cycle(finished_utc=time.time()), failures=(failing,)),),
        )
        yield running


async def made(api: RunningApi, **environ: str) -> Survey:
    """Make a survey of the copy that this API belongs to, in a thread, as the command's own process would."""
    port = api.address.rpartition(":")[2]
    home = {"SENTIMENTAGENT_HOME": str(api.settings.folders.home), "API_PORT": port, "SUBREDDITS": "cursor,aws"}
    return await asyncio.to_thread(survey.make, load({**home, **environ}))


async def test_everything_is_asked_and_only_supervisord_is_missing(api: RunningApi) -> None:
    """Figures from the watchdog, freshness from the API, and a sentence about the one that is not there."""
    found = await made(api)
    assert (found.watchdog_answers, found.supervisor_answers) == (True, False)
    assert [row.process for row in found.rows] == list(PROCESSES)
    assert (found.rows[0].state, found.rows[0].waiting_for, found.rows[0].memory_mb) == ("ready", "interval", 80.0)
    assert found.health is not None
    assert found.fresh is not None
    cursor, aws = found.fresh
    assert cursor.age_s is not None
    assert 600 <= cursor.age_s < 630
    assert (aws.age_s, aws.failing) == (None, "forbidden")
    (missing,) = found.unasked
    assert missing.startswith("supervisord: ")


async def test_the_api_of_another_copy_is_not_taken_for_ours(api: RunningApi, watchdog: FakeWatchdog) -> None:
    """Two copies with one port: one of them listens, and speaks for itself alone."""
    watchdog.report = status_report(process_report("api", pid=1))
    found = await made(api)
    assert (found.health, found.fresh) == (None, None)
    assert any("another copy" in each for each in found.unasked)


async def test_with_the_store_away_nobody_says_how_new_its_items_are(api: RunningApi) -> None:
    """What the API remembers of them is no answer about now."""
    assert (await made(api)).fresh is not None
    path = api.settings.folders.store
    path.rename(path.with_name("away.db"))
    found = await made(api)
    assert found.fresh is None
    assert "how new the items are: the store does not answer" in found.unasked
    assert found.health is not None
    assert found.health.status == "unhealthy"


async def test_an_archive_has_no_freshness(api: RunningApi) -> None:
    """Its items are years old, and that is no trouble."""
    assert (await made(api, ARCHIVE_PATH="/data/posts.ndjson")).fresh is None


async def test_an_api_that_hangs_is_named_in_time(short_path: Path, watchdog: FakeWatchdog) -> None:
    """It takes the connection and answers nothing: what the watchdog says stands all the same."""
    with socket.socket() as hung:
        hung.bind(("127.0.0.1", 0))
        hung.listen()
        settings = load({"SENTIMENTAGENT_HOME": str(short_path), "API_PORT": str(hung.getsockname()[1])})
        began_s = time.monotonic()
        found = await asyncio.to_thread(survey.make, settings, 0.3)
    assert time.monotonic() - began_s < 2
    assert watchdog.asked == 1
    assert found.rows[0].memory_mb == 80.0
    assert any("did not answer within 0.3 s" in each for each in found.unasked)


def run(*options: str) -> tuple[int, str]:
    """Run the command; return its exit status and its output."""
    done = CliRunner().invoke(status, list(options))
    return done.exit_code, done.output


@pytest.fixture
def home(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home that the command finds."""
    monkeypatch.setenv("SENTIMENTAGENT_HOME", str(short_path))
    return short_path


def test_a_stopped_copy_is_status_3_and_a_killed_one_1(home: Path) -> None:
    """What is left of a killed supervisord is a socket that nobody serves."""
    exit_status, output = run()
    assert (exit_status, output) == (3, f"SentimentAgent is stopped: nothing runs with the home {home}\n")
    (home / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(home / "run" / "supervisor.sock"))
    exit_status, output = run()
    assert (exit_status, output.split(":")[0]) == (1, "SentimentAgent is dead")


def test_it_is_shown_again_until_somebody_stops_it(home: Path) -> None:
    """Ctrl-C ends it with the exit status of the last look."""
    command = [str(Path(sys.executable).parent / "sentimentagent"), "status", "--watch", "0.5", "--json"]
    environ = {**os.environ, "SENTIMENTAGENT_HOME": str(home), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        seen = [json.loads(process.stdout.readline())["status"] for _ in range(2)]
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 3
    assert seen == ["stopped", "stopped"]


def test_wrong_settings_are_status_78(home: Path) -> None:
    """As for a process."""
    (home / ".env").write_text("API_PORTS=1\n")
    exit_status, output = run()
    assert exit_status == 78
    assert "did you mean API_PORT?" in output


async def test_a_script_reads_the_same_as_an_operator(
    home: Path, watchdog: FakeWatchdog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JSON with the verdict, its reasons and all rows; null where nobody measured."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("API_PORT", str(free.getsockname()[1]))
    watchdog.report = status_report(process_report("analyzer", verdict="stopped", reason="by an operator", beat=None))
    exit_status, output = await asyncio.to_thread(run, "--json")
    told: dict[str, Any] = json.loads(output)
    assert exit_status == 3
    assert told["status"] == "degraded"
    assert told["reasons"] == ["analyzer stopped (by an operator)", "the API does not answer"]
    assert [each["process"] for each in told["processes"]] == list(PROCESSES)
    assert told["processes"][1]["state"] is None
    assert told["fresh"] is None
    assert str(home) == told["home"]
    exit_status, output = await asyncio.to_thread(run)
    assert exit_status == 3
    assert output.startswith("SentimentAgent is degraded: analyzer stopped (by an operator); the API does not answer\n")
