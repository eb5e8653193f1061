"""The history: what each process was like in the last half hour, one point a second. Always on, always bounded.

A point is the line that it will be on disk, 200 to 350 bytes, and a full minute of them is packed to a tenth:
half an hour of four processes takes 0.4 MB (measured). A change of the verdict or of the pid is kept at once, so that
nothing that was decided falls between two points. On disk it is one file a process, added to every minute, and one
older, at most 1.1 MB together; a watchdog that is started again goes on from there.
"""

from __future__ import annotations

import os
import time
import zlib
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec

from ipc.logs import harmless

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from watchdog.registry import Heard
    from watchdog.watched import Watched

#: Half an hour: long enough to see a leak's slope, and what an operator did before. Chosen, not measured.
SPAN_S: Final = 1800.0
#: Between two points of which nothing was decided: that of a whole round, of which one may come a little sooner.
EVERY_S: Final = 0.9
#: So many points are packed together, and so many packs are kept: half an hour, and room for 180 changes of verdict.
PACK: Final = 60
PACKS: Final = 33
#: Of a beat's figures so many at most, and of a word of it so many characters. Chosen: ours say 2 to 8.
MAX_GAUGES: Final = 16
MAX_WORD_CHARACTERS: Final = 60
#: A file is put aside when it has grown to this, and the one put aside before it goes: 512 kB are 1,500 points or more.
_SEGMENT_BYTES: Final = 512 * 1024

_ENCODER: Final = msgspec.json.Encoder()


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One process at one moment. What was not measured is None."""

    at_utc: float
    pid: int | None
    rss_mb: float | None
    cpu_percent: float | None
    beat_age_s: float | None
    progress: int | None
    loop_lag_s: float | None
    waiting_for: str | None
    unit: str | None
    unit_due_s: float | None
    gauges: dict[str, float] = {}
    verdict: str


class Ring:
    """The points of one process, as lines; the oldest pack goes for the newest. Pure: time is an argument."""

    def __init__(self, lines: Iterable[bytes] = ()) -> None:
        self._packs: deque[bytes] = deque(maxlen=PACKS)
        self._open: list[bytes] = []
        self._fresh: deque[bytes] = deque(maxlen=PACKS * PACK)
        self._mark: object = None
        self._at_s: float | None = None
        for line in lines:
            self._keep(line)

    def wants(self, at_s: float, mark: object) -> bool:
        """Tell whether a point of this moment is kept: about a second has passed, or ``mark`` is another one."""
        return self._at_s is None or mark != self._mark or at_s - self._at_s >= EVERY_S

    def add(self, at_s: float, mark: object, line: bytes) -> None:
        """Keep a line, which ends with a newline; the oldest go where there is no room."""
        self._at_s, self._mark = at_s, mark
        self._keep(line)
        self._fresh.append(line)

    def all(self) -> bytes:
        """Return the lines, oldest first."""
        return b"".join([*map(zlib.decompress, self._packs), *self._open])

    def take_fresh(self) -> list[bytes]:
        """Return the lines that were added since the last call."""
        fresh = list(self._fresh)
        self._fresh.clear()
        return fresh

    def _keep(self, line: bytes) -> None:
        self._open.append(line)
        if len(self._open) == PACK:
            self._packs.append(zlib.compress(b"".join(self._open), 1))
            self._open = []


class History:
    """The rings of all processes and their files in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rings: dict[str, Ring] = {}

    def note(self, each: Watched, heard: Heard | None, at_s: float) -> None:
        """Keep how ``each`` is at this moment, ``at_s`` on the watchdog's clock, when a point is due."""
        mark = (each.process.pid if each.process else None, each.verdict.name)
        ring = self._rings.setdefault(each.name, Ring())
        if ring.wants(at_s, mark):
            ring.add(at_s, mark, _ENCODER.encode(point_of(each, heard, at_s)) + b"\n")

    def lines(self, process: str) -> bytes:
        """Return what is known of ``process`` as newline-delimited JSON, oldest first."""
        return self._rings.get(process, Ring()).all()

    def load(self, processes: Iterable[str]) -> None:
        """Take up what the last life of the watchdog left, where it is not too old. Reads files.

        Raises:
            OSError: they can't be read.

        """
        for process in processes:
            left = [line for path in reversed(self._paths(process)) for line in _recent(path)]
            self._rings[process] = Ring(left)

    def take_fresh(self) -> dict[str, list[bytes]]:
        """Return what is not on disk yet, by process, and count it as written."""
        return {process: ring.take_fresh() for process, ring in self._rings.items()}

    def write(self, fresh: dict[str, list[bytes]]) -> None:
        """Add lines to the files. May be called from another thread.

        Raises:
            OSError: the disk does not take them: the files lack these lines, the rings do not.

        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for process, lines in fresh.items():
            if not lines:
                continue
            path, older = self._paths(process)
            if path.exists() and path.stat().st_size > _SEGMENT_BYTES:
                path.replace(older)
            with open(path, "ab", opener=_private) as file:
                file.writelines(lines)

    def _paths(self, process: str) -> tuple[Path, Path]:
        return self._folder / f"{process}.ndjson", self._folder / f"{process}.ndjson.1"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def point_of(each: Watched, heard: Heard | None, at_s: float) -> Point:
    """Return the point of ``each`` now."""
    beat = heard.beat if heard else None
    return Point(
        at_utc=round(time.time(), 2),
        pid=each.process.pid if each.process else None,
        rss_mb=_rounded(each.memory_mb, 1),
        cpu_percent=_rounded(each.process.cpu_percent if each.process else None, 1),
        beat_age_s=_rounded(at_s - heard.at_s if heard else None, 2),
        progress=beat.progress if beat else None,
        loop_lag_s=_rounded(beat.loop_lag_s if beat else None, 3),
        waiting_for=_word(beat.waiting_for if beat else None),
        unit=_word(beat.unit if beat else None),
        unit_due_s=_rounded(beat.unit_due_s if beat else None, 1),
        gauges={_cut(name): value for name, value in islice((beat.gauges if beat else {}).items(), MAX_GAUGES)},
        verdict=each.verdict.name,
    )


def _recent(path: Path) -> list[bytes]:
    """Return the lines of a file that were written within :data:`SPAN_S` and are whole."""
    if not path.exists():
        return []
    decoder = msgspec.json.Decoder(Point)
    since_utc, lines = time.time() - SPAN_S, []
    for line in path.read_bytes().splitlines(keepends=True):
        try:
            point = decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue  # the watchdog ended while it wrote, or it is of another version
        if point.at_utc >= since_utc:
            lines.append(line)
    return lines


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _word(word: str | None) -> str | None:
    return None if word is None else _cut(word)


def _cut(word: str) -> str:
    return harmless(word[:MAX_WORD_CHARACTERS])
