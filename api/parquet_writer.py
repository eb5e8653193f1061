"""A process that makes a Parquet file: columns and rows come as lines of JSON on stdin, the file goes to stdout.

``python -m api.parquet_writer``, for :mod:`api.export_formats`. The only module that knows pyarrow, and it knows
nothing else of ours: what the columns are is said in the first line.
"""

from __future__ import annotations

import sys
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any, Final

import msgspec
import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
from pyarrow import parquet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: A group of rows is what is held in memory, and what a reader may skip. Bounds of both kinds: a post has up to 40 kB.
GROUP_ROWS: Final = 10_000
GROUP_BYTES: Final = 8 * 1024 * 1024

_TYPES: Final = {
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "moment": pa.timestamp("s", tz="UTC"),
}


class _Sink:
    """Something to write to that knows how far it is: stdout may be a pipe, which does not."""

    def __init__(self, to: IO[bytes]) -> None:
        self._to = to
        self._written = 0
        self.closed = False

    def write(self, data: bytes) -> int:
        """Write all of it."""
        self._to.write(data)
        self._written += len(data)
        return len(data)

    def tell(self) -> int:
        """Return how much was written."""
        return self._written

    def flush(self) -> None:
        """Pass on what is held."""
        self._to.flush()

    def close(self) -> None:
        """Pass on what is held; who opened the rest closes it."""
        self.flush()
        self.closed = True


def write(lines: Iterable[bytes], to: IO[bytes]) -> None:
    """Write the file."""
    lines = iter(lines)
    kinds: dict[str, str] = msgspec.json.decode(next(lines))
    schema = pa.schema([(name, _TYPES[kind]) for name, kind in kinds.items()])
    moments = [place for place, kind in enumerate(kinds.values()) if kind == "moment"]
    sink = _Sink(to)
    with parquet.ParquetWriter(sink, schema, compression="zstd") as writer:
        for group in _groups(lines):
            rows = [_read(line, moments) for line in group]
            writer.write_table(pa.table([list(column) for column in zip(*rows, strict=True)], schema=schema))
    sink.close()


def _groups(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Yield lines by the group: as many as both bounds let through, at least one."""
    for first in lines:
        group, size = [first], len(first)
        while len(group) < GROUP_ROWS and size < GROUP_BYTES and (line := next(lines, None)):
            group.append(line)
            size += len(line)
        yield group


def _read(line: bytes, moments: Iterable[int]) -> list[Any]:
    row: list[Any] = msgspec.json.decode(line)
    for place in moments:
        row[place] = datetime.fromisoformat(row[place])
    return row


if __name__ == "__main__":
    write(sys.stdin.buffer, sys.stdout.buffer)
