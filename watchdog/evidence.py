"""The evidence of an incident: what a process can still be asked before it is ended, each part as a text.

Each part is a function that reads, may be slow, and runs in a thread of its own (:func:`gather`): one that hangs
costs its own part, never the others and never more than the limit. What could not be had is said in
words in its place. No part reads a value out of the process: no argument, no variable, no environment.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, BinaryIO, Final

from ipc import stacks
from ipc.logs import harmless
from watchdog import daemon_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from watchdog.sample import Process

    Part = Callable[[], str]

#: Bounds of what is kept. Chosen, not measured: a stack of ours takes 1 to 10 kB, a list of files some dozen lines.
MAX_STACKS_BYTES: Final = 256 * 1024
MAX_LINES: Final = 200
_MAX_WORDS_CHARACTERS: Final = 200
#: faulthandler marks no end. A dump is whole when nothing was added for a while: a short one when it ends like the
#: main thread, which comes last, and a longer one otherwise, since a busy machine may pause the writer. Chosen.
_SETTLED_S: Final = 0.01
_SETTLED_ANYHOW_S: Final = 0.1
_LAST_LINE: Final = b" in <module>\n"
_LOOK_EVERY_S: Final = 0.005

_CAUGHT: Final = re.compile(r"^SigCgt:\s*([0-9a-f]+)$", re.MULTILINE)
_STATE: Final = re.compile(r"^State:\s*(\S)", re.MULTILINE)


async def gather(parts: Mapping[str, Part], limit_s: float) -> dict[str, str]:
    """Run all parts at once and return the text of each, or why there is none, within ``limit_s``."""
    begun = {name: daemon_thread.begin(part, f"evidence-{name}") for name, part in parts.items()}
    await asyncio.wait(begun.values(), timeout=limit_s)
    return {name: _text(future, limit_s) for name, future in begun.items()}


def _text(future: asyncio.Future[str], limit_s: float) -> str:
    if future.cancel():
        return f"not measured: it took longer than {limit_s:g} s\n"
    if error := future.exception():
        return f"not measured: {type(error).__name__}: {harmless(str(error), _MAX_WORDS_CHARACTERS)}\n"
    return future.result()


def dump(process: Process, file: Path, proc: Path, within_s: float) -> str:
    """Ask the process for its stacks and return them; see :mod:`ipc.stacks`."""
    if why := _why_silent(process, proc):
        return f"no stacks: {why}\n"
    before = file.stat().st_size
    process.signal(stacks.SIGNAL)
    written, until_s = b"", time.monotonic() + within_s
    with file.open("rb") as source:
        source.seek(before)
        while not (written := written + _burst(source)) and not (why := _why_silent(process, proc)):
            if time.monotonic() > until_s:
                why = f"the process did not answer {stacks.SIGNAL.name} within {within_s:g} s"
                break
            time.sleep(_LOOK_EVERY_S)
    return _lines(written.decode(errors="replace").splitlines(), limit=None) if written else f"no stacks: {why}\n"


def _burst(source: BinaryIO) -> bytes:
    """Return what is written into the file from now on, until no more seems to come; nothing when nothing has come."""
    written, since_s = b"", time.monotonic()
    while (more := source.read(MAX_STACKS_BYTES)) or written:
        written += more
        since_s = time.monotonic() if more else since_s
        settled_s = _SETTLED_S if written.endswith(_LAST_LINE) else _SETTLED_ANYHOW_S
        if time.monotonic() - since_s >= settled_s or len(written) >= MAX_STACKS_BYTES:
            break
        time.sleep(_LOOK_EVERY_S)
    return written[:MAX_STACKS_BYTES]


def _why_silent(process: Process, proc: Path) -> str | None:
    """Say why the process can't answer the signal; None when it can, as far as the kernel tells."""
    try:
        told = (proc / str(process.pid) / "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return "the process has ended meanwhile"
    state = found[1] if (found := _STATE.search(told)) else ""
    if process.died.is_set() or state in {"Z", "X"}:
        return "the process has ended meanwhile"
    if state in {"T", "t"}:
        return "the process is stopped"
    if not (caught := _CAUGHT.search(told)) or not int(caught[1], 16) >> (stacks.SIGNAL - 1) & 1:
        return f"the process does not listen for {stacks.SIGNAL.name}"
    return None


def spy(pid: int, within_s: float) -> str:
    """Return what py-spy sees, where the operator has it; it reads from outside, and so reads a stopped process too."""
    program = shutil.which("py-spy")
    if program is None:
        return "py-spy is not on the PATH\n"
    # Without --locals it prints no value; --nonblocking never stops the process that it reads.
    command = [program, "dump", "--nonblocking", "--pid", str(pid)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=within_s, check=False, errors="replace"
        )
    except subprocess.TimeoutExpired:
        return f"py-spy took longer than {within_s:g} s\n"
    return _lines((done.stdout or done.stderr)[:MAX_STACKS_BYTES].splitlines(), limit=None)


def waits(pid: int, proc: Path) -> str:
    """Return what the kernel has each thread wait for, and the process's ``stat`` line."""
    lines = [f"stat: {(proc / str(pid) / 'stat').read_text().strip()}"]
    for task in sorted((proc / str(pid) / "task").iterdir(), key=lambda task: int(task.name)):
        with contextlib.suppress(OSError):  # a thread that has ended meanwhile
            name, where = (task / "comm").read_text().strip(), (task / "wchan").read_text().strip()
            lines.append(f"thread {task.name} ({name}): {'nothing' if where in {'', '0'} else where}")
    return _lines(lines)


def memory(pid: int, proc: Path) -> str:
    """Return how the kernel splits its memory: its own, shared, of files, swapped. 36 ms for a GB (measured)."""
    return _lines((proc / str(pid) / "smaps_rollup").read_text().splitlines())


def status(pid: int, proc: Path) -> str:
    """Return the kernel's ``status``: sizes, threads, signals, context switches."""
    return _lines((proc / str(pid) / "status").read_text().splitlines())


def files(pid: int) -> str:
    """Return its open files and sockets."""
    import psutil  # noqa: PLC0415 - 40 ms and 1 MB that a watchdog needs only once something has happened

    process = psutil.Process(pid)
    found = process.open_files()
    sockets = process.net_connections(kind="all")
    lines = [
        f"{process.num_fds()} descriptors; {len(found)} files:",
        *_bounded(f"{each.fd:4} {each.path}" for each in found),
    ]
    lines.append(f"{len(sockets)} sockets:")
    lines += _bounded(
        f"{each.fd:4} {each.family.name} {_address(each.laddr)} -> {_address(each.raddr)} {each.status}"
        for each in sockets
    )
    return _lines(lines, limit=None)


def _address(address: object) -> str:
    if isinstance(address, tuple):
        return ":".join(str(part) for part in address) or "-"
    return str(address) or "-"


def _bounded(lines: Iterable[str]) -> list[str]:
    all_lines = list(lines)
    more = len(all_lines) - MAX_LINES
    return [*all_lines[:MAX_LINES], f"... and {more} more"] if more > 0 else all_lines


def _lines(lines: Iterable[str], limit: int | None = MAX_LINES) -> str:
    """Return the lines, each made harmless: names of files and threads are not ours."""
    bounded = list(lines) if limit is None else _bounded(lines)
    return "".join(f"{harmless(line.replace(chr(9), ' '))}\n" for line in bounded)
