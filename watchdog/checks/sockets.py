"""The Unix sockets: whether their paths fit, and whether somebody answers at each that is there."""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING

from ipc.channel import check_path
from ipc.errors import SettingsError
from ipc.messages import PROCESSES
from watchdog.checks.finding import Claim, Finding
from watchdog.start_command import supervisor_socket

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ipc.settings import Settings


def check(settings: Settings) -> Iterator[Finding]:
    """Look at the paths that sockets have or will have, and at the sockets that are there."""
    yield paths([*(settings.folders.socket(process) for process in PROCESSES), supervisor_socket(settings)])
    yield served(settings.folders.run)


def paths(sockets: list[Path]) -> Finding:
    """Judge whether every socket's path fits into a socket address."""
    claim = Claim("sockets.paths", "every socket's path has 107 bytes at most")
    longest = max(sockets, key=lambda path: len(os.fsencode(path)))
    try:
        check_path(longest)
    except SettingsError as error:
        return claim.wrong(str(error), "set a shorter SENTIMENTAGENT_HOME or SENTIMENTAGENT_RUN_DIR")
    return claim.ok(f"the longest has {len(os.fsencode(longest))}")


def served(run: Path) -> Finding:
    """Judge whether a process answers at each socket that is there."""
    claim = Claim("sockets.served", "a process answers at every socket that is there")
    states = {path.name: state(path) for path in sorted(run.glob("*.sock"))}
    stale = [name for name, word in states.items() if word == "stale"]
    unknown = [f"{name} ({word})" for name, word in states.items() if word not in {"served", "stale"}]
    if stale:
        found = f"nobody answers at {', '.join(stale)}, which a killed process left"
        return claim.warning(found, "nothing: the next start of that process replaces it")
    if unknown:
        return claim.not_checked(", ".join(unknown), "run this as the user that the system runs as")
    return claim.ok(", ".join(states) or "none is there: nothing runs")


def state(path: Path) -> str:
    """Return ``served``, ``stale``, ``not there``, or why none of these can be said."""
    words = {0: "served", errno.ECONNREFUSED: "stale", errno.ENOENT: "not there"}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        try:
            code = probe.connect_ex(os.fspath(path))
        except OSError as error:  # a path that is too long, or nobody takes the connection
            return str(error)
    return words.get(code) or os.strerror(code)
