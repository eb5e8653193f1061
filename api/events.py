"""The route of events: what changes, told as it changes (server-sent events), also to a client that comes back.

Every stream begins with ``hello``. A client that names the last event it saw gets what it missed; where that is not
known any more, its hello says so, and it has to ask for everything again, as at its first time.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta

from api.answers import Answer, Moment, moment
from api.endpoint import Endpoint
from api.errors import Refused
from api.feed import wire
from api.observer import DataChanged, HealthChanged, SystemChanged
from api.parameters import Parameters, read
from api.stream import HEARTBEAT_S, RETRY_FULL_S, EventStream

if TYPE_CHECKING:
    from aiohttp import web

    from api.stream import Clients
    from api.version import Version

#: The same as the parameter; what a browser sends by itself when it comes back.
RESUME_HEADER: Final = "Last-Event-ID"


class EventsParameters(Parameters, frozen=True, kw_only=True):
    """GET /events."""

    #: The id of the last event that was seen; the header ``Last-Event-ID`` is the same and counts before it.
    last_event_id: Annotated[str, Meta(max_length=100)] | None = None


class Hello(Answer, frozen=True, kw_only=True):
    """The first event of every stream."""

    timestamp: Moment
    version: str
    commit: str | None
    heartbeat_s: float
    #: Whether what was missed follows. If not, the last of each kind stands here, null where there was none yet.
    is_resumed: bool
    data: DataChanged | None
    health: HealthChanged | None
    system: SystemChanged | None


class EventRoutes:
    """GET /events."""

    def __init__(self, clients: Clients, version: Version) -> None:
        self._feed = clients.feed
        self._clients = clients
        self._version = version

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        return [
            Endpoint(
                path="/api/v1/events",
                handler=self._events,
                summary="What changes, as it changes: server-sent events.",
                parameters=EventsParameters,
                media_type="text/event-stream",
                problems=(503,),
                is_stream=True,
            )
        ]

    async def _events(self, request: web.Request) -> web.StreamResponse:
        wanted = read(request, EventsParameters)
        if self._clients.is_full:
            self._clients.refused += 1
            raise Refused(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "too_many_clients",
                f"{self._clients.most} clients listen already, and no more may (API_EVENT_CLIENTS).",
                {"Retry-After": str(RETRY_FULL_S)},
            )
        known = self._feed.place(request.headers.get(RESUME_HEADER) or wanted.last_event_id)
        place = self._feed.newest if known is None else known
        first = wire("hello", self._hello(is_resumed=known is not None), self._feed.id(place))
        return EventStream(request, self._clients, place, first)

    def _hello(self, *, is_resumed: bool) -> Hello:
        last = {} if is_resumed else self._feed.last
        data, health, system = last.get("data"), last.get("health"), last.get("system")
        return Hello(
            timestamp=moment(time.time()),
            version=self._version.number,
            commit=self._version.commit,
            heartbeat_s=HEARTBEAT_S,
            is_resumed=is_resumed,
            data=data if isinstance(data, DataChanged) else None,
            health=health if isinstance(health, HealthChanged) else None,
            system=system if isinstance(system, SystemChanged) else None,
        )
