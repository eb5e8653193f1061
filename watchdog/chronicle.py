"""The chronicle: the spans of all processes over weeks, on disk. Always on, always bounded.

One file a day (UTC), `YYYYMMDD.ndjson`, a span a line; added to once a minute, so a killed watchdog loses a minute. The
newest days are kept, :data:`MAX_BYTES` at most: days on which anything was watched, whatever a wall clock says in
between. A disk that takes nothing more is told of once; what could not be written then is missing, and nothing else.
"""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections import deque
from itertools import groupby
from typing import TYPE_CHECKING, Final

import msgspec

from ipc import logs
from watchdog.span import Gathering, Span, look_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from watchdog.registry import Heard
    from watchdog.watched import Watched

_log = logs.log(__name__)

WRITE_EVERY_S: Final = 60.0
#: Of all files together: 14 days of four processes take 50 MB (measured: 105 bytes a span).
MAX_BYTES: Final = 64 * 1024 * 1024
#: Of one day, whatever happens in it: twice what a day takes.
DAY_BYTES: Final = 8 * 1024 * 1024
#: What waits for a disk that hangs: half an hour. Chosen, not measured.
_MAX_WAITING: Final = 720

_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Span)


class Chronicle:
    """Gathers the spans and writes them to ``folder``, of which ``keep_days`` days are kept."""

    def __init__(self, folder: Path, keep_days: int, tell: Callable[[Span], None] = lambda _: None) -> None:
        self._folder = folder
        self._keep_days = keep_days
        #: Is told of every span when it is over.
        self._tell = tell
        self._gatherings: dict[str, Gathering] = {}
        self._waiting: deque[Span] = deque(maxlen=_MAX_WAITING)
        self._is_failing = False

    def note(self, each: Watched, heard: Heard | None, at_s: float) -> None:
        """Take how ``each`` is at this moment, ``at_s`` on the watchdog's clock. Touches no disk."""
        gathering = self._gatherings.setdefault(each.name, Gathering(each.name))
        if span := gathering.take(look_at(each, heard, at_s, time.time())):
            self._waiting.append(span)
            self._tell(span)

    async def upkeep(self) -> None:
        """For ever: put the spans on disk and remove the oldest days."""
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            await self.flush()

    async def close(self) -> None:
        """End all spans and write them."""
        self._waiting.extend(span for each in self._gatherings.values() if (span := each.close()))
        await self.flush()

    async def flush(self) -> None:
        """Write what is waiting, in another thread; a disk that does not take it is logged once."""
        spans = list(self._waiting)
        self._waiting.clear()
        try:
            await asyncio.to_thread(write, self._folder, spans)
            await asyncio.to_thread(prune, self._folder, self._keep_days)
        except OSError as error:
            if not self._is_failing:
                _log.warning("The long history lacks what the disk does not take", reason=str(error))
            self._is_failing = True
        else:
            self._is_failing = False


def write(folder: Path, spans: list[Span]) -> None:
    """Add spans to the files of their days.

    Raises:
        OSError: the disk does not take them, or a day has had more than :data:`DAY_BYTES`.

    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for day, of_day in groupby(spans, key=lambda span: time.strftime("%Y%m%d", time.gmtime(span.at_utc))):
        path = folder / f"{day}.ndjson"
        if path.exists() and path.stat().st_size > DAY_BYTES:
            raise OSError(errno.EFBIG, "there is more of this day than is kept of one", str(path))
        # A line that was torn, by a power cut or a full disk, ends where the next block begins.
        block = b"\n".join([b"", *map(_ENCODER.encode, of_day), b""])
        with open(path, "ab", opener=_private) as file:
            file.write(block)


def prune(folder: Path, keep_days: int) -> None:
    """Remove the oldest days: today and ``keep_days`` before it are kept, as far as they fit.

    Raises:
        OSError: they can't be removed.

    """
    kept_bytes = 0
    for nth, path in enumerate(days(folder)[::-1]):
        kept_bytes += path.stat().st_size
        if nth > keep_days or (nth > 0 and kept_bytes > MAX_BYTES):
            path.unlink()


def read(folder: Path, process: str, since_utc: float) -> Iterator[Span]:
    """Yield the spans of ``process`` that ended since then, oldest first; a line that is not whole is left out.

    Raises:
        OSError: they can't be read.

    """
    begins = _ENCODER.encode([process])[:-1] + b","
    for path in days(folder):
        yield from (span for span in read_day(path, begins) if span.at_utc >= since_utc)


def read_day(path: Path, begins: bytes = b"[") -> Iterator[Span]:
    """Yield the spans of one file whose lines begin so; a line that is not whole is left out.

    Raises:
        OSError: it can't be read.

    """
    with path.open("rb") as file:
        for line in file:
            if not line.startswith(begins):
                continue
            try:
                yield _DECODER.decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue  # torn, or of another version


def days(folder: Path) -> list[Path]:
    """Return the files, one a day, oldest first."""
    return sorted(folder.glob("[0-9]*.ndjson"))


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
