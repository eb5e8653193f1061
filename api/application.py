"""The application: every route, and what each request passes on its way to one.

The way itself is in :mod:`api.passage`; what has to be asked behind it has a bound of time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from api.admin import AdminRoutes
from api.endpoint import routes
from api.events import EventRoutes
from api.export import ExportRoutes
from api.feed import Feed
from api.guard import bound
from api.health import HealthRoutes
from api.heavy_work import HeavyWork
from api.known_answers import KnownAnswers
from api.lists import ListRoutes
from api.memory_history import MemoryHistory
from api.metrics import MetricsRoutes
from api.observer import Observer
from api.overview import OverviewRoutes
from api.page import PageRoutes
from api.passage import Passage
from api.posts import PostRoutes
from api.probes import ProbeRoutes
from api.reference import ReferenceRoutes
from api.request_metrics import RequestMetrics
from api.sentiment import SentimentRoutes
from api.shift_routes import ShiftRoutes
from api.static_files import StaticFiles
from api.stream import Clients
from api.subreddits import SubredditRoutes
from api.system import SystemRoutes
from api.trending import TrendingRoutes
from api.verdict import Limits

if TYPE_CHECKING:
    from agent.store.protocol import Reading
    from api.version import Version
    from api.vitals import Vitals
    from ipc.life import Pulse
    from ipc.settings import Settings

#: No call here needs a body; this much is read of one. Chosen, not measured.
MAX_BODY_BYTES: Final = 64 * 1024

#: Who looks for all that listen to events; whoever serves the application runs it.
OBSERVER: Final = web.AppKey("observer", Observer)


def build(settings: Settings, store: Reading, vitals: Vitals, pulse: Pulse, version: Version) -> web.Application:
    """Return the application."""
    health = HealthRoutes(store, vitals, limits(settings), version)
    clients = Clients(Feed(), settings.api.api_event_clients)
    requests = RequestMetrics(pulse)
    history = MemoryHistory(settings.folders.socket("watchdog"))
    known, heavy_work = KnownAnswers(store), HeavyWork(store)
    files = StaticFiles()
    groups = (
        MetricsRoutes(settings, store, vitals, requests, health, clients),
        health,
        ProbeRoutes(store, pulse),
        SentimentRoutes(store),
        OverviewRoutes(store),
        ShiftRoutes(store, heavy_work),
        TrendingRoutes(store, heavy_work),
        ListRoutes(store),
        ExportRoutes(store),
        PostRoutes(store, settings.folders.socket("analyzer")),
        SubredditRoutes(store),
        AdminRoutes(settings.folders.socket("collector")),
        PageRoutes(store, health, files),
        EventRoutes(clients, version),
        SystemRoutes(store, vitals, health, history, clients, settings.collector.subreddits),
    )
    endpoints = [endpoint for group in groups for endpoint in group.endpoints()]
    endpoints += ReferenceRoutes(endpoints, version, files, settings.api).endpoints()
    application = web.Application(
        client_max_size=MAX_BODY_BYTES,
        middlewares=(
            Passage(settings.api, endpoints, known, requests, pulse.intake).middleware(),
            bound(settings.api, endpoints),
        ),
    )
    application.add_routes(routes(endpoints))
    application[OBSERVER] = Observer(store, vitals, health, clients, settings.life.beat_interval_s)
    application.on_shutdown.append(clients.feed.end)
    application.on_cleanup.extend((known.close, heavy_work.close))
    return application


def limits(settings: Settings) -> Limits:
    """Return what is still healthy, by the settings."""
    return Limits(
        memory_warning_mb=settings.watchdog.memory_warning_mb,
        memory_limit_mb=settings.watchdog.memory_limit_mb,
        freshness_minutes=settings.api.freshness_warning_minutes,
        failed_collections=settings.api.failed_collections_warning,
        # Never so short that a beat and the question after it can't be in time.
        silence_s=max(settings.watchdog.watchdog_hang_after_s, 3 * settings.life.beat_interval_s),
    )
