"""The forms of an export: pages of posts go in, bytes come out, and no more than a page is held.

CSV by RFC 4180, a post a row, and NDJSON, a post a line as the lists tell it, are made here. Parquet needs a library
that takes more memory than the whole API, so a process of its own makes it, which ends with the export.
"""

from __future__ import annotations

import asyncio
import csv
import io
import re
import sys
from contextlib import suppress
from datetime import datetime
from http import HTTPStatus
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from api import flat
from api.errors import Refused

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from api.answers import Post

    Pages = AsyncIterator[Sequence[Post]]
    #: Takes bytes, and returns when it can take more.
    Write = Callable[[bytes], Awaitable[None]]

#: A cell that begins so is a formula to a spreadsheet, whoever wrote it (OWASP, CSV Injection): also behind what some
#: take away before they look, blanks, quotes and signs that show nothing.
_FORMULA: Final = re.compile(
    "[\t\r\n]|[\\s\"'\x00-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]*[=+\\-@\uff1d\uff0b\uff0d\uff20]"
)
_CHUNK_BYTES: Final = 64 * 1024

_encoder: Final = msgspec.json.Encoder()


class Format(NamedTuple):
    """One form."""

    media_type: str
    make: Callable[[Pages, Write], Awaitable[None]]
    #: The library that it needs.
    needs: str | None = None

    def check(self) -> None:
        """Do nothing when it can be made here.

        Raises:
            Refused: 501, what it needs is not installed.

        """
        if self.needs is not None and find_spec(self.needs) is None:
            raise Refused(
                HTTPStatus.NOT_IMPLEMENTED,
                "not_installed",
                "Parquet needs a library that is not installed here: pip install 'sentimentagent[parquet]'."
                " The formats csv and ndjson need none.",
            )


async def _csv(pages: Pages, write: Write) -> None:
    await write(_lines([tuple(flat.COLUMNS)]))
    async for posts in pages:
        await write(_lines([tuple(_cell(value) for value in flat.row(post)) for post in posts]))


def _lines(rows: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:  # noqa: ANN401 - whatever a column holds
    """Return the value as a cell: a text that a spreadsheet would run gets the quote that says it is text."""
    if isinstance(value, str):
        return f"'{value}" if _FORMULA.match(value) else value
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else value


async def _ndjson(pages: Pages, write: Write) -> None:
    async for posts in pages:
        await write(_encoder.encode_lines(posts))


async def _parquet(pages: Pages, write: Write) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "api.parquet_writer", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_feed(child, pages), name="export-rows")
            tasks.create_task(_pass_on(child, write), name="export-bytes")
    except ExceptionGroup as group:  # the first says why, the others follow from it
        raise group.exceptions[0] from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def _feed(child: Process, pages: Pages) -> None:
    """Give the child the columns and then the rows, a line each, as fast as it takes them."""
    assert child.stdin  # noqa: S101 - asked for above
    with suppress(ConnectionError):  # it has ended: its status says why
        child.stdin.write(_encoder.encode_lines([flat.COLUMNS]))
        async for posts in pages:
            child.stdin.write(_encoder.encode_lines([flat.row(post) for post in posts]))
            await child.stdin.drain()
    child.stdin.close()


async def _pass_on(child: Process, write: Write) -> None:
    """Pass on what the child makes; raise when it did not end well, because the file is none then."""
    assert child.stdout  # noqa: S101 - asked for above
    while chunk := await child.stdout.read(_CHUNK_BYTES):
        await write(chunk)
    if status := await child.wait():
        raise ChildProcessError(f"the writer of the Parquet file ended with {status}")


FORMATS: Final = {
    "csv": Format("text/csv", _csv),
    "ndjson": Format("application/x-ndjson", _ndjson),
    "parquet": Format("application/vnd.apache.parquet", _parquet, needs="pyarrow"),
}
