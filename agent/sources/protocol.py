"""What the collector needs of a source: posts and comments since a cursor.

A source has one or more *streams* (a subreddit, a file), each with a cursor of its own that only the
source understands. The collector keeps the cursor, and commits it together with the items of its page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

import msgspec

from ipc.messages import Item

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from types import TracebackType


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Some items of a stream, and how far the stream has been read with them."""

    items: tuple[Item, ...]
    #: What to hand in at the next read; None leaves the cursor where it was (more pages must come first).
    cursor: str | None = None
    #: The listing ended before the last seen item was reached: what lies between was never seen.
    gap: bool = False
    #: What could not be read: a sentence each (``line 17: not JSON``). Bounded by the source.
    rejected: tuple[str, ...] = ()
    #: How many could not be read, the sentences above being a part of them.
    rejected_count: int = 0


class Source(Protocol):
    """Where posts and comments come from."""

    #: ``reddit``, ``archive`` or ``sample``; stands in every item.
    name: str

    async def __aenter__(self) -> Self:
        """Open what all streams share; does not fail because the outside is away."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Close it."""

    def streams(self) -> Sequence[str]:
        """Return the names of the streams, in the order in which to read them; they are read one after the other."""

    def read(self, stream: str, cursor: str | None) -> AsyncIterator[Page]:
        """Yield the pages of ``stream`` since ``cursor`` (None: from its beginning) until there is nothing more now.

        Raises:
            SourceUnavailable: this stream can't be read for now; pages yielded before stand.

        """

    async def look_again(self, items: Sequence[Item]) -> Page:
        """Look at items that are stored already, and return how they are now, without a cursor.

        One that is gone where it came from comes back ``is_deleted``; one of which nothing was said comes back as it
        was, as looked at now, so that others get their turn.
        A source that does not change (an archive) returns an empty page.

        Raises:
            SourceUnavailable: nothing can be asked for now.

        """
