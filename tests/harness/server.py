"""A server with SentimentAgent on it, in a nested systemd: the eyes and hands of its operator."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from harness.nested_systemd import NestedSystemd

APP: Final = "/opt/sentimentagent"
SETTINGS: Final = "/etc/sentimentagent/.env"
#: Where the test lays what it installs from, and the venv whose packages are used.
CHECKOUT: Final = "/srv/checkout"
VENV: Final = "/srv/venv"
#: Everything that an installation writes.
_INSTALLED: Final = (
    APP,
    "/etc/sentimentagent",
    "/etc/systemd/system",
    "/etc/logrotate.d",
    "/usr/local/bin",
    "/etc/passwd",
)


class Server:
    """Asks and acts as root of the nested machine; a failed wait shows its journal."""

    def __init__(self, nested: NestedSystemd, python: str) -> None:
        self.nested = nested
        self._python = python
        self.states: list[str] = []

    def sh(self, line: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a line of shell as root."""
        return self.nested.run("bash", "-c", line, timeout_s=timeout_s)

    def out(self, line: str) -> str:
        """Return what a line of shell prints; it must succeed."""
        done = self.sh(line)
        assert done.returncode == 0, f"{line}\n{done.stdout}"
        return done.stdout.strip()

    def install(
        self, *options: str, before: str = "", python: str = "", venv_from: str = VENV
    ) -> subprocess.CompletedProcess[str]:
        """Run the script; with the packages of the test's own venv, which no network has to bring."""
        borrowed = "" if "--uninstall" in options else f"--venv-from {venv_from}"
        script = f"{CHECKOUT}/deployment/install.sh {borrowed} {' '.join(options)}"
        return self.sh(f"{before} env PYTHON={python or self._python} {script}", timeout_s=150)

    def state(self) -> str:
        """Return systemd's word for the service."""
        return self.sh("systemctl is-active sentimentagent").stdout.strip()

    def show(self, name: str) -> str:
        """Return a property of the unit."""
        return self.out(f"systemctl show --timestamp=us+utc -P {name} sentimentagent")

    def processes(self) -> dict[int, str]:
        """Return the command of every process of the service's user, wherever it hangs in the tree."""
        lines = self.sh("ps -U sentimentagent -o pid=,args=").stdout.splitlines()
        return {int(line.split(None, 1)[0]): line.split(None, 1)[1] for line in lines if line[:1] in " 0123456789"}

    def pid(self, process: str) -> int:
        """Return the pid of one of the four."""
        return next(pid for pid, command in self.processes().items() if f"bin/sentimentagent-{process}" in command)

    def health(self) -> dict[str, Any]:
        """Ask the API from inside."""
        code = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8000/api/v1/health').read().decode())"
        return dict(json.loads(self.out(f'{APP}/.venv/bin/python -c "{code}"')))

    def be_active(self) -> int:
        """Have the service installed and active; return its main pid."""
        if self.sh("systemctl cat sentimentagent").returncode != 0:
            assert self.install().returncode == 0
        self.out("systemctl reset-failed sentimentagent; systemctl start sentimentagent || journalctl -n 50 >&2")
        return int(self.show("MainPID"))

    def until(self, claim: Callable[[], object], within_s: float, what: str) -> float:
        """Wait until ``claim`` holds; return after how many seconds."""
        began_s = time.monotonic()
        while not claim():
            if time.monotonic() - began_s > within_s:
                pytest.fail(f"not within {within_s:g} s: {what}\n{self.sh('journalctl -n 60').stdout}")
            time.sleep(0.1)
        return time.monotonic() - began_s

    def snapshot(self) -> str:
        """Return names, modes, owners and times of everything that an installation writes."""
        return self.out(f"find {' '.join(_INSTALLED)} -printf '%p %M %u %g %s %T@ %C@ %l\\n' | sort")
