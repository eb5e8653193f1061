"""What is known of the system, as families of Prometheus: the store, the processes, incidents, freshness, who listens.

Read when it is asked for. What is not known has no line: a figure of 0 is a measured one. Labels are bounded:
processes, verdicts and kinds are ours, and of subreddits, whose names are anybody's, so many are named and the others
only counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agent.records import Latest
from api.store_check import StoreCheck
from api.verdict import HealthStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from api.stream import Clients
    from api.vitals import Vitals
    from ipc.messages import Incident, ProcessReport, StatusReport

#: Those that are collected come first, then those with the most items. Chosen, not measured.
MAX_SUBREDDITS: Final = 50
_BYTES_A_MB: Final = 1024 * 1024
_HOUR_S: Final = 3600


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for this answer."""

    store: StoreCheck = StoreCheck(error="not asked yet")
    status: HealthStatus | None = None
    #: None where the store did not say.
    latest: list[Latest] | None = None
    store_gauges: dict[str, float] = {}
    #: Of the disk that the state folder is on.
    disk_free_bytes: int | None = None
    disk_size_bytes: int | None = None


class SystemCollector(Collector):
    """The system as it was last seen; ``subreddits`` are those that are collected."""

    def __init__(self, vitals: Vitals, clients: Clients, subreddits: Sequence[str]) -> None:
        self._vitals = vitals
        self._clients = clients
        self._subreddits = subreddits
        self.seen = Seen()

    def collect(self) -> Iterable[Metric]:
        """Yield what is known."""
        yield _of_health(self.seen.status)
        yield from _of_store(self.seen)
        yield from _of_subreddits(self.seen, self._subreddits)
        yield from _of_api(self._vitals)
        yield from _of_events(self._clients)
        report, age_s = self._vitals.report, self._vitals.report_age_s
        yield _gauge("sentimentagent_watchdog_report_age_seconds", "Since the watchdog's last report.", age_s)
        if report is not None:
            yield from _of_watchdog(report)
            yield from _of_processes(report.processes)
            yield from _of_outbox(report.processes)


def _gauge(name: str, text: str, value: float | None) -> Metric:
    """Return one figure, or its name without a line when it is not known."""
    family = GaugeMetricFamily(name, text)
    if value is not None:
        family.add_metric((), value)
    return family


def _of_health(status: HealthStatus | None) -> Metric:
    """Return the status as a set of states, of which one is 1."""
    family = GaugeMetricFamily("sentimentagent_health_status", "1 for the status that health has.", labels=("status",))
    if status is not None:
        for each in get_args(HealthStatus):
            family.add_metric((each,), float(each == status))
    return family


def _of_store(seen: Seen) -> Iterator[Metric]:
    store = seen.store
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
        failed = collections.failed_last_hour
        yield _gauge("sentimentagent_cycles_failed_last_hour", "Collection cycles that failed, in an hour.", failed)
    gauges = GaugeMetricFamily("sentimentagent_store_gauge", "What the store tells of itself.", labels=("name",))
    for name, value in seen.store_gauges.items():
        gauges.add_metric((name,), value)
    yield gauges
    yield _gauge("sentimentagent_state_disk_free_bytes", "Left on the state folder's disk.", seen.disk_free_bytes)
    yield _gauge("sentimentagent_state_disk_size_bytes", "Size of that disk.", seen.disk_size_bytes)


def _of_subreddits(seen: Seen, wanted: Sequence[str]) -> Iterator[Metric]:
    of = ("subreddit",)
    unread = GaugeMetricFamily(
        "sentimentagent_subreddit_unread", "1: the last collection could not read it.", labels=("subreddit", "cause")
    )
    if (collections := seen.store.collections) is not None:
        for each in collections.last_failures[:MAX_SUBREDDITS]:
            unread.add_metric((each.subreddit, each.cause), 1)
    yield unread
    if seen.latest is None:
        return
    yield _gauge("sentimentagent_subreddits", "Subreddits that have items.", len(seen.latest))
    created = GaugeMetricFamily(
        "sentimentagent_subreddit_newest_created_timestamp_seconds", "When its newest was written.", labels=of
    )
    collected = GaugeMetricFamily(
        "sentimentagent_subreddit_newest_collected_timestamp_seconds", "When its newest was collected.", labels=of
    )
    items = GaugeMetricFamily("sentimentagent_subreddit_items", "Its scored items.", labels=of)
    for latest in _named(seen.latest, wanted):
        name = (latest.subreddit,)
        items.add_metric(name, latest.items)
        if latest.newest_created_utc is not None:
            created.add_metric(name, latest.newest_created_utc)
        if latest.newest_collected_utc is not None:
            collected.add_metric(name, latest.newest_collected_utc)
    yield from (created, collected, items)


def _named(latest: list[Latest], wanted: Sequence[str]) -> list[Latest]:
    places = {name.lower(): place for place, name in enumerate(wanted)}
    return sorted(latest, key=lambda each: (places.get(each.subreddit.lower(), len(places)), -each.items))[
        :MAX_SUBREDDITS
    ]


