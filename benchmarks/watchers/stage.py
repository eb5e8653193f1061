"""What every watcher is given: the same victims, limits and folder; and what it must say of itself.

A stage is one folder with one running watcher. Whoever plays on it is known by the folder's path, which stands in
the command line or the environment of every process: so everything can be ended, however far it was daemonised.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import FrameType

LIMIT_MB: Final = 200
#: What a process may be silent for: the time limit of an answer where the watcher asks, of a beat where it listens.
SILENCE_S: Final = 3
#: From SIGTERM to SIGKILL, where the watcher has one such time for all ends. Chosen: the victims need none of it.
GRACE_S: Final = 1
#: The same for one whose loop is blocked and hears no SIGTERM, where it has one of its own: as our watchdog has it.
HUNG_GRACE_S: Final = 0.25
#: Our watchdog knows these names only.
NAMES: Final = ("collector", "analyzer", "api")
_TAG: Final = "BENCHMARK_STAGE"
#: All that is handed on: a setting of the developer's must not reach a victim, nor another supervisord's a watcher.
_INHERITED: Final = ("PATH", "HOME", "LANG")
_VICTIM: Final = Path(__file__).with_name("victim.py")
_END_S: Final = 10.0
_PR_SET_CHILD_SUBREAPER: Final = 36


@dataclass(frozen=True)
class Seat:
    """One victim's place: its name and the port of its HTTP answer."""

    name: str
    port: int


@dataclass(frozen=True)
class Event:
    """What a victim told of itself; the instant is monotonic, which all processes share."""

    word: str
    pid: int
    at_s: float


@dataclass(frozen=True)
class Launch:
    """How a watcher is started: a command that may stay or go into the background, and its environment."""

    command: list[str]
    environ: dict[str, str] = field(default_factory=dict)


class Watcher(Protocol):
    """One watcher under test."""

    #: As it stands in the table.
    name: str
    #: What to do where it is not installed; {peers} is the folder of --peers.
    how_to_get: str
    #: It looks at this pace: the faults are spread evenly over it.
    cycle_s: float
    #: The first process is a supervisord, whose memory is told apart.
    is_on_supervisord: bool

    def version(self) -> str | None:
        """Return its version, or None where it is not installed."""

    def launch(self, stage: Stage) -> Launch:
        """Write its configuration into the stage's folder; return how it is started."""

    def heard_s(self, stage: Stage, seat: Seat) -> float | None:
        """Return when it last heard a beat of that victim, None where it does not listen but asks."""


@dataclass(frozen=True)
class Stage:
    """One folder with one running watcher and its victims."""

    folder: Path
    seats: tuple[Seat, ...]
    #: Victims beat here too, for watchers that listen on UDP.
    beat_port: int

    def command(self, seat: Seat) -> list[str]:
        """Return the victim's command; all that it needs stands in it."""
        # -P: the modules beside the victim are not to be taken for others of their names.
        return [
            *(sys.executable, "-P", str(_VICTIM), seat.name),
            *(str(self.folder), str(seat.port), str(self.beat_port), str(LIMIT_MB)),
        ]

    def events(self, seat: Seat) -> list[Event]:
        """Return all that this victim and its forerunners told."""
        path = self.folder / "events" / seat.name
        lines = path.read_text().splitlines() if path.exists() else []
        return [Event(word, int(pid), float(at_s)) for word, pid, at_s in map(str.split, lines)]

    def last(self, seat: Seat, word: str, *, after_s: float = 0.0) -> Event | None:
        """Return the newest such event, None where there is none after that instant."""
        found = (each for each in reversed(self.events(seat)) if each.word == word and each.at_s > after_s)
        return next(found, None)

    def cast(self) -> list[psutil.Process]:
        """Return all living processes of this stage."""
        return [process for process in psutil.process_iter() if _is_of(process, str(self.folder))]

    def watchers(self) -> list[psutil.Process]:
        """Return those that are not victims."""
        victims = {event.pid for seat in self.seats for event in self.events(seat)}
        return [process for process in self.cast() if process.pid not in victims]


def adopt() -> None:
    """Become the parent of all orphans below this process, and wait for them at once.

    A PID 1 that is no init may be slow to do so (1 to 2 s, measured in a container), and a dead process that nobody has
    waited for looks alive to monit, which would look slower than it is.
    """

    def reap(_number: int, _frame: FrameType | None) -> None:
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass

    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGCHLD, reap)


@contextmanager
def running(watcher: Watcher, names: tuple[str, ...]) -> Iterator[Stage]:
    """Run a watcher over victims of these names; end everything that it started."""
    folder = Path(tempfile.mkdtemp(prefix="sa", dir="/tmp"))  # paths of Unix sockets must be short
    stage = Stage(folder, tuple(Seat(name, _free_port()) for name in names), _free_port())
    process: subprocess.Popen[bytes] | None = None
    try:
        for name in ("events", "run", "logs"):
            (folder / name).mkdir(mode=0o700)
        launch = watcher.launch(stage)
        with (folder / "output").open("wb") as output:
            process = subprocess.Popen(
                launch.command,
                env=_environ(stage, launch.environ),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        yield stage
    finally:
        _end(stage, process)
        shutil.rmtree(folder, ignore_errors=True)


def _environ(stage: Stage, more: Mapping[str, str]) -> dict[str, str]:
    plain = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**plain, _TAG: str(stage.folder), **more}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_of(process: psutil.Process, folder: str) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return any(folder in word for word in process.cmdline()) or process.environ().get(_TAG) == folder
    except psutil.Error:
        return False


def _end(stage: Stage, started: subprocess.Popen[bytes] | None) -> None:
    """Kill until nobody is left: a watcher may start one more victim while it is ended.

    Raises:
        TimeoutError: somebody can't be ended.

    """
    until_s = time.monotonic() + _END_S
    while cast := stage.cast():
        if time.monotonic() > until_s:
            raise TimeoutError(f"can't be ended: {cast}")
        for process in cast:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(cast, timeout=0.2)
    if started is not None:
        started.wait(_END_S)
