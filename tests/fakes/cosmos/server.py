"""A strict stand-in for an Azure Cosmos DB account (SQL API) on 127.0.0.1, for the real SDK to talk to.

It speaks the REST wire, refuses what the service refuses, counts request units (:mod:`fakes.cosmos.charges` says by
which rule), spreads each container over several physical partitions, and fails on demand in the ways of
:mod:`fakes.cosmos.faults`. :meth:`FakeCosmos.stop` and :meth:`FakeCosmos.start` are the database that goes away and
comes back at the same address with its data. It is not: stored procedures, the change feed of documents, offers,
several regions, resource tokens or Entra ID (whose SDK policy insists on TLS).
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from typing import TYPE_CHECKING, Final, Self

from aiohttp import web
from fakes.cosmos import answers
from fakes.cosmos.account import Account
from fakes.cosmos.charges import Budget, Meter
from fakes.cosmos.faults import Drop, Faults, Hang, Refuse, Slow
from fakes.cosmos.refusal import Refused, throttled
from fakes.cosmos.requests import PAID, Asked, Kind, check_signature

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from fakes.cosmos.documents import Body

#: 64 bytes in base64, as a real key is.
KEY: Final = "ZmFrZSBrZXkgZm9yIHRoZSBmYWtlIENvc21vcyBEQiBhY2NvdW50OyBpdCBvcGVucyBub3RoaW5nIGVsc2UuLg=="
#: Longer than what is refused for its length, so that our own answer says so.
_LONGEST_BODY: Final = 8 * 1024 * 1024


class FakeCosmos:
    """An async context manager; :attr:`url` and :attr:`key` are what a client needs.

    ``now`` is the wall clock that ``_ts`` and time to live go by. ``budget_ru_s`` are the request units a second
    that are provisioned: None throttles only on demand. ``ranges`` is how many physical partitions a container has.
    """

    def __init__(
        self, *, now: Callable[[], float] = time.time, budget_ru_s: float | None = None, ranges: int = 2
    ) -> None:
        self.key = KEY
        self.url = ""
        self.consistency = "Session"
        self.account = Account(now, ranges)
        self.meter = Meter()
        self.faults = Faults()
        #: Set it to throttle, or to None to stop.
        self.budget: Budget | None = Budget(budget_ru_s) if budget_ru_s is not None else None
        self._port = 0
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        """Start on a free port."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop; what hangs is let go."""
        await self.stop()

    async def start(self) -> None:
        """Answer; after a stop at the same address as before."""
        app = web.Application(client_max_size=_LONGEST_BODY)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._closing = asyncio.Event()
        # No grace for requests that hang on purpose.
        self._runner = web.AppRunner(app, shutdown_timeout=0.01, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}/"

    async def stop(self) -> None:
        """Refuse connections and cut those that are open; the data stays. Stopping twice is stopping once."""
        if self._runner is not None:
            self._closing.set()
            await self._runner.cleanup()
            self._runner = None

    def documents(self, database: str, container: str) -> list[Body]:
        """Return all that a container holds, oldest first within each physical partition."""
        found = self.account.container(database, container)
        return [each.body for one in found.ranges for each in found.all(one.id)]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        asked = await Asked.read(request)
        kind = asked.kind
        match fault := self.faults.take(kind):
            case Slow():
                await self._wait(fault.delay_s)
            case Drop() | Hang():
                if fault.is_applied:
                    self._respond(asked, kind, None)
                if isinstance(fault, Hang):
                    await self._wait(fault.limit_s)
                if request.transport is not None:
                    request.transport.abort()
                return web.Response()
        return self._respond(asked, kind, fault if isinstance(fault, Refuse) else None)

    async def _wait(self, limit_s: float) -> None:
        """Wait so long, or until the server stops."""
        try:
            async with asyncio.timeout(limit_s):
                await self._closing.wait()
        except TimeoutError:
            return

    def _respond(self, asked: Asked, kind: Kind, fault: Refuse | None) -> web.Response:
        """Carry a request out and count it."""
        try:
            check_signature(asked, self.key)
            if fault is not None:
                raise fault.refused()
            self._let_in(kind)
            given = answers.answer(self.account, self.url, self.consistency, asked)
        except Refused as refused:
            headers = refused.headers | ({"x-ms-substatus": str(refused.substatus)} if refused.substatus else {})
            given = answers.Answer(refused.status, refused.body, refused.charge_ru, headers)
        self.meter.count(kind, given.status, given.charge_ru)
        self.meter.scans += given.is_scan
        if self.budget is not None and kind in PAID:
            self.budget.spend(given.charge_ru)
        return _response(given)

    def _let_in(self, kind: Kind) -> None:
        if self.budget is not None and kind in PAID and (wait_ms := self.budget.wait_ms()):
            raise throttled(wait_ms)


def _response(given: answers.Answer) -> web.Response:
    headers = {"x-ms-request-charge": f"{given.charge_ru:.2f}", "x-ms-activity-id": str(uuid.uuid4())}
    # The standard library's JSON, escaped: half an emoji comes back as it was sent.
    body = json.dumps(given.body).encode() if given.body is not None else None
    content_type = {"content-type": "application/json"} if body is not None else {}
    return web.Response(status=given.status, body=body, headers={**headers, **content_type, **given.headers})
