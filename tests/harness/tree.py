"""A supervisord with the real watchdog and three victims, in a folder of the test's own."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psutil
import pytest

from ipc.channel import ask
from ipc.errors import Unavailable, WireError
from ipc.messages import Incident, ProcessReport, Status, StatusReport
from watchdog.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

BIN = Path(sys.executable).parent
VICTIM = Path(__file__).parents[1] / "fakes" / "victim.py"
VICTIMS = ("collector", "analyzer", "api")

_HEAD = """
[unix_http_server]
file={home}/run/supervisor.sock
chmod=0700
[supervisord]
nodaemon=true
pidfile={home}/run/supervisord.pid
logfile={home}/logs/supervisord.log
childlogdir={home}/logs
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""
_PROGRAM = """
[program:{name}]
command={command}
autorestart={autorestart}
exitcodes=78
startsecs={startsecs}
startretries=1
stopwaitsecs=6
redirect_stderr=true
stdout_logfile={home}/logs/{name}.log
"""

#: Thresholds that a test reaches in seconds. A victim takes 30 MB at rest.
QUICK = {
    "BEAT_INTERVAL_S": "0.1",
    "SHUTDOWN_GRACE_S": "2",
    "WATCHDOG_INTERVAL_S": "0.1",
    "WATCHDOG_HANG_AFTER_S": "2",
    "WATCHDOG_STUCK_AFTER_S": "0.5",
    "MEMORY_WARNING_MB": "100",
    "MEMORY_LIMIT_MB": "150",
    "ANALYZER_MEMORY_WARNING_MB": "100",
    "ANALYZER_MEMORY_LIMIT_MB": "150",
}


def at_start(home: Path, code: str) -> dict[str, str]:
    """Return the setting by which every Python of a tree runs ``code`` first: the far end of clocks and the like."""
    (home / "sitecustomize.py").write_text(code)
    return {"PYTHONPATH": os.pathsep.join(filter(None, (str(home), os.environ.get("PYTHONPATH"))))}


#: A limit only says when to give up. The tests' own are those of a machine at rest; a busy one gets this many times it.
_PATIENCE = 3


