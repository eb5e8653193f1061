"""The two questions that machines ask: does the API live, and may it be sent requests? Open to all, and brief.

``live`` wrong means: start it again. ``ready`` wrong means: send requests elsewhere for now. A restart mends no lost
database, so that one is never a reason not to live.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Literal

from aiohttp import web  # noqa: TC002 - handlers are looked at when the program runs

from api.answers import Answer, reply
from api.endpoint import Endpoint
from api.errors import Refused
from api.single_flight import SingleFlight
from api.store_check import StoreCheck, check

if TYPE_CHECKING:
    from agent.store.protocol import Reading
    from ipc.life import Pulse

LIVE: Final = "/api/v1/live"
READY: Final = "/api/v1/ready"

#: The store's last word counts for so long: whoever may ask without a token must not make it work. Chosen.
_KEEP_S: Final = 1.0


class Live(Answer, frozen=True, kw_only=True):
    """GET /live."""

    status: Literal["live"] = "live"


class Ready(Answer, frozen=True, kw_only=True):
    """GET /ready."""

    status: Literal["ready"] = "ready"


class ProbeRoutes:
    """GET /live and GET /ready."""

    def __init__(self, store: Reading, pulse: Pulse) -> None:
        self._store = store
        self._pulse = pulse
        self._last: tuple[float, StoreCheck] | None = None
        self._checking = SingleFlight[StoreCheck]()

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        return [
            Endpoint(
                path=LIVE,
                handler=self._live,
                summary="Whether the API lives; restart it when not.",
                scope="open",
                answer=Live,
            ),
            Endpoint(
                path=READY,
                handler=self._ready,
                summary="Whether the API can answer: its database does, and it is not about to stop.",
                scope="open",
                answer=Ready,
                problems=(503,),
            ),
        ]

    async def _live(self, _request: web.Request) -> web.Response:
        return reply(Live())

    async def _ready(self, _request: web.Request) -> web.Response:
        if self._pulse.state == "draining" or self._pulse.intake.closed == "draining":
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "restarting", "The API is about to stop.")
        if not (await self._check()).is_connected:
            # Why stands in health, for those who may read.
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "store_unavailable", "The database does not answer.")
        return reply(Ready())

    async def _check(self) -> StoreCheck:
        if self._last is not None and time.monotonic() - self._last[0] <= _KEEP_S:
            return self._last[1]
        return await self._checking.run("store", self._look)

    async def _look(self) -> StoreCheck:
        found = await check(self._store, time.time())
        self._last = time.monotonic(), found  # by its end: a look at a store that hangs takes longer than it counts
        return found
