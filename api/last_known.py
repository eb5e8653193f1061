"""The last known answers: with the store away, what was answered last is answered again, marked with its age.

Only what was read from the store, by its path and query, and only whole answers; health is never among them, because it
must tell how things are. A client that asks for something else gets the 503.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiohttp import web

from ipc.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.typedefs import Handler, Middleware

#: Seconds since the answer was true. Present on a stale answer alone.
AGE_HEADER: Final = "X-Stale-Seconds"
#: The same in the body of an answer that is an object.
AGE_FIELD: Final = "stale_seconds"
#: Bounds of what is kept: a dashboard asks for some dozen answers, the largest of 1 MB. Chosen, not measured.
MAX_ANSWERS: Final = 256
MAX_BYTES: Final = 8 * 1024 * 1024
#: With an answer at hand, the store is not waited for longer. Chosen, not measured.
PATIENCE_S: Final = 3.0

_NEVER: Final = frozenset({"/api/v1/health"})


class _Answer(msgspec.Struct, frozen=True):
    body: bytes
    headers: dict[str, str]
    at_s: float


class LastKnown:
    """Keeps answers; ``clock_s`` is monotonic."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._answers: OrderedDict[str, _Answer] = OrderedDict()
        self._bytes = 0

    def middleware(self) -> Middleware:
        """Return the middleware, the innermost: it sees what the handler raises."""

        @web.middleware
        async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.method != "GET" or not request.path.startswith("/api/v1/") or request.path in _NEVER:
                return await handler(request)
            known = self._answers.get(request.path_qs)
            try:
                async with asyncio.timeout(PATIENCE_S if known else None):
                    response = await handler(request)
            except (StoreUnavailable, TimeoutError):
                if known is None:
                    raise
                return self._again(known)
            self._keep(request.path_qs, response)
            return response

        return middleware

    def _keep(self, key: str, response: web.StreamResponse) -> None:
        if not isinstance(response, web.Response) or response.status != HTTPStatus.OK:
            return
        body = response.body
        if not isinstance(body, bytes) or len(body) > MAX_BYTES:
            return
        self._drop(key)
        headers = {name: value for name, value in response.headers.items() if name.lower() != "content-length"}
        self._answers[key] = _Answer(body, headers, self._clock_s())
        self._bytes += len(body)
        while len(self._answers) > MAX_ANSWERS or self._bytes > MAX_BYTES:
            self._drop(next(iter(self._answers)))

    def _drop(self, key: str) -> None:
        if dropped := self._answers.pop(key, None):
            self._bytes -= len(dropped.body)

    def _again(self, known: _Answer) -> web.Response:
        age_s = round(self._clock_s() - known.at_s, 1)
        body: Any = msgspec.json.decode(known.body)
        told = msgspec.json.encode(body | {AGE_FIELD: age_s}) if isinstance(body, dict) else known.body
        return web.Response(body=told, headers=known.headers | {AGE_HEADER: str(age_s), "Cache-Control": "no-store"})
