"""The route of metrics, in the text form of Prometheus: requests, the store, and what the watchdog knows.

Everything but the requests is read when it is asked for. What is not known has no line.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from api import freshness
from api.endpoint import Endpoint
from api.store_check import check
from api.system_metrics import Seen, SystemCollector

if TYPE_CHECKING:
    from pathlib import Path

    from agent.store.protocol import Reading
    from api.health import HealthRoutes
    from api.request_metrics import RequestMetrics
    from api.stream import Clients
    from api.vitals import Vitals
    from ipc.settings import Settings


class MetricsRoutes:
    """GET /metrics."""

    def __init__(  # noqa: PLR0913, PLR0917 - it tells of all of them
        self,
        settings: Settings,
        store: Reading,
        vitals: Vitals,
        requests: RequestMetrics,
        health: HealthRoutes,
        clients: Clients,
    ) -> None:
        self._store = store
        self._health = health
        self._state_folder = settings.folders.state
        # A registry of our own: the library's default one holds whatever any import put there.
        self._registry = CollectorRegistry()
        self._system = SystemCollector(vitals, clients, settings.collector.subreddits)
        self._registry.register(self._system)
        self._registry.register(requests)

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


def _disk(folder: Path) -> tuple[int, int] | None:
    """Return what is free of the folder's disk and how large that is; None where there is no such folder."""
    try:
        found = shutil.disk_usage(folder)
    except OSError:
        return None
    return found.free, found.total
