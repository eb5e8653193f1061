"""The answers that are known: told again while they are still true, and, with the store away, marked with their age.

An answer that is made of nothing but the store and the clock is the same as long as the store's state and the second
are: so long it is told again. A write makes every answer new with the next request; nothing old is ever told as new.
With the store away or slow, what was answered last is answered again: 200, with its age. A client that asks for
something else gets the 503. Health is never told so, because it must tell how things are.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from contextvars import ContextVar
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiohttp import hdrs, web

from api.errors import answer_to
from api.representation import Representation, represent
from api.single_flight import SingleFlight, StateLooks
from ipc.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

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
#: With an answer at hand, another is not waited for longer; it is made to its end, and kept. Chosen, not measured.
PATIENCE_S: Final = 3.0

#: How long an answer stays the same while the store does. Windows begin and end with whole seconds. What the processes
#: say changes with their beats, once a second at most, and ages in steps of a tenth are true enough for everybody.
_SPANS_S: Final[dict[MadeOf, float]] = {"store": 1.0, "system": 0.1}

#: The store's state, and the number of the span.
_Moment = tuple[str, int]

_top_level = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class _Known(msgspec.Struct, frozen=True):
    key: str
    told: Representation
    #: When it was true; None where that can't be known.
    moment: _Moment | None
    #: When it was begun to be made, monotonic: what was written since may be missing.
    at_s: float

    @property
    def bytes(self) -> int:
        return len(self.key) + 2 * len(self.told.plain) + _OVERHEAD_BYTES


class KnownAnswers:
    """Keeps answers by path and query, as they were asked."""

    def __init__(
        self,
        store: Reading,
        now_utc: Callable[[], float] = time.time,
        *,
        max_bytes: int = MAX_BYTES,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._looks = StateLooks(store)
        self._flights: SingleFlight[Representation | web.StreamResponse] = SingleFlight()
        self._now_utc = now_utc
        self._max_bytes = max_bytes
        self._patience_s = patience_s
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._bytes = 0
        #: By path and query, what is made although nobody waits for it any more.
        self._late: dict[str, asyncio.Task[Representation | web.StreamResponse]] = {}

    async def close(self, _application: web.Application) -> None:
        """End what nobody waits for; the store is closed next."""
        late = [*self._late.values()]
        for each in late:
            each.cancel()
        await asyncio.gather(*late, return_exceptions=True)

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
            began_s = time.monotonic()
            told = _represented(await handler(request), is_tagged=made_of == "store")
            self._keep(key, told, made_of, moment, began_s)
            return told

        work = make() if moment is None else self._flights.run((key, moment), make)
        if known is None or made_of != "store":
            return await work
        return await self._refreshed(request, work, known)

    async def _refreshed(
        self, request: web.Request, work: Coroutine[Any, Any, Representation | web.StreamResponse], known: _Known
    ) -> Representation | web.StreamResponse:
        """Return what the work makes, or what is known where that takes too long: then it goes on by itself."""
        task = asyncio.create_task(work)
        try:
            return await asyncio.wait_for(asyncio.shield(task), self._patience_s)
        except (StoreUnavailable, TimeoutError):
            return self._again(self._known.get(known.key, known))
        finally:
            if not task.done():
                self._let_go_on(request, known.key, task)

    def _let_go_on(
        self, request: web.Request, key: str, task: asyncio.Task[Representation | web.StreamResponse]
    ) -> None:
        """Keep the task until it ends. One for each key: a store that hangs is not asked more and more."""

        def end(_: object) -> None:
            del self._late[key]
            if not task.cancelled() and isinstance(error := task.exception(), Exception):
                answer_to(request, error)  # logs what nobody foresaw

        if key in self._late:
            task.cancel()
        else:
            self._late[key] = task
            task.add_done_callback(end)

    def _keep(
        self,
        key: str,
        told: Representation | web.StreamResponse,
        made_of: MadeOf,
        moment: _Moment | None,
        began_s: float,
    ) -> None:
        if not isinstance(told, Representation) or (made_of == "store" and told.status != HTTPStatus.OK):
            return
        if (newer := self._known.get(key)) is not None and newer.at_s > began_s:
            return
        is_good_again = made_of == "system" or told.tag is not None
        known = _Known(key, told, moment if is_good_again else None, began_s)
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
