"""A supervisord with one victim in a group, and the watchdog's hands on it without the watchdog around them."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from ipc.errors import Unavailable
from watchdog.control import Control
from watchdog.sample import Process
from watchdog.supervisor import Program, Supervisor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

_CONF = """
[unix_http_server]
file={home}/s.sock
[supervisord]
nodaemon=true
pidfile={home}/pid
logfile={home}/log
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[group:all]
programs=victim,loop,missing
[program:victim]
command={python} {home}/victim.py
startsecs=0
exitcodes=78
autorestart={autorestart}
stdout_logfile=NONE
stderr_logfile=NONE
[program:loop]
command={python} -c "raise SystemExit(1)"
startsecs=0
autostart=false
stdout_logfile=NONE
stderr_logfile=NONE
[program:missing]
command={home}/not-there
autostart=false
"""
# Short sleeps: a signal that comes just before a sleep begins is handled after it.
POLITE = """
import signal, time
signal.signal(signal.SIGTERM, lambda *_: exit(0))
while True:
    time.sleep(0.02)
"""
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"


class Hands:
    """A control, its supervisord, and the process that it is to act upon."""

    def __init__(self, control: Control, supervisor: Supervisor, supervisord: subprocess.Popen[bytes]) -> None:
        self.control = control
        self.supervisor = supervisor
        self.supervisord = supervisord

    async def until(self, claim: Callable[[Program], bool], name: str = "victim") -> Program:
        """Wait until supervisord says so."""
        async with asyncio.timeout(10):
            while not claim(program := await self.supervisor.program(name)):
                await asyncio.sleep(0.02)
        return program

    async def process(self) -> Process:
        """Return the running victim, after it has set its signal handler."""
        program = await self.until(lambda each: each.statename == "RUNNING")
        process = Process.open(program.pid, lambda: None, self.supervisord.pid)
        assert process is not None
        async with asyncio.timeout(5):
            while not _handles_sigterm(program.pid):
                await asyncio.sleep(0.01)
        return process


def _handles_sigterm(pid: int) -> bool:
    """Tell whether the program is there and has its handler; between fork and exec it has supervisord's."""
    folder = Path(f"/proc/{pid}")
    lines = (folder / "status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    handled = int(status["SigCgt"], 16) | int(status["SigIgn"], 16)
    return b"victim.py" in (folder / "cmdline").read_bytes() and bool(handled & 1 << (signal.SIGTERM - 1))


@asynccontextmanager
async def hands(home: Path, code: str = POLITE, autorestart: str = "unexpected") -> AsyncIterator[Hands]:
    """Start a supervisord with a victim of that code; end both."""
    (home / "victim.py").write_text(code)
    (home / "conf").write_text(_CONF.format(home=home, python=sys.executable, autorestart=autorestart))
    supervisord = start(home)
    supervisor = Supervisor(str(home / "s.sock"))
    both = Hands(Control(supervisor), supervisor, supervisord)
    try:
        async with asyncio.timeout(10):
            while True:
                try:
                    await supervisor.programs()
                except Unavailable:
                    await asyncio.sleep(0.02)
                else:
                    break
        yield both
    finally:
        family = [psutil.Process(supervisord.pid), *psutil.Process(supervisord.pid).children(recursive=True)]
        for process in family:
            process.kill()
        supervisord.wait(5)


def start(home: Path) -> subprocess.Popen[bytes]:
    """Start supervisord in the foreground."""
    command = [str(Path(sys.executable).parent / "supervisord"), "-c", str(home / "conf")]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
