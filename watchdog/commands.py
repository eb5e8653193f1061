"""The commands that an alert names: whole, so that they work from any folder, for this copy and no other."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ipc.environment import PLACES

if TYPE_CHECKING:
    from collections.abc import Mapping


class Commands(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator can type on the machine, as the user that the system runs as."""

    #: ``sentimentagent`` with the environment that finds this copy.
    sentimentagent: str
    supervisorctl: str
    logs: Path

    def status(self) -> str:
        """Return the command that shows how everything is."""
        return f"{self.sentimentagent} status"

    def tool(self, words: str) -> str:
        """Return a subcommand of ours, such as ``doctor``."""
        return f"{self.sentimentagent} {words}"

    def incident(self, incident_id: str) -> str:
        """Return the command that shows an incident and its evidence."""
        return f"{self.sentimentagent} incidents show {incident_id}"

    def log(self, process: str) -> str:
        """Return the command that shows what ``process`` said last."""
        return f"tail -n 50 {shlex.quote(str(self.logs / f'{process}.log'))}"

    def control(self, word: str, process: str) -> str:
        """Return the command that starts or stops ``process``."""
        return f"{self.supervisorctl} {word} {process}"


def supervisorctl_of(socket: str) -> str:
    """Return the command that reaches the supervisord that listens at ``socket``."""
    return shlex.join([_program("supervisorctl"), "-s", f"unix://{socket}"])


def _program(name: str) -> str:
    """Return where ``name`` is beside this Python, which is on no PATH in an installed copy; else the bare name."""
    path = Path(sys.executable).parent / name
    return str(path) if os.access(path, os.X_OK) else name


def commands_of(environ: Mapping[str, str], logs: Path, supervisorctl: str) -> Commands:
    """Return the commands for the copy of the system whose environment this is."""
    places = [f"{name}={shlex.quote(environ[name])}" for name in PLACES if environ.get(name)]
    command = " ".join([*places, shlex.quote(_program("sentimentagent"))])
    return Commands(sentimentagent=command, supervisorctl=supervisorctl, logs=logs)
