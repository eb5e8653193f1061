"""The last lines of a process's log that may be shown to others.

Kept are the log lines of ours, which carry no post's text, and what Python itself writes when a process dies
(faulthandler's report). An unexpected error keeps its type and its calls, not its words, which may quote what it
choked on. Any other line, a library's print for one, may hold anything: it is left out and counted. All of it
stays where it was, in the log.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from ipc.logs import harmless

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

#: The event by which a process tells that it ends, and why; see :mod:`ipc.life`.
ENDS: Final = "The process ends"

#: About 300 lines. Chosen, not measured.
TAIL_BYTES: Final = 64 * 1024

_OURS: Final = re.compile(r'time=\d{4}-\d\d-\d\dT\S+ level=\w+ process=\w+ |\{.*"time": ?"\d{4}-\d\d-\d\dT')
_ENDS: Final = re.compile(rf' event="{ENDS}" error=(?P<error>"(?:[^"\\]|\\.)*")')
_PYTHONS: Final = re.compile(
    r"Fatal Python error: |(Current t|T)hread 0x[0-9a-f]+|Stack \(most recent call first\):"
    r'|  File "[^"]*", line (\d+|\?\?\?) in |Extension modules: |Python runtime state: |  <no Python frame>|  \.\.\.$'
)

#: An error with its calls, as a value in a line of ours: to the closing quote, lines parted by an escaped newline.
_EXCEPTION: Final = re.compile(r'(?<=exception=")(?:[^"\\]|\\.)*|(?<="exception": ")(?:[^"\\]|\\.)*')
_NEWLINE: Final = re.compile(r"(\\+n)")
#: What is kept of it: calls, types, and what Python says between two errors. An error's words may have several lines.
_TOLD: Final = re.compile(
    r'[ |+-]*(?:File \\*"[^"]*", line \d+, in [\w.<>]+'
    r"|[\w.]*(?:Error|Exception|Unavailable|Refused|Interrupt|Exit|Group)\b"
    r"|Traceback \(most recent call last\):|During handling of the above exception, another exception occurred:"
    r"|The above exception was the direct cause of the following exception:)"
)
#: A line that a library logged through our own log; see :mod:`ipc.logs`.
_LIBRARY: Final = re.compile(r' library=\S+|"library": ?"')


def read(logs: Path, process: str, shared: str) -> str:
    """Return the tail of ``process``'s own log in the folder ``logs``; of the ``shared`` one where it has none.

    Raises:
        OSError: neither is there.

    """
    own = logs / f"{process}.log"
    if own.exists():
        return "".join(f"{line}\n" for line in presentable(_tail(own)))
    name = re.compile(rf'\bprocess={process}\b|"process": ?"{process}"')
    return "".join(f"{line}\n" for line in presentable(filter(name.search, _tail(logs / shared))))


def presentable(lines: Iterable[str]) -> Iterator[str]:
    """Yield what is kept of ``lines``, and a count for each run of those that are not."""
    left_out = 0
    for line in lines:
        if (_OURS.match(line) and not _LIBRARY.search(line)) or _PYTHONS.match(line):
            if left_out:
                yield _gap(left_out)
            left_out = 0
            yield harmless(_EXCEPTION.sub(_without_words, line))
        elif line.strip():
            left_out += 1
    if left_out:
        yield _gap(left_out)


def last_words(tail: str) -> str:
    """Return why a process said that it ends, in the last line of its ``tail``; empty when it said nothing of it."""
    last = next((line for line in reversed(tail.splitlines()) if line.strip()), "")
    if last.startswith("{"):
        return _of_json(last)
    found = _ENDS.search(last)
    return str(json.loads(found["error"])) if found else ""


def _of_json(line: str) -> str:
    try:
        said = json.loads(line)
    except ValueError:
        return ""
    return str(said.get("error", "")) if said.get("event") == ENDS else ""


def _without_words(exception: re.Match[str]) -> str:
    newline = found[0] if (found := _NEWLINE.search(exception[0])) else ""
    told = (_TOLD.match(part) for part in _NEWLINE.split(exception[0]))
    return str(newline).join(part[0] for part in told if part)


def _gap(lines: int) -> str:
    return f"(left out: {lines} {'line' if lines == 1 else 'lines'} that no part of ours wrote)"


def _tail(path: Path) -> list[str]:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - TAIL_BYTES))
        lines = file.read(TAIL_BYTES).decode(errors="replace").split("\n")
    return lines[1:] if size > TAIL_BYTES else lines
