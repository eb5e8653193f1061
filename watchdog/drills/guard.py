"""The guard: what a drill changes is undone, also when the drill itself is killed.

A process of its own holds one end of a pipe whose other end the drill alone has. However the drill ends, the kernel
closes that end, and then the guard undoes what it was told of before it was done, and ends. It has a session of its
own, so no Ctrl-C and no closing terminal reaches it, and a time limit for a drill that hangs.

To undo something twice, or where nothing is left of it, does nothing: every step is about one process, named by its pid
and its start time, so that nobody who got the pid since is touched.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import msgspec

from watchdog.records import Identity
from watchdog.sample import parse_stat

if TYPE_CHECKING:
    from types import TracebackType

#: No drill takes longer than this, whatever was asked. Chosen, not measured.
LONGEST_S: Final = 900.0
_START_S: Final = 10.0
_END_S: Final = 10.0


class Resume(msgspec.Struct, frozen=True, tag=True):
    """A process that was stopped by SIGSTOP goes on."""

    identity: Identity


class Unlimit(msgspec.Struct, frozen=True, tag=True):
    """A process has its own resource limit again (its number in the module resource, soft, hard)."""

    identity: Identity
    kind: int
    soft: int
    hard: int


Step = Resume | Unlimit


def undo(step: Step) -> None:
    """Do it, if the process is still the one that was meant."""
    pid, start_ticks = step.identity
    with contextlib.suppress(OSError, ValueError, IndexError):  # it has ended, and its fault with it
        pidfd = os.pidfd_open(pid)
        try:
            if parse_stat(Path(f"/proc/{pid}/stat").read_bytes()).start_ticks != start_ticks:
                return
            if isinstance(step, Resume):
                signal.pidfd_send_signal(pidfd, signal.SIGCONT)
            else:
                resource.prlimit(pid, step.kind, (step.soft, step.hard))
        finally:
            os.close(pidfd)


class Guard:
    """The drill's side of it. A context manager: guarded inside, everything undone at its end."""

    def __init__(self) -> None:
        self._steps: list[Step] = []
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start the guard and wait until it listens.

        Raises:
            OSError: it did not start; nothing may be changed.

        """
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "watchdog.drills.guard"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
        self._await_word()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Undo everything, and let the guard do the same again and end."""
        for step in reversed(self._steps):
            undo(step)
        if self._process and self._process.stdin and self._process.stdout:
            self._process.stdin.close()
            self._process.stdout.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_S)

    def will(self, step: Step) -> None:
        """Have ``step`` done at the end; returns when the guard knows it, so that the fault may be made then.

        Raises:
            OSError: the guard is gone; the fault must not be made.

        """
        assert self._process is not None  # noqa: S101 - only used inside
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        self._steps.append(step)
        self._process.stdin.write(msgspec.json.encode(step) + b"\n")
        self._await_word()

    def _await_word(self) -> None:
        assert self._process is not None  # noqa: S101 - only used inside
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        is_there, _, _ = select.select([self._process.stdout], [], [], _START_S)
        if not is_there or not self._process.stdout.read(1):
            raise ChildProcessError("the guard of the drill does not answer")


def main() -> None:
    """Be the guard: a step a line on stdin, a character for each on stdout, and at the end of stdin undo them."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    steps: list[Step] = []
    until_s = time.monotonic() + LONGEST_S
    with contextlib.suppress(BrokenPipeError, msgspec.MsgspecError):
        os.write(sys.stdout.fileno(), b".")
        while line := _line(until_s):
            steps.append(msgspec.json.decode(line, type=Step))
            os.write(sys.stdout.fileno(), b".")
    for step in reversed(steps):
        undo(step)


def _line(until_s: float) -> bytes:
    """Return the next line; nothing when the other end is closed or the time is over. One line waits at most."""
    is_there, _, _ = select.select([sys.stdin], [], [], max(0.0, until_s - time.monotonic()))
    return os.read(sys.stdin.fileno(), 64 * 1024) if is_there else b""


if __name__ == "__main__":
    main()
