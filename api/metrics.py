"""The route of metrics, in the text form of Prometheus: requests, the store, and what the watchdog knows.

Requests are counted by a middleware; everything else is read when it is asked for. What is not known has no line.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from functools import cache
from typing import TYPE_CHECKING, Final

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from api import freshness
from api.endpoint import Endpoint
from api.store_check import check
from api.system_metrics import Seen, SystemCollector
from ipc import logs

if TYPE_CHECKING:
    from pathlib import Path

    from aiohttp.typedefs import Middleware

    from agent.store.protocol import Reading
    from api.errors import Handler
    from api.health import HealthRoutes
    from api.stream import Clients
    from api.vitals import Vitals
    from ipc.life import Pulse
    from ipc.settings import Settings

_log = logs.log(__name__)

#: A request that takes longer has a line in the log. Chosen: ten times what the slowest should take.
SLOW_REQUEST_S: Final = 1.0

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class MetricsRoutes:
    """GET /metrics, and the middleware that counts requests."""

    def __init__(  # noqa: PLR0913, PLR0917 - it tells of all of them
        self,
        settings: Settings,
        store: Reading,
        vitals: Vitals,
        pulse: Pulse,
        health: HealthRoutes,
        clients: Clients,
    ) -> None:
        self._store = store
        self._pulse = pulse
        self._health = health
        self._state_folder = settings.folders.state
        # A registry of our own: the library's default one holds whatever any import put there.
        self._registry = CollectorRegistry()
        # A second series beside each counter, with the time of its first count: nothing here reads it.
        disable_created_metrics()  # type: ignore[no-untyped-call] # the library left it untyped
        self._system = SystemCollector(vitals, clients, settings.collector.subreddits)
        self._registry.register(self._system)
        self._requests = Counter(
            "sentimentagent_http_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        #: As many as there are lines: looking one up in the library takes longer than counting.
        self._series = cache(self._new_series)
        self._seconds = Histogram(
            "sentimentagent_http_request_seconds",
            "Time to the answer.",
            ("route",),
            buckets=_BUCKETS_S,
            registry=self._registry,
        )

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        return [
            Endpoint(
                path="/metrics",
                handler=self._metrics,
                summary="Figures for Prometheus.",
                media_type="text/plain",
                made_of="system",
            )
        ]

    async def _metrics(self, _request: web.Request) -> web.Response:
        self._system.seen = await self._look(time.time())
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _look(self, now_utc: float) -> Seen:
        """Ask the store, bounded in time, and the disk."""
        (latest, _), store, disk = await asyncio.gather(
            freshness.ask(self._store), check(self._store, now_utc), asyncio.to_thread(_disk, self._state_folder)
        )
        return Seen(
            store=store,
            status=self._health.told(store, now_utc).status,
            latest=latest,
            store_gauges=self._store.gauges(),
            disk_free_bytes=disk[0] if disk else None,
            disk_size_bytes=disk[1] if disk else None,
        )

    def measure(self) -> Middleware:
        """Return the middleware that counts and times requests; the outermost, so that it sees what is answered."""

        @web.middleware
        async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
            began_s = time.perf_counter()
            response = await handler(request)
            self._note(request, response.status, time.perf_counter() - began_s)
            return response

        return middleware

    def _new_series(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        return self._requests.labels(method, route, str(status)), self._seconds.labels(route)

    def _note(self, request: web.Request, status: int, duration_s: float) -> None:
        route = _route(request)
        count, seconds = self._series(request.method if request.method in _METHODS else "other", route, status)
        count.inc()
        seconds.observe(duration_s)
        self._pulse.progress += 1
        if duration_s > SLOW_REQUEST_S:
            _log.warning(
                "Request slow", method=request.method, route=route, status=status, duration_s=round(duration_s, 3)
            )


def _route(request: web.Request) -> str:
    """Return the route's template: a path could be anything, and each would be a series of its own."""
    resource = request.match_info.route.resource
    return "unmatched" if resource is None else resource.canonical


def _disk(folder: Path) -> tuple[int, int] | None:
    """Return what is free of the folder's disk and how large that is; None where there is no such folder."""
    try:
        found = shutil.disk_usage(folder)
    except OSError:
        return None
    return found.free, found.total
