"""A store that has as many posts as a test wants, none of them kept: each page is made when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakes.stored import item, scored

from agent.records import Contents, Page
from ipc.errors import StoreUnavailable

if TYPE_CHECKING:
    from agent.records import Asked


class PagedStore:
    """The two calls of a reader that lists and exports make."""

    def __init__(self, items: int, *, content: str = "A text", fails_after: int | None = None) -> None:
        self._items = items
        self._content = content
        self._fails_after = fails_after
        #: Pages that were read.
        self.pages = 0

    async def page(self, _asked: Asked, after: str | None, limit: int) -> Page:
        """Return the next posts; fail once after so many pages."""
        if self.pages == self._fails_after:
            self._fails_after = None
            raise StoreUnavailable("the database is away")
        self.pages += 1
        first = int(after or 0)
        last = min(first + limit, self._items)
        posts = [scored(item(f"t3_{n}", content=self._content)) for n in range(first, last)]
        return Page(items=posts, next=str(last) if last < self._items else None)

    async def contents(self) -> Contents:
        """Return what it holds."""
        return Contents(items=self._items, set_aside=0, newest_collected_utc=None, sources=("sample",))
