from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from harness.system import BIN, CONF, ROOT, System, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def test_a_newcomer_sees_scored_posts_and_ctrl_c_leaves_nothing(make_system: Callable[..., System]) -> None:
    """No account, no key: sample data, said to be sample data, in a minute; then a clean end."""
    system = make_system(SENTIMENT_ENGINE="flair")
    began_s = time.monotonic()
    system.start()
    wait_until(lambda: "connected" in str(system.health().get("database")), 30, system, "health answers")
    wait_until(system.is_ready, 60, system, "all ready")
    wait_until(lambda: system.get("/api/v1/posts/recent?hours=168")[1], 60, system, "posts are shown")
    assert time.monotonic() - began_s < 60
    wait_until(lambda: system.health()["status"] == "healthy", 60, system, "healthy")

    posts = system.get("/api/v1/posts/recent?hours=168&limit=5")[1]
    assert all(post["sentiment"] in {"positive", "neutral", "negative"} for post in posts)
    stats = "/api/v1/sentiment/stats?hours=168"  # the first group that is stored may be one batch of 64
    wait_until(lambda: system.get(stats)[1]["statistics"]["total"] > 100, 30, system, "a week of samples is scored")
    assert system.health()["source"] == "sample"
    output = system.output.read_text()
    assert "sample data" in output
    assert f"http://127.0.0.1:{system.port}" in output
    for name in ("collector", "analyzer", "api", "watchdog"):
        assert f"{name} " in system.supervisorctl("status")

    family = system.family()
    assert len(family) >= 5
    assert system.stop(signal.SIGINT) == 0
    wait_until(lambda: not system.family(), 10, system, "nothing is left")
    assert list((system.home / "run").glob("*.sock")) == []


def test_a_second_start_is_safe(running: Callable[..., System]) -> None:
    """It says that a copy runs and where; the running one does not notice."""
    system = running()
    before = system.pids()
    done = system.run("sentimentagent", "start", "--conf", CONF)
    assert done.returncode == 0
    assert "already running" in done.stdout
    assert system.pids() == before


def test_two_copies_run_side_by_side(running: Callable[..., System]) -> None:
    """Another home and another port are another system."""
    first, second = running(), running()
    assert first.pids().keys() == second.pids().keys()
    assert not set(first.pids().values()) & set(second.pids().values())
    first.stop()
    assert second.health()["database"]["connected"] is True


def test_a_taken_port_is_one_clear_sentence(make_system: Callable[..., System]) -> None:
    """Before anything is started."""
    system = make_system()
    with socket.socket() as other:
        other.bind(("127.0.0.1", system.port))
        other.listen()
        done = system.run("sentimentagent", "start", "--conf", CONF)
    assert done.returncode == 78
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert f"port {system.port}" in done.stderr
    assert "API_PORT" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_no_orphan_is_left_however_supervisord_ends(running: Callable[..., System], number: int) -> None:
    """Also after a SIGKILL, which supervisord can't pass on."""
    system = running()
    os.kill(system.pid, number)
    wait_until(lambda: not system.family(), 30, system, "nothing is left")


def start_sh(folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a copy of start.sh in a folder without a venv."""
    (folder / "deployment").mkdir()
    for name in ("start.sh", "pyproject.toml", "deployment/venv.sh", "deployment/requirements.txt"):
        (folder / name).write_bytes((ROOT / name).read_bytes())
    return subprocess.run(
        ["/bin/bash", "start.sh"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def fake_python(folder: Path, body: str) -> str:
    """Make a program that answers as a Python of our choice."""
    path = folder / "python-of-the-test"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def test_a_too_old_python_is_one_clear_sentence(tmp_path: Path) -> None:
    """And nothing is made."""
    old = fake_python(tmp_path, 'case "$1" in --version) echo "Python 3.9.2";; *) exit 1;; esac')
    done = start_sh(tmp_path, PYTHON=old)
    assert done.returncode != 0
    (sentence,) = done.stderr.splitlines()
    assert "3.11" in sentence
    assert "Python 3.9.2" in sentence
    assert not (tmp_path / ".venv").exists()


def test_a_missing_venv_module_is_one_clear_sentence(tmp_path: Path) -> None:
    """As on a Debian without python3-venv."""
    body = f'case "$2" in *ensurepip*) exit 1;; esac\nexec {BIN}/python "$@"'
    done = start_sh(tmp_path, PYTHON=fake_python(tmp_path, body))
    assert done.returncode != 0
    (sentence,) = done.stderr.splitlines()
    assert "python3-venv" in sentence
    assert not (tmp_path / ".venv").exists()
