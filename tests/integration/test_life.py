"""The life of a process, with a process of its own for each test: signals need one."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ipc.channel import Connection, Door
from ipc.messages import AnyMessage, Beat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SERVICE = """
import asyncio, sys
from ipc.errors import ModelError, SettingsError
from ipc.life import run

class Service:
    def __init__(self, settings, pulse):
        self.pulse = pulse
    async def __aenter__(self):
        print("opening", flush=True)
        {opening}
        return self
    async def __aexit__(self, *_):
        print("closed", flush=True)
    async def work(self, stop):
        print("working", flush=True)
        {working}

sys.exit(run("api", Service))
"""
WAIT = "await stop.wait(); print('drained', flush=True)"


@asynccontextmanager
async def process(
    home: Path, opening: str = "pass", working: str = WAIT, **environ: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start a service whose parts are these lines; kill it at the end if it is still there."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        SERVICE.format(opening=opening, working=working),
        env={**os.environ, "SENTIMENTAGENT_HOME": str(home), "BEAT_INTERVAL_S": "0.05", **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(20):
            yield child
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def until(child: asyncio.subprocess.Process, word: str) -> None:
    """Read the child's lines until one bears ``word``."""
    assert child.stdout is not None
    while (line := (await child.stdout.readline()).decode()) and word not in line:
        pass
    assert word in line, f"the process ended before it said {word!r}"


async def rest(child: asyncio.subprocess.Process) -> str:
    """Wait for the end and return what the child still had to say."""
    assert child.stdout is not None
    said = (await child.stdout.read()).decode()
    await child.wait()
    return said


async def test_a_signal_stops_drains_and_closes(short_path: Path) -> None:
    """The ordinary stop: exit status 0."""
    async with process(short_path) as child:
        await until(child, "working")
        child.send_signal(signal.SIGTERM)
        said = await rest(child)
    assert said.index("drained") < said.index("closed")
    assert child.returncode == 0


async def test_stop_before_ready_is_not_lost(short_path: Path) -> None:
    """A SIGTERM during a slow start ends the process as soon as it has opened."""
    async with process(short_path, opening="await asyncio.sleep(0.5)") as child:
        await until(child, "opening")
        child.send_signal(signal.SIGTERM)
        said = await rest(child)
    assert "closed" in said
    assert child.returncode == 0


async def test_what_does_not_drain_in_time_is_cancelled_and_named(short_path: Path) -> None:
    """The grace is bounded: supervisord would kill otherwise."""
    hang = "with self.pulse.unit('batch', 60): await asyncio.sleep(60)"
    async with process(short_path, working=hang, SHUTDOWN_GRACE_S="0.2") as child:
        await until(child, "working")
        child.send_signal(signal.SIGTERM)
        said = await rest(child)
    assert "unit=batch" in said
    assert "closed" in said
    assert child.returncode == 0


async def test_beats_tell_state_progress_and_the_unit_in_hand(short_path: Path) -> None:
    """Beats go out during the start already, and follow a watchdog that comes later."""
    beats: asyncio.Queue[Beat] = asyncio.Queue()

    async def take(_connection: Connection, message: AnyMessage) -> None:
        assert isinstance(message, Beat)
        await beats.put(message)

    work = "self.pulse.gauges['depth'] = 3\n        with self.pulse.unit('page', 60): await stop.wait()"
    async with process(short_path, opening="await asyncio.sleep(0.6)", working=work) as child:
        await until(child, "opening")
        async with Door(short_path / "run" / "watchdog.sock", Beat, take):
            first = await beats.get()
            while (ready := await beats.get()).state == "starting":
                pass
            child.send_signal(signal.SIGTERM)
            await rest(child)
    assert first.state == "starting"
    assert first.pid == ready.pid == child.pid
    assert ready.state == "ready"
    assert ready.unit == "page"
    assert ready.unit_due_s is not None
    assert 55 < ready.unit_due_s <= 60
    assert ready.gauges == {"depth": 3.0}


async def test_a_stop_is_told_at_once(short_path: Path) -> None:
    """Whoever watches must know an end that was asked for from a crash, long before the next beat is due."""
    beats: asyncio.Queue[Beat] = asyncio.Queue()

    async def take(_connection: Connection, message: AnyMessage) -> None:
        assert isinstance(message, Beat)
        await beats.put(message)

    async with (
        Door(short_path / "run" / "watchdog.sock", Beat, take),
        process(short_path, BEAT_INTERVAL_S="30") as child,
    ):
        await until(child, "working")
        await beats.get()
        child.send_signal(signal.SIGTERM)
        assert (await beats.get()).state == "draining"
        await rest(child)


async def test_wrong_settings_exit_78(short_path: Path) -> None:
    """EX_CONFIG: starting again would not mend it; the words name the setting."""
    async with process(short_path, API_PORT="many") as child:
        said = await rest(child)
    assert child.returncode == 78
    assert "API_PORT" in said


async def test_an_error_of_ours_is_told_in_its_words(short_path: Path) -> None:
    """A model that can't be loaded: exit 1 and one line, no traceback."""
    async with process(short_path, opening="raise ModelError('no such model')") as child:
        said = await rest(child)
    assert child.returncode == 1
    assert "no such model" in said
    assert "Traceback" not in said


async def test_an_unexpected_error_is_told_with_its_traceback_on_one_line(short_path: Path) -> None:
    """A bug: exit 1, so that supervisord starts the process again."""
    async with process(short_path, working="raise ZeroDivisionError") as child:
        said = await rest(child)
    assert child.returncode == 1
    assert len([line for line in said.splitlines() if "ZeroDivisionError" in line]) == 1


async def test_a_process_ends_with_its_supervisord(short_path: Path) -> None:
    """A SIGKILLed supervisord must leave no orphan that holds a port."""
    shell = f'{sys.executable} -c "$SERVICE" & echo child $!; wait'
    async with asyncio.timeout(20):
        parent = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            shell,
            env={
                **os.environ,
                "SERVICE": SERVICE.format(opening="pass", working=WAIT),
                "SENTIMENTAGENT_HOME": str(short_path),
                "SUPERVISOR_ENABLED": "1",
            },
            stdout=asyncio.subprocess.PIPE,
        )
        assert parent.stdout is not None
        pid = int((await parent.stdout.readline()).split()[1])
        watch = os.pidfd_open(pid)
        try:
            await until(parent, "working")
            parent.kill()
            await parent.wait()
            ended = asyncio.Event()
            asyncio.get_running_loop().add_reader(watch, ended.set)
            await ended.wait()
        finally:
            asyncio.get_running_loop().remove_reader(watch)
            os.close(watch)
