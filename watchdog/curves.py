"""The curves: what memory each process held over an hour, a day and a week, thinned out for a picture.

They are made of the spans of the long history (:mod:`watchdog.span`) as these end; what was before this life of the
watchdog is read from its files soon after the start. In memory alone, and always of the same size: 54 kB.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from typing import TYPE_CHECKING, Final

from ipc import logs
from ipc.messages import PROCESSES, MemoryCurve, MemoryPoint, Recalled
from watchdog import chronicle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from watchdog.span import Span

_log = logs.log(__name__)

#: Length of an interval and number of intervals. The shortest is longer than a span, so that each has one at least:
#: 15 s for an hour, 5 min for a day, 40 min for a week.
TRACKS: Final = ((15, 240), (300, 288), (2400, 252))
_LONGEST_S: Final = max(every_s * points for every_s, points in TRACKS)
#: A slot more than are told of: the files of before may bring an interval's first half while it is leaving.
_SPARE: Final = 2
#: Between two files of before, each of which takes 0.1 s of a core (measured) and no round more than 8 ms.
PAUSE_S: Final = 2.0


class Track:
    """The lowest and the highest memory of one process, an interval each; in a ring, whatever order they come in."""

    def __init__(self, every_s: int, points: int) -> None:
        self.every_s = every_s
        self.window_s = every_s * points
        self._points = points
        slots = points + _SPARE
        self._intervals = array("q", bytes(8 * slots))
        self._lowest_mb = array("f", bytes(4 * slots))
        self._highest_mb = array("f", bytes(4 * slots))

    def add(self, at_utc: float, lowest_mb: float, highest_mb: float) -> None:
        """Take what was measured at a moment, or up to it."""
        interval = int(at_utc // self.every_s)
        slot = interval % len(self._intervals)
        if self._intervals[slot] == interval:
            lowest_mb = min(lowest_mb, self._lowest_mb[slot])
            highest_mb = max(highest_mb, self._highest_mb[slot])
        self._intervals[slot], self._lowest_mb[slot], self._highest_mb[slot] = interval, lowest_mb, highest_mb

    def points(self, since_utc: float, until_utc: float) -> Iterator[MemoryPoint]:
        """Yield the intervals in which anything was measured, oldest first."""
        last = int(until_utc // self.every_s)
        first = max(int(since_utc // self.every_s), last - self._points + 1)
        for interval in range(first, last + 1):
            slot = interval % len(self._intervals)
            if self._intervals[slot] == interval:
                lowest_mb, highest_mb = round(self._lowest_mb[slot], 1), round(self._highest_mb[slot], 1)
                yield MemoryPoint(interval * self.every_s, lowest_mb, highest_mb)


class Curves:
    """The tracks of all processes."""

    def __init__(self) -> None:
        self._tracks: dict[str, tuple[Track, ...]] = {}
        #: When the first was measured of all that is known.
        self._since_utc: float | None = None

    def take(self, span: Span) -> None:
        """Take a span; one in which nothing was measured is a gap."""
        if span.lowest_mb is None or span.highest_mb is None or span.process not in PROCESSES:
            return
        self._note(span.at_utc - span.span_s)
        for track in self._of(span.process):
            track.add(span.at_utc, span.lowest_mb, span.highest_mb)

    def recall(self, span_s: int, now_utc: float) -> Recalled:
        """Return what is known of the last ``span_s``, in the shortest intervals that reach back as far as that."""
        known_s = 0.0 if self._since_utc is None else now_utc - self._since_utc
        needed_s = min(span_s, known_s)
        windows_s = [every_s * points for every_s, points in TRACKS]
        nth = next((nth for nth, window_s in enumerate(windows_s) if window_s >= needed_s), len(TRACKS) - 1)
        return Recalled(
            every_s=TRACKS[nth][0],
            curves=tuple(
                MemoryCurve(process=process, points=tuple(tracks[nth].points(now_utc - span_s, now_utc)))
                for process, tracks in self._tracks.items()
            ),
        )

    async def take_up(self, folder: Path, pause_s: float = PAUSE_S) -> None:
        """Take in what the long history holds of the last week, one file after the other, without hurry."""
        past, now_utc = Curves(), time.time()
        try:
            for path in await asyncio.to_thread(chronicle.days, folder):
                if path.stem >= time.strftime("%Y%m%d", time.gmtime(now_utc - _LONGEST_S)):
                    await asyncio.to_thread(past.read, path)
                    await asyncio.sleep(pause_s)
        except OSError as error:
            _log.warning("The curves of memory lack what was before", reason=str(error))
        self.absorb(past, now_utc)

    def read(self, path: Path) -> None:
        """Take all spans of a file.

        Raises:
            OSError: it can't be read.

        """
        for span in chronicle.read_day(path):
            self.take(span)

    def absorb(self, other: Curves, now_utc: float) -> None:
        """Take what ``other`` knows of the time before ``now_utc``; what both know counts once."""
        if other._since_utc is not None:
            self._note(max(other._since_utc, now_utc - _LONGEST_S))
        for process, tracks in other._tracks.items():
            for mine, its in zip(self._of(process), tracks, strict=True):
                for point in its.points(now_utc - its.window_s, now_utc):
                    mine.add(point.at_utc, point.lowest_mb, point.highest_mb)

    def _of(self, process: str) -> tuple[Track, ...]:
        if process not in self._tracks:
            self._tracks[process] = tuple(Track(every_s, points) for every_s, points in TRACKS)
        return self._tracks[process]

    def _note(self, at_utc: float) -> None:
        self._since_utc = at_utc if self._since_utc is None else min(self._since_utc, at_utc)
