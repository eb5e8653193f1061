"""One export on its way: an answer whose body is made while it is sent.

It is made in the place where other answers send their body, when it is through all middleware: so it has their headers,
and is no request in hand for whoever counts, times or bounds requests.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from aiohttp import web

from ipc import logs
from ipc.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from api.answers import Post
    from api.export_formats import Format

_log = logs.log(__name__)


class ExportStream(web.StreamResponse):
    """The answer; ``ended`` is called with it when nothing more is read for it."""

    def __init__(
        self,
        request: web.Request,
        form: Format,
        pages: AsyncGenerator[Sequence[Post]],
        ended: Callable[[ExportStream], None],
        stalled_s: float,
    ) -> None:
        super().__init__()
        self._request = request
        self._form = form
        self._pages = pages
        self._ended = ended
        self._stalled_s = stalled_s

    async def write_eof(self, data: bytes = b"") -> None:
        """Make and send the whole body, then end the answer. aiohttp calls it once the headers are sent."""
        try:
            if self._request.method != "HEAD":
                async with aclosing(self._pages):
                    await self._form.make(self._pages, self._send)
            await super().write_eof(data)
        except (ConnectionError, TimeoutError) as error:
            _log.info("Export ended by its client", reason=str(error) or f"it took nothing for {self._stalled_s:g} s")
            self._tear()
        except StoreUnavailable as error:
            _log.warning("Export torn", reason=str(error))
            self._tear()
        except Exception:  # noqa: BLE001 - no middleware is around this any more
            _log.exception("Export torn", media_type=self._form.media_type)
            self._tear()
        finally:
            self._ended(self)

    async def _send(self, data: bytes) -> None:
        """Send; wait while the buffers are full, and no longer than a client may stall."""
        async with asyncio.timeout(self._stalled_s):
            await self.write(data)

    def _tear(self) -> None:
        """Close the connection without the last chunk of the body: every client sees that it has no whole."""
        if self._request.transport is not None:
            self._request.transport.abort()
