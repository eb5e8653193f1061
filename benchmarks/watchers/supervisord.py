"""supervisord alone; and its configuration, which two others stand on."""

from __future__ import annotations

import shlex
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from watchers.stage import GRACE_S, Launch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from watchers.stage import Seat, Stage

BIN: Final = Path(sys.executable).parent
_HEAD: Final = """\
[unix_http_server]
file={folder}/run/supervisor.sock
chmod=0700
[supervisord]
nodaemon=true
pidfile={folder}/run/supervisord.pid
logfile={folder}/logs/supervisord.log
childlogdir={folder}/logs
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""
#: As in the shipped supervisord.conf.
_PROGRAM: Final = """
[program:{name}]
command={command}
autorestart=unexpected
exitcodes=78
startsecs=1
startretries=5
stopwaitsecs={grace_s}
redirect_stderr=true
stdout_logfile={folder}/logs/{name}.log
"""
_LISTENER: Final = """
[eventlistener:{name}]
command={command}
events={events}
stderr_logfile={folder}/logs/{name}.log
"""


def write(stage: Stage, *sections: str) -> Path:
    """Write a supervisord.conf with these sections and a program for each victim."""
    path = stage.folder / "supervisord.conf"
    victims = [program(stage, seat.name, stage.command(seat)) for seat in stage.seats]
    path.write_text("".join([_HEAD.format(folder=stage.folder), *sections, *victims]))
    return path


def program(stage: Stage, name: str, command: Sequence[str]) -> str:
    """Return a program's section."""
    words = shlex.join(command).replace("%", "%%")
    return _PROGRAM.format(name=name, command=words, grace_s=GRACE_S, folder=stage.folder)


def listener(stage: Stage, name: str, command: Sequence[str], events: str) -> str:
    """Return an event listener's section."""
    return _LISTENER.format(name=name, command=shlex.join(command), events=events, folder=stage.folder)


class Supervisord:
    """It starts again what has ended, and looks at nothing else."""

    name = "supervisord alone"
    how_to_get = "it comes with the development dependencies"
    cycle_s = 1.0
    is_on_supervisord = True

    def version(self) -> str | None:
        """Return supervisor's."""
        return version("supervisor")

    def launch(self, stage: Stage) -> Launch:
        """Configure the victims alone."""
        return Launch([str(BIN / "supervisord"), "-c", str(write(stage))])

    def heard_s(self, _stage: Stage, _seat: Seat) -> float | None:
        """It does not listen."""
        return None
