from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from watchdog.drills.guard import Guard, Resume, Unlimit, undo
from watchdog.sample import parse_stat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from watchdog.records import Identity


@contextmanager
def sleeper() -> Iterator[tuple[psutil.Process, Identity]]:
    """Start a process that does nothing, and end it."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        try:
            with open(f"/proc/{process.pid}/stat", "rb") as file:  # noqa: PTH123 - a file of the kernel
                yield psutil.Process(process.pid), (process.pid, parse_stat(file.read()).start_ticks)
        finally:
            process.kill()


def stop(process: psutil.Process) -> None:
    """Stop the process, and wait until the kernel has done so."""
    process.suspend()
    until_s = time.monotonic() + 5
    while process.status() != psutil.STATUS_STOPPED:
        assert time.monotonic() < until_s


def test_whatever_the_drill_does_its_process_goes_on_afterwards() -> None:
    """Here it ends by an error."""
    with sleeper() as (process, identity):
        with pytest.raises(ZeroDivisionError), Guard() as guard:
            guard.will(Resume(identity=identity))
            stop(process)
            raise ZeroDivisionError
        assert process.status() != psutil.STATUS_STOPPED


def test_a_limit_is_what_it_was() -> None:
    """The soft one and the hard one."""
    with sleeper() as (process, identity):
        kind = resource.RLIMIT_FSIZE
        soft, hard = resource.prlimit(process.pid, kind)
        with Guard() as guard:
            guard.will(Unlimit(identity=identity, kind=kind, soft=soft, hard=hard))
            resource.prlimit(process.pid, kind, (0, hard))
        assert resource.prlimit(process.pid, kind) == (soft, hard)


def test_another_process_with_the_same_pid_is_left_alone() -> None:
    """The start time tells them apart."""
    with sleeper() as (process, (pid, start_ticks)):
        stop(process)
        undo(Resume(identity=(pid, start_ticks + 1)))
        assert process.status() == psutil.STATUS_STOPPED
        undo(Resume(identity=(pid, start_ticks)))
        assert process.status() != psutil.STATUS_STOPPED


def test_to_undo_what_is_no_more_does_nothing() -> None:
    """Its process has ended."""
    with sleeper() as (_, identity):
        pass
    undo(Resume(identity=identity))


def test_no_fault_is_made_without_a_guard() -> None:
    """One that is gone is noticed when it is told of the next step."""
    with Guard() as guard:
        assert guard._process is not None
        os.kill(guard._process.pid, signal.SIGKILL)
        guard._process.wait(5)
        with pytest.raises(OSError):  # noqa: PT011 - a broken pipe, or no answer
            guard.will(Resume(identity=(os.getpid(), 0)))