def _of_api(vitals: Vitals) -> Iterator[Metric]:
    yield _gauge("sentimentagent_api_uptime_seconds", "Since the API began.", vitals.uptime_s)
    yield _gauge("sentimentagent_api_memory_bytes", "Resident memory.", vitals.memory_mb * _BYTES_A_MB)
    yield _gauge("sentimentagent_api_cpu_percent", "Of one core, in the last second.", vitals.cpu_percent)


def _of_events(clients: Clients) -> Iterator[Metric]:
    yield _gauge("sentimentagent_event_clients", "Clients that listen to events.", len(clients))
    yield _gauge("sentimentagent_event_clients_max", "So many may.", clients.most)
    told = CounterMetricFamily("sentimentagent_events", "Events told, each to all clients.", labels=("kind",))
    for kind, count in clients.feed.told.items():
        told.add_metric((kind,), count)
    dropped = CounterMetricFamily("sentimentagent_event_clients_dropped", "Clients dropped: they took nothing.")
    dropped.add_metric((), clients.dropped)
    refused = CounterMetricFamily("sentimentagent_event_clients_refused", "Clients refused: too many listened.")
    refused.add_metric((), clients.refused)
    yield from (told, dropped, refused)


def _of_watchdog(report: StatusReport) -> Iterator[Metric]:
    opened = [incident for incident in report.incidents if incident.closed_utc is None]
    yield _gauge("sentimentagent_watchdog_uptime_seconds", "Since the watchdog began.", report.uptime_s)
    yield _gauge("sentimentagent_watchdog_round_age_seconds", "Since its last full round.", report.round_age_s)
    yield _gauge("sentimentagent_incidents_open", "Incidents that are not over.", len(opened))
    yield _by_kind(opened)
    yield _gauge("sentimentagent_alerts_waiting", "Alerts that could not be sent yet.", report.alerts_waiting)
    yield _gauge("sentimentagent_supervisor_up", "1 while supervisord answers.", float(report.supervisor_answers))


def _by_kind(opened: Iterable[Incident]) -> Metric:
    family = GaugeMetricFamily(
        "sentimentagent_incident_open", "1: there is such an incident.", labels=("process", "kind", "severity")
    )
    for labels in sorted({(each.process, each.kind, each.severity) for each in opened}):
        family.add_metric(labels, 1)
    return family


def _of_processes(processes: Iterable[ProcessReport]) -> Iterator[Metric]:
    processes = tuple(processes)
    for name, text, field, factor in _FIGURES:
        family = GaugeMetricFamily(f"sentimentagent_process_{name}", text, labels=("process",))
        for each in processes:
            value: float | None = getattr(each, field)
            if value is not None:
                family.add_metric((each.process,), value * factor)
        yield family
    yield from _of_work(processes)


#: A gauge of each process: its name, what it is, the field of :class:`~ipc.messages.ProcessReport`, and its unit.
_FIGURES: Final = (
    ("memory_bytes", "Resident memory, its children's share included.", "memory_mb", _BYTES_A_MB),
    ("memory_warning_bytes", "Above it health is degraded.", "memory_warning_mb", _BYTES_A_MB),
    ("memory_limit_bytes", "Above it, it is restarted.", "memory_limit_mb", _BYTES_A_MB),
    ("memory_growth_bytes_per_second", "The slope of its memory.", "slope_mb_per_h", _BYTES_A_MB / _HOUR_S),
    ("memory_limit_reached_seconds", "Until the limit, at that slope.", "limit_reached_in_s", 1),
    ("cpu_percent", "Of one core.", "cpu_percent", 1),
    ("beat_age_seconds", "Since its last beat.", "beat_age_s", 1),
    ("progress_age_seconds", "Since its last finished unit of work.", "progress_age_s", 1),
    ("uptime_seconds", "Since it began.", "uptime_s", 1),
)


def _of_work(processes: Iterable[ProcessReport]) -> Iterator[Metric]:
    up = GaugeMetricFamily("sentimentagent_process_up", "1 while supervisord calls it running.", labels=("process",))
    restarts = CounterMetricFamily("sentimentagent_process_restarts", "Restarts.", labels=("process",))
    progress = CounterMetricFamily("sentimentagent_process_progress", "Units of work done.", labels=("process",))
    verdict = GaugeMetricFamily(
        "sentimentagent_process_verdict", "1: the watchdog's last word on it.", labels=("process", "verdict")
    )
    gauges = GaugeMetricFamily("sentimentagent_process_gauge", "What it tells itself.", labels=("process", "name"))
    for each in processes:
        of = (each.process,)
        restarts.add_metric(of, each.restarts)
        verdict.add_metric((each.process, each.verdict), 1)
        if each.supervisor_state is not None:
            up.add_metric(of, float(each.supervisor_state == "RUNNING"))
        if each.beat is not None:
            progress.add_metric(of, each.beat.progress)
            for name, value in each.beat.gauges.items():
                gauges.add_metric((each.process, name), value)
    yield from (up, restarts, progress, verdict, gauges)


def _of_outbox(processes: Iterable[ProcessReport]) -> Iterator[Metric]:
    gauges = next((each.beat.gauges for each in processes if each.process == "collector" and each.beat), {})
    yield _gauge("sentimentagent_outbox_items", "Collected and not yet stored.", gauges.get("outbox_items"))
    yield _gauge("sentimentagent_outbox_max_items", "At so many it is full.", gauges.get("outbox_max_items"))
