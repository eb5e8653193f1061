"""What is logged of queries: the event ``Query`` with name, duration and rows, and ``Query slow`` above the limit.

At the default level at most one line a second and name is written at INFO, which carries how many others like it there
were since (``also``) and how long those took together (``also_ms``), so that neither a busy dashboard nor an archive
that is read in floods the file. At DEBUG each query has its own line. A slow one always has, at WARNING.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from ipc import logs

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logs.log(__name__)
#: Asked before a line at DEBUG is made, which most often nobody wants: making it costs more than a short query.
_level = logging.getLogger(__name__)

#: Between two lines at INFO about queries of one name. Chosen, not measured.
INTERVAL_S: Final = 1.0


class _Name:
    """What was not yet told of the queries of one name."""

    __slots__ = ("also", "also_ms", "told_s")

    def __init__(self) -> None:
        self.told_s: float | None = None
        self.also = 0
        self.also_ms = 0.0


class QueryLog:
    """The log of one store's queries."""

    def __init__(self, slow_ms: float, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._slow_ms = slow_ms
        self._clock_s = clock_s
        self._names: dict[str, _Name] = {}

    def note(self, name: str, duration_ms: float, rows: int, *, quiet: bool = False) -> None:
        """Log one query that has ended; a ``quiet`` one (a health poll) only at DEBUG, unless it was slow."""
        facts: dict[str, str | float] = {"name": name, "duration_ms": round(duration_ms, 2), "rows": rows}
        if duration_ms > self._slow_ms:
            _log.warning("Query slow", limit_ms=self._slow_ms, **facts)
        elif quiet:
            _note_debug(facts)
        else:
            self._note_often(name, duration_ms, facts)

    def _note_often(self, name: str, duration_ms: float, facts: dict[str, str | float]) -> None:
        held = self._names.setdefault(name, _Name())
        now_s = self._clock_s()
        if held.told_s is not None and now_s - held.told_s < INTERVAL_S:
            held.also += 1
            held.also_ms += duration_ms
            _note_debug(facts)
            return
        if held.also:
            facts |= {"also": held.also, "also_ms": round(held.also_ms, 2)}
        _log.info("Query", **facts)
        held.told_s, held.also, held.also_ms = now_s, 0, 0.0


def _note_debug(facts: dict[str, str | float]) -> None:
    if _level.isEnabledFor(logging.DEBUG):
        _log.debug("Query", **facts)
