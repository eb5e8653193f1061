"""One archive file as a stream of lines, plain or Zstandard, in memory that does not grow with the file.

Blocking; knows nothing of items. :class:`Place` says how far a file has been read, and notices when
another file has taken its name.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

import msgspec
import zstandard

from ipc import logs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_log = logs.log(__name__)

#: A longer line is passed over. Reddit's longest text (40,000 characters) fits with every one of them escaped.
MAX_LINE_BYTES: Final = 1024 * 1024
#: As many of a file's first bytes tell it from another one.
HEAD_BYTES: Final = 4096
#: What the big archives are packed with (zstd --long=31): unpacking them takes as much memory as their window.
MAX_WINDOW_BYTES: Final = 2**31
#: From here on the log says how much that is. Chosen: a quarter of the collector's memory warning.
TOLD_WINDOW_BYTES: Final = 100 * 1024 * 1024

#: As many unpacked bytes are passed over at once on the way to a place: some seconds. Chosen, not measured.
APPROACH_BYTES: Final = 1024 * 1024 * 1024

_PLAIN_CHUNK_BYTES: Final = 64 * 1024
# RFC 8878: four bytes of Zstandard can stand for a block of 128 KiB, so this much is at most 32 MiB unpacked.
_PACKED_CHUNK_BYTES: Final = 1024
# RFC 8878: no frame's header is longer.
_FRAME_HEADER_BYTES: Final = 18


class Damaged(Exception):
    """The file ends or breaks within a Zstandard frame; ``cause`` is ``truncated`` or ``corrupt``."""

    def __init__(self, text: str, cause: str) -> None:
        super().__init__(text)
        self.cause = cause


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """How far a file has been read."""

    #: Lines read.
    line: int = 0
    #: Where the next one begins, in unpacked bytes.
    offset: int = 0
    #: The last line had no line break yet.
    is_mid_line: bool = False
    #: The file's size when this was written, in bytes as they lie on disk.
    size: int = 0
    #: Digest of the first ``head_bytes`` bytes.
    head: str = ""
    head_bytes: int = 0
    #: Everything that a file of this size holds has been read.
    is_end: bool = False


class Line(NamedTuple):
    """One line and where it ends."""

    number: int
    end: int
    #: None when it is longer than :data:`MAX_LINE_BYTES`.
    text: bytes | None
    #: False for what follows the last line break.
    has_break: bool


class ArchiveFile:
    """An open file, from the place where reading stopped. Not for two threads at once."""

    def __init__(self, path: Path, place: Place | None) -> None:
        """Open the file.

        Raises:
            OSError: it isn't there, or can't be read.

        """
        self.is_packed = path.suffix == ".zst"
        self._file = path.open("rb")
        try:
            self._begin(path.name, place)
        except BaseException:
            self._file.close()
            raise

    def _begin(self, name: str, place: Place | None) -> None:
        self._size = os.fstat(self._file.fileno()).st_size
        if place is not None and not self._is_same(place):
            _log.warning("The archive file is another one now: read from its beginning", file=name)
            place = None
        self.place = self._stamped(place or Place())
        #: Nothing has come since all of it was read.
        self.is_done = place is not None and place.is_end and place.size == self._size
        if self.is_packed and not self.is_done:
            self._file.seek(0)
            _tell_window(self._file.read(_FRAME_HEADER_BYTES), name)
        #: How many bytes there are to the place yet, and what stands behind it in the chunk that holds it.
        self._ahead = self.place.offset if self.is_packed else 0
        self._begun = b""
        self._file.seek(0 if self.is_packed else self.place.offset)
        plain = iter(lambda: self._file.read(_PLAIN_CHUNK_BYTES), b"")
        self._chunks: Iterator[bytes] = _unpacked(self._file) if self.is_packed else plain
        # A line that was taken without its line break is gone on with under the same number.
        number = self.place.line - self.place.is_mid_line
        self._lines = lines_of(self._behind_the_place(), number, self.place.offset)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __iter__(self) -> Iterator[Line]:
        """Return the lines that are left; going on with it later goes on in the file.

        Raises:
            Damaged: when everything before the damage has been given.
            OSError: reading failed.

        """
        return self._lines

    def approach(self, most_bytes: int = APPROACH_BYTES) -> bool:
        """Go towards the place where reading stopped, by so many unpacked bytes; tell whether it is reached.

        A packed file has no way there but through all that comes before, which may take minutes. Iterating goes the
        rest of the way by itself.

        Raises:
            Damaged: the file breaks before that place.
            OSError: reading failed.

        """
        passed = 0
        while self._ahead > 0 and passed < most_bytes:
            chunk = next(self._chunks, None)
            if chunk is None:
                self._ahead = 0
                break
            passed += len(chunk)
            self._begun = chunk[self._ahead :]
            self._ahead = max(0, self._ahead - len(chunk))
        return self._ahead == 0

    def advance(self, line: Line) -> None:
        """Note that ``line`` has been read."""
        self.place = msgspec.structs.replace(
            self.place, line=line.number, offset=line.end, is_mid_line=not line.has_break
        )

    def finish(self) -> None:
        """Note that all of the file has been read."""
        self.place = msgspec.structs.replace(self.place, is_end=True)

    def _is_same(self, place: Place) -> bool:
        return self._size >= place.size and self._head(place.head_bytes) == place.head

    def _stamped(self, place: Place) -> Place:
        length = min(HEAD_BYTES, self._size)
        return msgspec.structs.replace(place, size=self._size, head=self._head(length), head_bytes=length, is_end=False)

    def _head(self, length: int) -> str:
        self._file.seek(0)
        return hashlib.blake2b(self._file.read(length), digest_size=8).hexdigest()

    def _behind_the_place(self) -> Iterator[bytes]:
        while not self.approach():
            pass
        yield self._begun
        yield from self._chunks


def lines_of(chunks: Iterator[bytes], number: int, offset: int) -> Iterator[Line]:
    """Yield the lines in ``chunks``, the first of them being ``number`` + 1 and beginning at ``offset``.

    Holds at most one chunk and one line; what follows the last line break comes last, if anything does.
    """
    kept = bytearray()
    length = 0
    for chunk in chunks:
        *ends, rest = chunk.split(b"\n")
        for part in ends:
            length += len(part)
            number += 1
            offset += length + 1
            yield Line(number, offset, bytes(kept + part) if length <= MAX_LINE_BYTES else None, has_break=True)
            kept.clear()
            length = 0
        length += len(rest)
        if length <= MAX_LINE_BYTES:
            kept += rest
    if length:
        yield Line(number + 1, offset + length, bytes(kept) if length <= MAX_LINE_BYTES else None, has_break=False)


def _unpacked(file: BinaryIO) -> Iterator[bytes]:
    """Yield what the file's frames hold, one frame after the other.

    Raises:
        Damaged: after the last byte that could be unpacked.

    """
    unpacker = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
    frame, has_begun = unpacker.decompressobj(), False
    try:
        while packed := file.read(_PACKED_CHUNK_BYTES):
            while packed:
                has_begun = True
                yield frame.decompress(packed)
                packed = frame.unused_data if frame.eof else b""
                if frame.eof:
                    frame, has_begun = unpacker.decompressobj(), False
    except zstandard.ZstdError as error:
        raise Damaged(f"the file is not Zstandard, or damaged ({error})", "corrupt") from error
    if has_begun:
        raise Damaged("the file ends within a Zstandard frame: it was cut off, or is still being written", "truncated")


def _tell_window(header: bytes, name: str) -> None:
    try:
        window_bytes = zstandard.get_frame_parameters(header).window_size
    except zstandard.ZstdError:
        return  # reading it will say what is wrong
    if window_bytes > TOLD_WINDOW_BYTES:
        _log.warning("Unpacking this archive takes memory", file=name, window_mb=window_bytes // 1024**2)
