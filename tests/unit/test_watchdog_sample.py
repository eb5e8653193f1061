from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from watchdog import family
from watchdog.sample import MB, Process, parse_stat

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIELDS = b"S 7 1 1 0 -1 4194304 103 0 0 0 250 50 0 0 20 0 1 0 133107 3133440 256 18446744073709551615"


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """Return a process that does nothing."""
    code = "import time; print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # until then it is a copy of this one, or nothing yet
        yield process
        process.kill()


@pytest.mark.parametrize("command", [b"python", b"a) R 9 (b", b")", b""])
def test_a_stat_line_is_read_whatever_the_command_is_called(command: bytes) -> None:
    """A process may name itself like the fields that follow."""
    stat = parse_stat(b"42 (" + command + b") " + _FIELDS)
    assert (stat.run_state, stat.parent, stat.start_ticks) == ("S", 7, 133107)
    assert stat.cpu_s == 300 / os.sysconf("SC_CLK_TCK")
    assert stat.rss_mb == 256 * os.sysconf("SC_PAGE_SIZE") / MB


async def test_a_living_process_is_numbers(sleeper: subprocess.Popen[bytes]) -> None:
    """Memory and run state of the process, and its age."""
    process = Process.open(sleeper.pid, lambda: None, os.getpid())
    assert process is not None
    stat = process.read()
    assert stat is not None
    assert 1 < stat.rss_mb < 100
    assert stat.parent == os.getpid()
    assert 0 <= process.uptime_s < 60
    assert process.cpu_percent is None, "one reading makes no difference of two"
    process.close()


async def test_death_is_noticed_at_once_and_nothing_is_read_after_it(sleeper: subprocess.Popen[bytes]) -> None:
    """The kernel gives a pid again: neither a number nor a signal may ever concern the successor.

    The pidfd wakes the loop; the kept descriptor never speaks for a successor of the same pid.
    """
    deaths: list[int] = []
    process = Process.open(sleeper.pid, lambda: deaths.append(sleeper.pid))
    assert process is not None
    process.signal(signal.SIGKILL)
    assert await process.ends_within(5)
    assert deaths == [sleeper.pid]
    assert process.read() is None
    process.signal(signal.SIGKILL)
    process.close()
    process.close()


async def test_a_process_that_does_not_end_is_said_so(sleeper: subprocess.Popen[bytes]) -> None:
    """The wait is bounded."""
    process = Process.open(sleeper.pid, lambda: None)
    assert process is not None
    assert not await process.ends_within(0.01)
    process.close()


async def test_a_pid_that_somebody_else_got_is_refused(sleeper: subprocess.Popen[bytes]) -> None:
    """The kernel gives a pid again, between the question whose it is and the first look at it.

    Only a child of supervisord can be one of its programs.
    """
    assert Process.open(sleeper.pid, lambda: None, parent=1) is None
    sleeper.kill()
    sleeper.wait(5)
    assert Process.open(sleeper.pid, lambda: None) is None


async def test_a_stopped_process_says_so(sleeper: subprocess.Popen[bytes]) -> None:
    """The letter T tells a SIGSTOP from a blocked loop."""
    process = Process.open(sleeper.pid, lambda: None)
    assert process is not None
    process.signal(signal.SIGSTOP)
    await asyncio.to_thread(os.waitid, os.P_PID, sleeper.pid, os.WSTOPPED)
    stat = process.read()
    assert stat is not None
    assert stat.run_state == "T"
    process.close()


def test_shared_pages_of_a_family_count_once() -> None:
    """get_process_mem#40: the sum of everybody's RSS holds what they share twice, so that forking looks like a leak.

    A forked child shares its parent's memory: the sum of both RSS would hold it twice.
    """
    code = "import os, time; kept = b'x' * 60_000_000; os.fork(); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        parent.stdout.readline()
        rss_mb = parse_stat(Path(f"/proc/{parent.pid}/stat").read_bytes()).rss_mb
        added = family.children_mb([parent.pid, os.getpid()])
        (child,) = family._children(Path("/proc"), parent.pid)
        os.kill(child, signal.SIGKILL)
        parent.kill()
    assert rss_mb > 57
    assert added[parent.pid] < 30, "the 57 MB are shared"


def test_a_process_without_children_has_nothing_added() -> None:
    """The common case: only families of more than one are measured."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as alone:
        assert family.children_mb([alone.pid]) == {}


def test_a_family_that_cannot_be_read_is_not_guessed(tmp_path: Path) -> None:
    """Unreadable is not guilty: without the proportional share nothing is added."""
    for pid, parent, children in ((10, 1, b"11 "), (11, 10, b"")):
        (tmp_path / str(pid) / "task" / str(pid)).mkdir(parents=True)
        (tmp_path / str(pid) / "task" / str(pid) / "children").write_bytes(children)
        line = f"{pid} (x) S {parent} ".encode() + _FIELDS.split(b" ", 2)[2]
        (tmp_path / str(pid) / "stat").write_bytes(line)
    assert family.children_mb([10], tmp_path) == {}
    for pid in (10, 11):
        (tmp_path / str(pid) / "smaps_rollup").write_bytes(b"Rss: 900 kB\nPss:            2048 kB\n")
    assert family.children_mb([10], tmp_path) == {10: 4 - parse_stat(b"1 (x) " + _FIELDS).rss_mb}
