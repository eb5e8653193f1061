"""The route of exports: everything that a list would have, in one answer that is made while it is sent.

A page at a time is read from the store, written, and forgotten, as fast as the client takes it: memory does not grow
with what is exported. Whoever goes away ends the reading. An answer that can't be finished is torn and not ended, so
that no client takes a part for the whole.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from api.answers import SOURCE_HEADER, moment, named, post
from api.endpoint import Endpoint
from api.errors import Refused
from api.export_formats import FORMATS
from api.export_stream import ExportStream
from api.filters import ExportParameters
from api.parameters import read

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from aiohttp import web

    from agent.records import Asked, Page
    from agent.store.protocol import Reading
    from api.answers import Post

#: Exports at the same time: each keeps the store busy for as long as it lasts. Chosen, not measured.
MAX_EXPORTS: Final = 2
_RETRY_AFTER: Final = {"Retry-After": "10"}
#: What is held of the store at a time; a post has up to 40 kB on Reddit. Chosen, not measured.
PAGE_ITEMS: Final = 200
#: A client that takes nothing for so long has gone, or might as well. Chosen, not measured.
STALLED_S: Final = 60.0


class ExportRoutes:
    """GET /export."""

    def __init__(self, store: Reading, stalled_s: float = STALLED_S) -> None:
        self._store = store
        self._stalled_s = stalled_s
        # Weak: an answer whose client has gone before it began is never told so, and forgotten.
        self._under_way: WeakSet[ExportStream] = WeakSet()

    @property
    def under_way(self) -> int:
        """How many are being sent."""
        return len(self._under_way)

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        first, *others = (each.media_type for each in FORMATS.values())
        return [
            Endpoint(
                path="/api/v1/export",
                handler=self._export,
                summary="All posts and comments of a list, as a file.",
                parameters=ExportParameters,
                media_type=first,
                other_media_types=tuple(others),
                headers=(SOURCE_HEADER, "Content-Disposition"),
                problems=(501,),
                is_stream=True,
            )
        ]

    async def _export(self, request: web.Request) -> web.StreamResponse:
        wanted = read(request, ExportParameters)
        form, asked = FORMATS[wanted.format], wanted.asked()
        form.check()
        # Before the first byte of the answer, so that a store that is away is a 503 and no torn file.
        first = await self._store.page(asked, None, PAGE_ITEMS)
        sources = (await self._store.contents()).sources
        if self.under_way >= MAX_EXPORTS:
            raise Refused(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "too_many_exports",
                f"{MAX_EXPORTS} exports are under way already: try again when one has ended.",
                _RETRY_AFTER,
            )
        export = ExportStream(request, form, self._pages(asked, first), self._under_way.discard, self._stalled_s)
        export.headers.update(_headers(asked, wanted.format, form.media_type, named(sources)))
        self._under_way.add(export)
        return export

    async def _pages(self, asked: Asked, page: Page) -> AsyncGenerator[Sequence[Post]]:
        """Yield this page and all that follow."""
        while True:
            yield [post(each) for each in page.items]
            if page.next is None:
                return
            page = await self._store.page(asked, page.next, PAGE_ITEMS)


def _headers(asked: Asked, suffix: str, media_type: str, source: str | None) -> dict[str, str]:
    since, until = (f"{moment(each):%Y-%m-%d}" for each in (asked.since_utc, asked.until_utc - 1))
    name = f"sentimentagent-{since}-{until}.{suffix}"
    charset = "; charset=utf-8" if media_type.startswith("text/") else ""
    headers = {"Content-Type": media_type + charset, "Content-Disposition": f'attachment; filename="{name}"'}
    return headers | ({SOURCE_HEADER: source} if source else {})