class Tree:
    """One such supervisord, and what its operator does and sees. An async context manager: it runs inside."""

    def __init__(
        self,
        home: Path,
        settings: dict[str, str] | None = None,
        *,
        processes: tuple[str, ...] = ("watchdog", *VICTIMS),
        startsecs: int = 0,
        autorestart: str = "unexpected",
    ) -> None:
        self.home = home
        self._processes = processes
        self._startsecs = startsecs
        self._autorestart = autorestart
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SUPERVISOR_")},
            "SENTIMENTAGENT_HOME": str(home),
            **QUICK,
            **(settings or {}),
        }
        self.supervisor = Supervisor(str(home / "run" / "supervisor.sock"))
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        """Start it and wait until supervisord answers."""
        self._make_folders()
        conf = self.home / "supervisord.conf"
        conf.write_text(self._conf())
        self._process = self._start(conf)
        await self.until(self._answers, 10, "supervisord answers")
        return self

    async def __aexit__(self, *_: object) -> None:
        """End every process that this tree started: exactly those, by their pidfds."""
        assert self._process is not None
        held = [os.pidfd_open(each.pid) for each in self.family()] if self._process.poll() is None else []
        for pidfd in held:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        for pidfd in held:
            select.select([pidfd], [], [], 5)
            os.close(pidfd)
        self._process.wait(5)

    def order(self, victim: str, word: str) -> None:
        """Tell a victim what to do, now and after each of its restarts."""
        (self.home / "faults" / victim).write_text(word)

    async def report(self) -> StatusReport:
        """Return what the watchdog knows; wait a little where it is not up."""
        until_s = time.monotonic() + _PATIENCE * 10
        while True:
            try:
                answer = await ask(self.home / "run" / "watchdog.sock", Status(), 2)
            except (Unavailable, WireError):
                if time.monotonic() > until_s:
                    pytest.fail(f"the watchdog does not answer\n{self.log()}")
                await asyncio.sleep(0.05)
            else:
                assert isinstance(answer, StatusReport)
                return answer

    async def of(self, process: str) -> ProcessReport:
        """Return what the watchdog knows of one process."""
        report = await self.report()
        return next(each for each in report.processes if each.process == process)

    async def ready(self) -> dict[str, int]:
        """Wait until all are judged to be well; return their pids."""

        async def are_well() -> bool:
            present = [each for each in (await self.report()).processes if each.supervisor_state != "ABSENT"]
            return all(each.verdict == "ok" and each.beat for each in present)

        await self.until(are_well, 15, "all are well")
        return {each.process: each.pid for each in (await self.report()).processes if each.pid}

    async def until(self, claim: Callable[[], object], within_s: float, what: str) -> float:
        """Wait until ``claim`` (sync or async) holds; return after how many seconds."""
        began_s = time.monotonic()
        while True:
            held = claim()
            if asyncio.iscoroutine(held):
                held = await held
            if held:
                return time.monotonic() - began_s
            if time.monotonic() - began_s > _PATIENCE * within_s:
                pytest.fail(f"not within {_PATIENCE * within_s:g} s: {what}\n{self.log()}")
            await asyncio.sleep(0.02)

    async def replaced(self, process: str, pid: int, within_s: float) -> float:
        """Wait until the watchdog reports another living pid than ``pid``; return after how many seconds."""

        async def is_new() -> bool:
            return (await self.of(process)).pid not in {None, pid}

        return await self.until(is_new, within_s, f"{process} has another pid than {pid}")

    async def incident(self, process: str, kind: str) -> Incident:
        """Wait until something was done about an incident of that kind, and return it."""
        found: list[Incident] = []

        async def is_over() -> bool:
            of_all = (await self.report()).incidents
            found[:] = [each for each in of_all if (each.process, each.kind) == (process, kind)]
            return bool(found) and found[0].action != "in progress"

        await self.until(is_over, 10, f"something is done about {process}, {kind}")
        return found[0]

    async def until_state(self, process: str, statename: str) -> None:
        """Wait until supervisord says so; each question pokes it."""

        async def is_so() -> bool:
            return (await self.supervisor.program(process)).statename == statename

        await self.until(is_so, 10, f"{process} is {statename}")

    async def supervisorctl(self, *words: str) -> None:
        """Run supervisorctl as an operator does."""
        url = f"unix://{self.supervisor.socket}"
        command = [str(BIN / "supervisorctl"), "-s", url, *words]
        done = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        await done.communicate()
        assert done.returncode == 0

    async def run_watchdog(self) -> tuple[int | None, str]:
        """Run one more watchdog until it ends; return its exit status and what it said."""
        pipe = asyncio.subprocess.PIPE
        done = await asyncio.create_subprocess_exec(*self._command("watchdog"), env=self.environ, stdout=pipe)
        words, _ = await done.communicate()
        return done.returncode, words.decode()

    @asynccontextmanager
    async def by_hand(self, *processes: str, options: tuple[str, ...] = ()) -> AsyncIterator[None]:
        """Run these processes without supervisord while inside, the watchdog with these options."""
        self._make_folders()
        quiet = asyncio.subprocess.DEVNULL
        started = [
            await asyncio.create_subprocess_exec(
                *self._command(name), *(options if name == "watchdog" else ()), env=self.environ, stdout=quiet
            )
            for name in processes
        ]
        try:
            yield
        finally:
            for process in started:
                process.kill()
                await process.wait()

    def family(self) -> list[psutil.Process]:
        """Return supervisord and all that it has started."""
        assert self._process is not None
        supervisord = psutil.Process(self._process.pid)
        return [supervisord, *supervisord.children(recursive=True)]

    async def stop_supervisord(self) -> None:
        """Ask supervisord to stop everything, and wait for it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(self._process.wait, 20)

    def log(self) -> str:
        """Return what all of them logged."""
        return "\n".join(
            f"--- {path.name}\n{path.read_text()[-4000:]}" for path in sorted((self.home / "logs").iterdir())
        )

    def _make_folders(self) -> None:
        for folder in ("run", "logs", "faults"):
            (self.home / folder).mkdir(mode=0o700, exist_ok=True)

    def _command(self, name: str) -> list[str]:
        if name == "watchdog":
            return [str(BIN / "sentimentagent-watchdog")]
        return [sys.executable, str(VICTIM), name, str(self.home / "faults")]

    def _start(self, conf: Path) -> subprocess.Popen[bytes]:
        with (self.home / "logs" / "out").open("ab") as out:
            command = [str(BIN / "supervisord"), "-c", str(conf)]
            return subprocess.Popen(command, env=self.environ, stdout=out, stderr=subprocess.STDOUT)

    async def _answers(self) -> bool:
        try:
            return bool(await self.supervisor.programs())
        except Unavailable:
            return False

    def _conf(self) -> str:
        def program(name: str) -> str:
            return _PROGRAM.format(
                name=name,
                command=" ".join(self._command(name)),
                startsecs=0 if name == "watchdog" else self._startsecs,
                autorestart=self._autorestart,
                home=self.home,
            )

        return "".join([_HEAD.format(home=self.home), *map(program, self._processes)])
