"""The answers that are known: told again while they are still true, and, with the store away, marked with their age.

An answer that is made of nothing but the store and the clock is the same as long as the store's state and the second
are: so long it is told again. A write makes every answer new with the next request; nothing old is ever told as new.
With the store away, what was answered last is answered again: 200, with its age. A client that asks for something else
gets the 503. Health is never told so, because it must tell how things are.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from contextvars import ContextVar
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import hdrs, web

from api.representation import Representation, represent
from api.single_flight import SingleFlight, StateLooks
from ipc.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.typedefs import Handler

    from agent.store.protocol import Reading
    from api.endpoint import Endpoint, MadeOf

#: The store's state that the request in hand saw before anything was asked for it; None where it is not known.
STATE: Final = ContextVar[str | None]("STATE", default=None)

#: Seconds since the answer was true. Present on a stale answer alone.
AGE_HEADER: Final = "X-Stale-Seconds"
#: The same in the body of an answer that is an object.
AGE_FIELD: Final = "stale_seconds"
#: Of all that is kept, counted twice: each answer may be kept packed too. A dashboard asks for some dozen answers, the
#: largest of 1 MB. Chosen, not measured.
MAX_BYTES: Final = 16 * 1024 * 1024
#: What is counted for an answer beside its body: headers and names.
_OVERHEAD_BYTES: Final = 2048
#: With an answer at hand, the store is not waited for longer. Chosen, not measured.
PATIENCE_S: Final = 3.0

#: How long an answer stays the same while the store does. Windows begin and end with whole seconds. What the processes
#: say changes with their beats, once a second at most, and ages in steps of a tenth are true enough for everybody.
_SPANS_S: Final[dict[MadeOf, float]] = {"store": 1.0, "system": 0.1}

#: The store's state, and the number of the span.
_Moment = tuple[str, int]

_top_level = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class _Known(msgspec.Struct, frozen=True):
    told: Representation
    #: When it was true; None where that can't be known.
    moment: _Moment | None
    #: Monotonic.
    at_s: float

    @property
    def bytes(self) -> int:
        return 2 * len(self.told.plain) + _OVERHEAD_BYTES


class KnownAnswers:
    """Keeps answers by path and query, as they were asked."""

    def __init__(
        self,
        store: Reading,
        now_utc: Callable[[], float] = time.time,
        *,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._looks = StateLooks(store)
        self._flights: SingleFlight[Representation | web.StreamResponse] = SingleFlight()
        self._now_utc = now_utc
        self._max_bytes = max_bytes
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._bytes = 0

    async def answer(self, request: web.Request, endpoint: Endpoint | None, handler: Handler) -> web.StreamResponse:
        """Return what is known, or what the handler makes and raises."""
        if endpoint is None or endpoint.method != "GET":
            return await handler(request)
        if endpoint.made_of == "more":
            told = _represented(await handler(request), is_tagged=False)
        else:
            told = await self._told(request, handler, endpoint.made_of)
        return await told.response(request) if isinstance(told, Representation) else told

    async def _told(
        self, request: web.Request, handler: Handler, made_of: MadeOf
    ) -> Representation | web.StreamResponse:
        key = request.raw_path
        state = await self._looks.state()
        moment = None if state is None else (state, int(self._now_utc() / _SPANS_S[made_of]))
        known = self._known.get(key)
        if known is not None and moment is not None and known.moment == moment:
            self._known.move_to_end(key)
            return known.told

        async def make() -> Representation | web.StreamResponse:
            STATE.set(state)
            told = _represented(await handler(request), is_tagged=made_of == "store")
            self._keep(key, told, made_of, moment)
            return told

        stale = known if made_of == "store" else None
        try:
            async with asyncio.timeout(PATIENCE_S if stale else None):
                return await (make() if moment is None else self._flights.run((key, moment), make))
        except (StoreUnavailable, TimeoutError):
            if stale is None:
                raise
            return self._again(stale)

    def _keep(
        self, key: str, told: Representation | web.StreamResponse, made_of: MadeOf, moment: _Moment | None
    ) -> None:
        if not isinstance(told, Representation) or (made_of == "store" and told.status != HTTPStatus.OK):
            return
        is_good_again = made_of == "system" or told.tag is not None
        known = _Known(told, moment if is_good_again else None, time.monotonic())
        if known.bytes > self._max_bytes:
            return
        self._drop(key)
        self._known[key] = known
        self._bytes += known.bytes
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._known)))

    def _drop(self, key: str) -> None:
        if dropped := self._known.pop(key, None):
            self._bytes -= dropped.bytes

    def _again(self, known: _Known) -> web.Response:
        age_s = round(time.monotonic() - known.at_s, 1)
        headers = known.told.headers.copy()
        headers.popall(hdrs.ETAG, None)
        headers[AGE_HEADER] = str(age_s)
        headers[hdrs.CACHE_CONTROL] = "no-store"
        body = known.told.plain
        if body.startswith(b"{"):
            body = msgspec.json.encode(_top_level(body) | {AGE_FIELD: age_s})
        return web.Response(body=body, headers=headers)


def _represented(response: web.StreamResponse, *, is_tagged: bool) -> Representation | web.StreamResponse:
    return represent(response, is_tagged=is_tagged) or response
