"""The stacks of a living process: written to a file of its own, all threads, whenever :data:`SIGNAL` comes.

The handler is faulthandler's, in C: it needs neither the GIL nor a turn of the event loop, so it answers while a thread
sits in C code, waits for a lock or runs in circles. It writes files, line numbers and function names, and never a
value: no argument, no text. It can't answer while the process is stopped (SIGSTOP) or waits for a dead disk.

Whoever sends the signal must look first whether the process listens for it (``SigCgt`` in ``/proc/PID/status``):
a process that does not yet is ended by it.
"""

from __future__ import annotations

import faulthandler
import os
import signal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

SIGNAL: Final = signal.SIGUSR2


def file_of(state: Path, process: str) -> Path:
    """Return where ``process`` writes its stacks."""
    return state / "stacks" / f"{process}.txt"


def arm(state: Path, process: str) -> None:
    """Begin to listen; what a process of this name wrote before is forgotten. Holds while the process lives.

    Raises:
        OSError: the file can't be written.

    """
    path = file_of(state, process)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    # Never closed: faulthandler keeps the number, and must find the file behind it to the end.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
    faulthandler.register(SIGNAL, file=descriptor, all_threads=True)
