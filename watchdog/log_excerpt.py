"""The last part of a log for strangers: lines of ours, values that can't be anybody's text.

:mod:`watchdog.log_tail` keeps whole lines of ours. This keeps less: of a line's values only figures, and words under
names that are known to carry none of a post's text and no author. A new name is left out until it is written down here.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from watchdog.log_tail import presentable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Of each file, from its end.
MAX_BYTES: Final = 2 * 1024 * 1024
LEFT_OUT: Final = "(left out)"

#: Under these names a value may have words: our own, a subreddit's, a library's about itself.
# fmt: off
_KEPT: Final = frozenset(
    {
        "time", "level", "process", "event", "reason", "error", "exception", "kind", "cause", "detail", "state",
        "verdict", "action", "cycle", "cycle_id", "source", "stream", "failed", "model", "unit", "door", "route",
        "method", "status", "signal", "name", "alert", "incident", "channel", "step", "version", "addresses",
        "goes_to", "alerts", "started", "item", "file",
    }
)
# fmt: on
_PAIR: Final = re.compile(r'(?P<name>[\w.-]+)=(?P<value>"(?:[^"\\]|\\.)*"|\S*)')
_FIGURE: Final = re.compile(r'"?(?:-?\d[\d.,e+-]*|true|false|null|None|True|False|)"?')
#: What follows may quote what somebody else wrote: an event of ours is a plain sentence.
_QUOTES: Final = re.compile(r"[<({\[\\].*", re.DOTALL)
_SUPERVISORD: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (?:CRIT|ERRO|WARN|INFO|DEBG|TRAC|BLAT) ")


def excerpt(path: Path, max_bytes: int = MAX_BYTES) -> str:
    """Return what may be told of the file's last ``max_bytes``.

    Raises:
        OSError: it can't be read.

    """
    lines = tail(path, max_bytes)
    kept = filter(_SUPERVISORD.match, lines) if path.name == "supervisord.log" else map(_line, presentable(lines))
    return "".join(f"{line}\n" for line in kept)


def tail(path: Path, max_bytes: int) -> list[str]:
    """Return the whole lines within the file's last ``max_bytes``. Raises as :func:`excerpt`."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - max_bytes))
        lines = file.read(max_bytes).decode(errors="replace").split("\n")
    return lines[1:] if size > max_bytes else lines


def _line(line: str) -> str:
    if line.startswith("time="):
        return " ".join(f"{name}={_told(name, value)}" for name, value in _pairs(line))
    if line.startswith("{"):
        return json.dumps({name: _json_told(name, value) for name, value in _object(line).items()})
    return line  # what Python itself writes when a process dies, or a count of lines that are not here


def _pairs(line: str) -> Iterator[tuple[str, str]]:
    for match in _PAIR.finditer(line):
        yield match["name"], match["value"]


def _object(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {"event": LEFT_OUT}
    return found if isinstance(found, dict) else {"event": LEFT_OUT}


def _told(name: str, value: str) -> str:
    if _FIGURE.fullmatch(value):
        return value
    if name not in _KEPT:
        return LEFT_OUT
    return _plain(value) if name == "event" else value


def _json_told(name: str, value: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
    if value is None or isinstance(value, bool | int | float):
        return value
    if name not in _KEPT or not isinstance(value, str):
        return LEFT_OUT
    return _plain(value) if name == "event" else value


def _plain(event: str) -> str:
    shown = _QUOTES.sub("...", event)
    return f'{shown}"' if event.startswith('"') and not shown.endswith('"') else shown
