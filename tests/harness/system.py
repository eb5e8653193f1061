"""The whole system, started as an operator starts it, in a home of the test's own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
CONF = ROOT / "deployment" / "supervisord.conf"


class System:
    """One running copy, and the eyes and hands of its operator."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self.port = free_port()
        self.environ = {
            **{name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"},
            "SENTIMENTAGENT_HOME": str(home),
            "API_PORT": str(self.port),
            **settings,
        }
        self.output = home / "output.txt"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it in the foreground of a process group of its own."""
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                [BIN / "sentimentagent", "start", "--conf", CONF],
                env=self.environ,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process that the operator started, which becomes supervisord."""
        assert self._process is not None
        return self._process.pid

    def stop(self, number: int = signal.SIGINT) -> int:
        """Stop it as Ctrl-C does (the signal goes to the foreground group); return its exit status."""
        assert self._process is not None
        if self._process.poll() is None:
            os.killpg(self._process.pid, number)
        return self._process.wait(60)

    def end(self) -> None:
        """End whatever is left, by pid: only what this copy started."""
        for process in self.family():
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
        if self._process is not None:
            self._process.wait(10)

    def family(self) -> list[psutil.Process]:
        """Return every process that bears this copy's home in its environment."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("SENTIMENTAGENT_HOME") == str(self.home) and process.pid != os.getpid():
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return [process for process in found if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]

    def run(self, *command: str | Path, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command of the venv in this copy's environment."""
        program = BIN / command[0]
        return subprocess.run(
            [program, *command[1:]], env=self.environ, capture_output=True, text=True, timeout=timeout_s, check=False
        )

    def supervisorctl(self, *words: str) -> str:
        """Run supervisorctl as the runbook does."""
        done = self.run("supervisorctl", "-s", f"unix://{self.home}/run/supervisor.sock", *words)
        return done.stdout + done.stderr

    def pids(self) -> dict[str, int]:
        """Return the pid of each process, by what the watchdog reports."""
        report = json.loads(self.run("sentimentagent", "status", "--json").stdout)
        return {each["process"]: each["pid"] for each in report["processes"]}

    def get(self, path: str, method: str = "GET") -> tuple[int, Any]:
        """Ask the API; return the status and the JSON."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - the same
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def health(self) -> dict[str, Any]:
        """Return health, or what stands for it while nobody answers."""
        try:
            return dict(self.get("/api/v1/health")[1])
        except OSError:
            return {"status": "unreachable"}

    def is_ready(self) -> bool:
        """Tell whether all four say that they are ready."""
        return self.run("sentimentagent", "status").returncode == 0

    def log(self) -> str:
        """Return what all processes logged."""
        path = self.home / "logs" / "backend.log"
        return path.read_text() if path.exists() else ""

    def describe(self) -> str:
        """Return what a reader of a failed test wants to see."""
        return f"{self.output.read_text()[-3000:]}\n--- backend.log\n{self.log()[-6000:]}"


def find_data_folder() -> Path:
    """Return where real posts and labelled comments are, if they are anywhere."""
    named = os.environ.get("SENTIMENTAGENT_TEST_DATA")
    return Path(named) if named else ROOT.parent / "shared" / "data"


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(claim: Callable[[], object], within_s: float, system: System, what: str) -> float:
    """Wait until ``claim`` holds; return after how many seconds; fail with the system's own words."""
    began_s = time.monotonic()
    while not claim():
        if time.monotonic() - began_s > within_s:
            pytest.fail(f"not within {within_s:g} s: {what}\n{system.describe()}")
        time.sleep(0.05)
    return time.monotonic() - began_s


def holds(claim: Callable[[], object], for_s: float, system: System, what: str) -> None:
    """See that ``claim`` holds at every look for so long; fail at the first one at which it does not."""
    until_s = time.monotonic() + for_s
    while time.monotonic() < until_s:
        if not claim():
            pytest.fail(f"not for {for_s:g} s: {what}\n{system.describe()}")
        time.sleep(0.05)
