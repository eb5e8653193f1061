"""The source ``archive``: files of posts and comments in the field names of the public Reddit archives.

One file is one stream, read oldest line first; so each page carries a cursor, and reading goes on where it
stopped. Bad lines are counted and named by number. A plain file that grows is gone on with at the next
read: half a last line waits for its other half. A file that is cut off or damaged gives what is whole of it
and then fails by name.

Backpressure: the next page is read when the consumer comes back for it, and ARCHIVE_RATE may slow that down.

=================== ================================================================================
cause               when
=================== ================================================================================
no_such_file        no such file or folder, or a folder without any ``.ndjson`` or ``.ndjson.zst``
unreadable          permission, or the disk
truncated           the file ends within a Zstandard frame
corrupt             the file is not Zstandard, or is damaged
=================== ================================================================================
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import msgspec

from agent.sources import thing
from agent.sources.archive_file import MAX_LINE_BYTES, ArchiveFile, Damaged, Line, Place
from agent.sources.protocol import Page
from ipc import logs
from ipc.errors import SourceUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from types import TracebackType

    from ipc.messages import Item
    from ipc.settings import CollectorSettings

_log = logs.log(__name__)

#: What a folder is searched for.
SUFFIXES: Final = (".ndjson", ".ndjson.zst")
#: Lines of one page, at the most; one page is one transaction of the collector's. Chosen, not measured.
PAGE_LINES: Final = 256
#: ... and this many bytes, so that a page of very long lines stays small too. Chosen, not measured.
PAGE_BYTES: Final = 4 * 1024 * 1024
#: As many sentences of a page about bad lines are kept.
REJECTED_KEPT: Final = 5


class ArchiveSource:
    """A :class:`~agent.sources.protocol.Source`; its streams are the names of the files."""

    name = "archive"

    def __init__(self, settings: CollectorSettings, now: Callable[[], float] = time.time) -> None:
        self._path = Path(settings.archive_path).expanduser()
        self._items_per_s = settings.archive_rate
        # A slow pace comes in small pages, about one a second.
        self._page_lines = max(1, min(PAGE_LINES, int(self._items_per_s))) if self._items_per_s else PAGE_LINES
        self._now = now

    async def __aenter__(self) -> Self:
        """Open nothing yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close nothing: each read closes its file."""

    def streams(self) -> Sequence[str]:
        """Return the names of the files, in name order; where there is none, one name that can't be read."""
        try:
            names = [entry.name for entry in self._path.iterdir() if entry.name.endswith(SUFFIXES)]
        except OSError:
            names = []
        return sorted(names) or [self._path.name or str(self._path)]

    async def read(self, stream: str, cursor: str | None) -> AsyncIterator[Page]:
        """Yield the pages of a file since ``cursor``, each with its own cursor.

        Raises:
            SourceUnavailable: with a cause of the table above; what was whole of the file has been given.

        """
        pages = await asyncio.to_thread(_Pages, self._path, stream, _decode(cursor), self._page_lines)
        try:
            while page := await asyncio.to_thread(pages.next, int(self._now())):
                given_s = time.monotonic()
                yield page
                if self._items_per_s:
                    pause_s = len(page.items) / self._items_per_s - (time.monotonic() - given_s)
                    await asyncio.sleep(max(0.0, pause_s))
        finally:
            pages.close()

    async def look_again(self, items: Sequence[Item]) -> Page:  # noqa: ARG002 - none of them changes
        """Return nothing: what stands here stays as it is."""
        return Page(items=())


class _Pages:
    """The pages of one open file. Blocking, and for one thread at a time."""

    def __init__(self, root: Path, stream: str, place: Place | None, page_lines: int) -> None:
        self._name = stream
        self._page_lines = page_lines
        self._failure: SourceUnavailable | None = None
        try:
            path = root / stream if root.is_dir() and stream != root.name else root
            if path.is_dir():
                raise SourceUnavailable(f"no {' or '.join(SUFFIXES)} file is in the folder {path}", "no_such_file")
            self._file = ArchiveFile(path, place)
        except FileNotFoundError as error:
            raise SourceUnavailable(f"there is no file {path}: see ARCHIVE_PATH", "no_such_file") from error
        except OSError as error:
            raise _unreadable(stream, error) from error
        self._is_over = self._file.is_done

    def close(self) -> None:
        self._file.close()

    def next(self, collected_utc: int) -> Page | None:
        """Return the next page, None at the end; an empty one without a cursor on the way back into a packed file.

        Raises:
            SourceUnavailable: the file breaks off here.

        """
        if self._failure is not None:
            raise self._failure
        if self._is_over:
            return None
        items: list[Item] = []
        bad: list[str] = []
        if not self._is_there():
            return Page(items=())
        for line in self._some_lines():
            try:
                items += _item(line, collected_utc)
            except ValueError as error:
                bad.append(f"line {line.number}: {error}")
        cursor = msgspec.json.encode(self._file.place).decode()
        return Page(items=tuple(items), cursor=cursor, rejected=tuple(bad[:REJECTED_KEPT]), rejected_count=len(bad))

    def _is_there(self) -> bool:
        """Go on to where reading stopped; each step is a page of its own, so that a long way back is seen as work."""
        try:
            return self._file.approach()
        except Damaged as damage:
            self._failure = SourceUnavailable(f"{self._name}: {damage}", damage.cause)
        except OSError as error:
            self._failure = _unreadable(self._name, error)
        return False

    def _some_lines(self) -> Iterator[Line]:
        """Yield the lines of one page; note where the file ends or breaks off."""
        size = 0
        try:
            for count, line in enumerate(self._file, start=1):
                if self._is_unfinished(line):
                    break
                self._file.advance(line)
                yield line
                size += len(line.text or b"")
                if count == self._page_lines or size >= PAGE_BYTES:
                    return
            self._file.finish()
        except Damaged as damage:
            self._failure = SourceUnavailable(f"{self._name}: {damage}", damage.cause)
        except OSError as error:
            self._failure = _unreadable(self._name, error)
        self._is_over = True

    def _is_unfinished(self, line: Line) -> bool:
        """Tell whether a plain file ends within this line: its other half may still come.

        A last line without a line break that is a whole JSON object is whole.
        """
        if line.has_break or self._file.is_packed:
            return False
        try:
            msgspec.json.decode(line.text or b"", type=dict[str, msgspec.Raw])
        except ValueError:
            return True
        return False


def _item(line: Line, collected_utc: int) -> list[Item]:
    """Return the item in a line, nothing for a blank one."""
    if line.text is None:
        raise ValueError(f"longer than {MAX_LINE_BYTES} bytes")
    return [thing.from_archive(line.text, collected_utc)] if line.text.strip() else []


def _unreadable(name: str, error: OSError) -> SourceUnavailable:
    return SourceUnavailable(f"{name} can't be read: {error.strerror}", "unreadable")


def _decode(cursor: str | None) -> Place | None:
    if cursor is None:
        return None
    try:
        return msgspec.json.decode(cursor, type=Place)
    except msgspec.DecodeError:
        _log.warning("The cursor can't be read: the file is read from its beginning", cursor=cursor)
        return None
