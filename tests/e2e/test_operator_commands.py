"""The operator's commands against a system that runs, one of which half is down, and one that is stopped."""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from harness.system import BIN, System, wait_until

from ipc.messages import PROCESSES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

SECRET = "planted-admin-token"  # noqa: S105 - of the test alone


def findings(system: System) -> tuple[int, dict[str, dict[str, str]]]:
    """Return the doctor's exit status and its findings by name."""
    done = system.run("sentimentagent", "doctor", "--json")
    return done.returncode, {each["name"]: each for each in json.loads(done.stdout)["checks"]}


def status(system: System) -> tuple[int, dict[str, Any]]:
    """Return the exit status and what a script reads."""
    done = system.run("sentimentagent", "status", "--json")
    return done.returncode, json.loads(done.stdout)


def bundled(system: System, folder: Path) -> dict[str, str]:
    """Return the files of a support archive."""
    folder.mkdir()
    done = system.run("sentimentagent", "bundle", "--output", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    with tarfile.open(done.stdout.splitlines()[-1]) as tar:
        files = {each.name.partition("/")[2]: tar.extractfile(each) for each in tar.getmembers()}
        return {name: file.read().decode() for name, file in files.items() if file}


def test_the_commands_tell_a_running_a_half_and_a_stopped_system_apart(
    running: Callable[..., System], tmp_path: Path
) -> None:
    """One system through its day: well, without its analyzer, without its watchdog, stopped."""
    system = running(ADMIN_TOKEN=SECRET)
    wait_until(lambda: system.get("/api/v1/posts/recent?hours=168")[1], 60, system, "posts are shown")
    wait_until(lambda: system.health()["status"] == "healthy", 30, system, "healthy")
    _while_all_is_well(system, tmp_path)
    command = [str(BIN / "sentimentagent"), "watch", "--interval", "1"]
    with subprocess.Popen(command, env=system.environ, stdout=subprocess.PIPE, text=True) as onlooker:
        try:
            _while_somebody_looks_on(system, onlooker)
        finally:
            onlooker.kill()
    _while_it_is_stopped(system, tmp_path)


def _while_somebody_looks_on(system: System, onlooker: subprocess.Popen[str]) -> None:
    assert onlooker.stdout is not None
    assert " healthy " in onlooker.stdout.readline()
    system.supervisorctl("stop", "analyzer")
    changed = next(line for line in onlooker.stdout if "CHANGED" in line)
    assert "from healthy to degraded" in changed
    assert "analyzer" in changed
    _while_the_analyzer_is_stopped(system)
    system.supervisorctl("stop", "watchdog")
    _while_the_watchdog_is_stopped(system)
    system.stop()
    assert any("to unreachable" in line for line in onlooker.stdout)
    onlooker.terminate()
    assert onlooker.wait(10) == 0


def _while_all_is_well(system: System, folder: Path) -> None:
    done = system.run("sentimentagent", "status")
    first, _, *rows = done.stdout.splitlines()
    assert (done.returncode, first) == (
        0,
        f"SentimentAgent is healthy: all ready, open http://127.0.0.1:{system.port}",
    )
    for process, row in zip(PROCESSES, rows, strict=False):
        assert re.match(rf"{process} +ready +\d+ +\d+/\d+ ", row), row
    assert "newest items: Cursor " in done.stdout
    assert "not asked" not in done.stdout

    exit_status, found = findings(system)
    assert [each for each in found.values() if each["result"] == "wrong"] == []
    assert exit_status == 0
    assert "our API" in found["service.port"]["found"]
    assert found["service.supervisord"]["result"] == found["database.store"]["result"] == "ok"

    done = system.run("sentimentagent", "watch", "--once")
    assert done.returncode == 0
    assert re.search(r" healthy +memory collector \d+ MB, analyzer \d+ MB, api \d+ MB, watchdog \d+ MB$", done.stdout)

    files = bundled(system, folder / "well")
    assert json.loads(files["health.json"])["status"] == "healthy"
    assert "Model loaded" in files["logs/backend.log"]
    assert {"watchdog.json", "supervisor.json", "logs/supervisord.log"} <= set(files)
    post = system.get("/api/v1/posts/recent?hours=168&limit=1")[1][0]
    for name, content in files.items():
        assert SECRET not in content, name
        assert post["title"] not in content, name
        assert post["author"] not in content, name

    done = system.run("sentimentagent", "config", "check")
    assert done.returncode == 0
    assert "ADMIN_TOKEN=***  # environment" in done.stdout


def _while_the_analyzer_is_stopped(system: System) -> None:
    exit_status, told = status(system)
    assert (exit_status, told["status"]) == (3, "degraded")
    assert any(each.startswith("analyzer stopped") for each in told["reasons"]), told["reasons"]
    assert told["processes"][1]["memory_mb"] is None
    exit_status, found = findings(system)
    assert exit_status == 0
    assert found["service.supervisord"]["result"] == "warning"
    assert found["service.supervisord"]["mend"].endswith("start analyzer")


def _while_the_watchdog_is_stopped(system: System) -> None:
    exit_status, told = status(system)
    assert (exit_status, told["watchdog_answers"], told["supervisor_answers"]) == (3, False, True)
    rows = {each["process"]: each for each in told["processes"]}
    assert rows["collector"]["memory_mb"] > 10
    assert rows["collector"]["restarts"] is None
    assert rows["watchdog"]["supervisor_state"] == "STOPPED"
    assert any(each.startswith("the watchdog: ") for each in told["unasked"])


def _while_it_is_stopped(system: System, folder: Path) -> None:
    done = system.run("sentimentagent", "status")
    assert done.returncode == 3
    assert done.stdout == f"SentimentAgent is stopped: nothing runs with the home {system.home}\n"
    done = system.run("sentimentagent", "watch", "--once")
    assert done.returncode == 2
    assert " unreachable " in done.stdout
    exit_status, found = findings(system)
    assert exit_status == 0, found
    assert found["service.supervisord"]["result"] == "warning"
    assert found["service.port"]["found"] == "free"
    assert found["database.store"]["result"] == "ok"
    files = bundled(system, folder / "stopped")
    assert json.loads(files["status.json"])["verdict"]["status"] == "stopped"
    assert "health.json" in files["manifest.txt"].partition("Missing:")[2]
    assert "Stopped" in files["logs/backend.log"]
