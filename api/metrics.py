"""The route of metrics, in the text form of Prometheus: requests, the store, and what the watchdog knows.

Requests are counted by a middleware; everything else is read when it is asked for. What is not known has no line.
"""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Final

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from api.endpoint import Endpoint
from api.store_check import StoreCheck, check
from ipc import logs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from aiohttp.typedefs import Middleware

    from agent.store.protocol import Reading
    from api.errors import Handler
    from api.vitals import Vitals
    from ipc.life import Pulse
    from ipc.messages import ProcessReport, StatusReport

_log = logs.log(__name__)

#: A request that takes longer has a line in the log. Chosen: ten times what the slowest should take.
SLOW_REQUEST_S: Final = 1.0

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BYTES_A_MB: Final = 1024 * 1024
_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class MetricsRoutes:
    """GET /metrics, and the middleware that counts requests."""

    def __init__(self, store: Reading, vitals: Vitals, pulse: Pulse) -> None:
        self._store = store
        self._pulse = pulse
        # A registry of our own: the library's default one holds whatever any import put there.
        self._registry = CollectorRegistry()
        # A second series beside each counter, with the time of its first count: nothing here reads it.
        disable_created_metrics()  # type: ignore[no-untyped-call] # the library left it untyped
        self._system = SystemCollector(vitals)
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
        self._system.store = await check(self._store, time.time())
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

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


class SystemCollector(Collector):
    """The store, the processes and the API itself, as they were last seen."""

    def __init__(self, vitals: Vitals) -> None:
        self._vitals = vitals
        self.store = StoreCheck(error="not asked yet")

    def collect(self) -> Iterable[Metric]:
        """Yield what is known."""
        yield from _of_store(self.store)
        yield from self._of_api()
        report, age_s = self._vitals.report, self._vitals.report_age_s
        yield _gauge("sentimentagent_watchdog_report_age_seconds", "Since the watchdog's last report.", age_s)
        if report is not None:
            yield from _of_watchdog(report)
            yield from _of_processes(report.processes)

    def _of_api(self) -> Iterator[Metric]:
        vitals = self._vitals
        yield _gauge("sentimentagent_api_uptime_seconds", "Since the API began.", vitals.uptime_s)
        yield _gauge("sentimentagent_api_memory_bytes", "Resident memory.", vitals.memory_mb * _BYTES_A_MB)
        yield _gauge("sentimentagent_api_cpu_percent", "Of one core, in the last second.", vitals.cpu_percent)


def _gauge(name: str, text: str, value: float | None) -> Metric:
    """Return one figure, or its name without a line when it is not known."""
    family = GaugeMetricFamily(name, text)
    if value is not None:
        family.add_metric((), value)
    return family


def _of_store(store: StoreCheck) -> Iterator[Metric]:
    yield _gauge("sentimentagent_store_up", "1 while the store answers.", float(store.is_connected))
    if (contents := store.contents) is not None:
        yield _gauge("sentimentagent_store_items", "Scored items.", contents.items)
        yield _gauge("sentimentagent_store_set_aside", "Items that could not be scored.", contents.set_aside)
        newest = contents.newest_collected_utc
        yield _gauge("sentimentagent_store_newest_collected_timestamp_seconds", "The newest item's collection.", newest)
    if (collections := store.collections) is not None:
        cycles = CounterMetricFamily("sentimentagent_cycles", "Collection cycles that ended.", labels=("outcome",))
        cycles.add_metric(("succeeded",), collections.succeeded)
        cycles.add_metric(("failed",), collections.failed)
        yield cycles


def _of_watchdog(report: StatusReport) -> Iterator[Metric]:
    open_incidents = sum(incident.closed_utc is None for incident in report.incidents)
    yield _gauge("sentimentagent_incidents_open", "Incidents that are not over.", open_incidents)
    yield _gauge("sentimentagent_alerts_waiting", "Alerts that could not be sent yet.", report.alerts_waiting)
    yield _gauge("sentimentagent_supervisor_up", "1 while supervisord answers.", float(report.supervisor_answers))


def _of_processes(processes: Iterable[ProcessReport]) -> Iterator[Metric]:
    up = GaugeMetricFamily("sentimentagent_process_up", "1 while supervisord calls it running.", labels=("process",))
    memory = GaugeMetricFamily("sentimentagent_process_memory_bytes", "Resident memory.", labels=("process",))
    limit = GaugeMetricFamily("sentimentagent_process_memory_limit_bytes", "Its limit.", labels=("process",))
    cpu = GaugeMetricFamily("sentimentagent_process_cpu_percent", "Of one core.", labels=("process",))
    age = GaugeMetricFamily("sentimentagent_process_beat_age_seconds", "Since its last beat.", labels=("process",))
    restarts = CounterMetricFamily("sentimentagent_process_restarts", "Restarts.", labels=("process",))
    progress = CounterMetricFamily("sentimentagent_process_progress", "Units of work done.", labels=("process",))
    gauges = GaugeMetricFamily("sentimentagent_process_gauge", "What it tells itself.", labels=("process", "name"))
    for each in processes:
        of = (each.process,)
        restarts.add_metric(of, each.restarts)
        limit.add_metric(of, each.memory_limit_mb * _BYTES_A_MB)
        if each.supervisor_state is not None:
            up.add_metric(of, float(each.supervisor_state == "RUNNING"))
        if each.memory_mb is not None:
            memory.add_metric(of, each.memory_mb * _BYTES_A_MB)
        if each.cpu_percent is not None:
            cpu.add_metric(of, each.cpu_percent)
        if each.beat_age_s is not None:
            age.add_metric(of, each.beat_age_s)
        if each.beat is not None:
            progress.add_metric(of, each.beat.progress)
            for name, value in each.beat.gauges.items():
                gauges.add_metric((each.process, name), value)
    yield from (up, memory, limit, cpu, age, restarts, progress, gauges)
