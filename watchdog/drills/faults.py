"""The faults that end a process, each made from outside with as little help as it can be.

``leaking`` and ``starved`` need the process's help: the burden that it bears at its control door (:mod:`ipc.ballast`),
which it gives back by itself when the drill is no more. Each notes the moment in which it begins.
"""

from __future__ import annotations

import asyncio
import math
import re
import resource
import signal
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from ipc.ballast import MAX_MB, MAX_STEP_MB
from ipc.channel import ask
from ipc.errors import Unavailable, WireError
from ipc.messages import Burden, Burdened
from watchdog.drills.course import Refused
from watchdog.drills.guard import Resume, Unlimit
from watchdog.sample import MB

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from watchdog.drills.exercise import Exercise
    from watchdog.sample import Process

#: A leak reaches its limit in about this time. Chosen: some twenty rounds of the watchdog.
_LEAK_S: Final = 5.0
_STEP_S: Final = 0.1
#: So far over the limit it goes, far below the ceiling where nothing is waited for.
_OVER: Final = 1.04
#: What the machine must have left while it leaks. Chosen, not measured.
_SPARE_MB: Final = 256
#: The process's own word that it lets go, were the drill to die.
_HOLD_S: Final = 5.0
_ANSWER_S: Final = 5.0


@asynccontextmanager
async def killed(exercise: Exercise, process: Process) -> AsyncIterator[None]:
    """End it by SIGKILL."""
    exercise.course.note("injected", f"SIGKILL to {exercise.process}, process {process.pid}")
    process.signal(signal.SIGKILL)
    yield


@asynccontextmanager
async def stopped(exercise: Exercise, process: Process) -> AsyncIterator[None]:
    """Stop it by SIGSTOP while inside."""
    exercise.guard.will(Resume(identity=process.identity))
    exercise.course.note("injected", f"SIGSTOP to {exercise.process}, process {process.pid}")
    process.signal(signal.SIGSTOP)
    yield
    process.signal(signal.SIGCONT)


@asynccontextmanager
async def leaking(exercise: Exercise, process: Process) -> AsyncIterator[None]:
    """Make it grow over its memory limit, and stay there, while inside."""
    now = await exercise.scene.of(exercise.process)
    if now.memory_mb is None:
        raise Refused(f"the memory of {exercise.process} is not measured")
    need_mb = max(1, math.ceil(now.memory_limit_mb * _OVER - now.memory_mb))
    free_mb = psutil.virtual_memory().available / MB
    if need_mb > MAX_MB or need_mb + _SPARE_MB > free_mb:
        raise Refused(f"it would take {need_mb} MB, and of {free_mb:.0f} MB free {_SPARE_MB} MB must be left")
    words = f"{exercise.process}, process {process.pid}, grows from {now.memory_mb:.0f} MB by {need_mb} MB"
    exercise.course.note("injected", words)
    growing = asyncio.create_task(_grow(exercise, process, need_mb), name="leak")
    try:
        yield
    finally:
        growing.cancel()
        with suppress(asyncio.CancelledError):
            await growing


async def _grow(exercise: Exercise, process: Process, need_mb: int) -> None:
    step_mb = min(MAX_STEP_MB, max(1, math.ceil(need_mb * _STEP_S / _LEAK_S)))
    held_mb = 0
    while not process.died.is_set():
        held_mb = min(need_mb, held_mb + step_mb)
        with suppress(Unavailable, WireError):  # it ends: the watchdog has seen enough
            await _burden(exercise, Burden(pid=process.pid, mb=held_mb, hold_s=_HOLD_S))
        await asyncio.sleep(_STEP_S if held_mb < need_mb else 1.0)


@asynccontextmanager
async def starved(exercise: Exercise, process: Process) -> AsyncIterator[None]:
    """Let it have no more memory, by RLIMIT_DATA, and make it ask for some: a MemoryError in its event loop."""
    held_bytes = _data_bytes(process.pid)
    soft, hard = resource.prlimit(process.pid, resource.RLIMIT_DATA)
    exercise.guard.will(Unlimit(identity=process.identity, kind=resource.RLIMIT_DATA, soft=soft, hard=hard))
    exercise.course.note("injected", f"no more memory for {exercise.process}, process {process.pid}")
    resource.prlimit(process.pid, resource.RLIMIT_DATA, (held_bytes, hard))
    with suppress(Unavailable, WireError):  # it ends over this question
        await _burden(exercise, Burden(pid=process.pid, mb=MAX_STEP_MB, hold_s=_HOLD_S))
    yield


async def _burden(exercise: Exercise, burden: Burden) -> Burdened:
    door = exercise.scene.settings.folders.control_socket(exercise.process)
    answer = await ask(door, burden, _ANSWER_S)
    if not isinstance(answer, Burdened):
        raise WireError("another answer than to a burden")
    return answer


def _data_bytes(pid: int) -> int:
    """Return what RLIMIT_DATA counts of the process (VmData, proc_pid_status(5))."""
    found = re.search(r"^VmData:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(encoding="ascii"), re.MULTILINE)
    if found is None:
        raise Refused(f"the kernel does not say what process {pid} holds")
    return int(found[1]) * 1024
