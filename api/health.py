"""The route of health: everything that the verdict was made of, in one object, whatever the verdict is."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from api.answers import SOURCE_HEADER, Answer, Moment, moment, named, reply, rounded
from api.endpoint import Endpoint
from api.store_check import StoreCheck, check
from api.trust import Trust, trust
from api.verdict import Facts, HealthStatus, Limits, Verdict, judge
from ipc.messages import PROCESSES, Incident, ProcessReport, StatusReport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiohttp import web

    from agent.records import Collections
    from agent.store.protocol import Reading
    from api.version import Version
    from api.vitals import Vitals

_SAMPLE: Final = "sample"


class OwnProcess(Answer, frozen=True, kw_only=True):
    """The API process."""

    uptime_seconds: float
    memory_mb: float
    cpu_percent: float | None
    pid: int


class FailingSubreddit(Answer, frozen=True, kw_only=True):
    """A subreddit that the last collection could not read: its silence means nothing."""

    subreddit: str
    cause: str
    detail: str


class Application(Answer, frozen=True, kw_only=True):
    """What the collections brought."""

    last_collection_at: Moment | None
    collections_succeeded: int | None
    collections_failed: int | None
    collections_failed_last_hour: int | None
    #: How old the newest stored item is, by when it was collected.
    data_freshness_minutes: float | None
    failing_subreddits: list[FailingSubreddit] | None


class Database(Answer, frozen=True, kw_only=True):
    """The store."""

    connected: bool
    engine: str
    items: int | None
    #: Items that broke the model and were kept aside.
    set_aside: int | None
    error: str | None


class ProcessHealth(Answer, frozen=True, kw_only=True):
    """What the watchdog knows of one process."""

    supervisor_state: str | None
    #: What it says of itself: starting, ready, paused, draining, stopped.
    state: str | None
    pid: int | None
    uptime_seconds: float | None
    memory_mb: float | None
    memory_warning_mb: float
    memory_limit_mb: float
    cpu_percent: float | None
    beat_age_s: float | None
    waiting_for: str | None
    verdict: str
    reason: str
    restarts: int
    last_restart_at: Moment | None
    last_restart_reason: str | None
    gauges: dict[str, float]
    facts: dict[str, str]


class OpenIncident(Answer, frozen=True, kw_only=True):
    """Something that went wrong and is not over."""

    process: str
    kind: str
    opened_at: Moment
    reason: str
    action: str


class WatchdogHealth(Answer, frozen=True, kw_only=True):
    """How the watchdog is, and how old its word is."""

    #: Seconds since its last report came; null when none ever did.
    age_s: float | None
    uptime_seconds: float | None
    round_age_s: float | None
    supervisor_answers: bool | None
    #: The channels that alerts leave by, such as ``mail``, and behind a colon what is wrong with one; or ``nowhere:``
    #: and why.
    alerts: str | None
    alerts_waiting: int | None
    incidents: list[OpenIncident]


class Health(Answer, frozen=True, kw_only=True):
    """GET /health."""

    status: HealthStatus
    timestamp: Moment
    #: Why it is not healthy, a sentence each.
    reasons: tuple[str, ...]
    #: What a reader should know, and what does not change the status.
    notes: list[str]
    #: All of it for somebody who has five seconds: whether the data can be trusted.
    trust: Trust
    version: str
    commit: str | None
    source: str | None
    process: OwnProcess
    application: Application
    database: Database
    #: By name; null for a process of which the watchdog has told nothing.
    processes: dict[str, ProcessHealth | None]
    watchdog: WatchdogHealth


class HealthRoutes:
    """GET /health, and the same object for the page."""

    def __init__(self, store: Reading, vitals: Vitals, limits: Limits, version: Version) -> None:
        self._store = store
        self._vitals = vitals
        self._limits = limits
        self._version = version

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        return [
            Endpoint(
                path="/api/v1/health",
                handler=self._health,
                summary="How the whole system is, and why.",
                answer=Health,
                made_of="system",
                statuses=(200, 503),
                headers=(SOURCE_HEADER,),
            )
        ]

    async def _health(self, _request: web.Request) -> web.Response:
        health = await self.health()
        status = HTTPStatus.SERVICE_UNAVAILABLE if health.status == "unhealthy" else HTTPStatus.OK
        return reply(health, health.source, status)

    async def health(self) -> Health:
        """Return the health of this moment: one question to the store, bounded in time; all else is at hand."""
        now_utc = time.time()
        return self.told(await check(self._store, now_utc), now_utc)

    def told(self, store: StoreCheck, now_utc: float) -> Health:
        """Return the health of this moment, by what the store said already."""
        facts = Facts(
            store=store,
            memory_mb=self._vitals.memory_mb,
            report=self._vitals.report,
            report_age_s=self._vitals.report_age_s,
            now_utc=now_utc,
        )
        return self._tell(facts, judge(facts, self._limits))

    def _tell(self, facts: Facts, verdict: Verdict) -> Health:
        contents = facts.store.contents
        return Health(
            status=verdict.status,
            timestamp=moment(facts.now_utc),
            reasons=verdict.reasons,
            notes=_notes(facts),
            trust=trust(
                verdict.status,
                verdict.reasons,
                contents.sources if contents else (),
                contents.items if contents else None,
            ),
            version=self._version.number,
            commit=self._version.commit,
            source=named(contents.sources) if contents else None,
            process=OwnProcess(
                uptime_seconds=round(self._vitals.uptime_s, 1),
                memory_mb=round(facts.memory_mb, 1),
                cpu_percent=rounded(self._vitals.cpu_percent, 1),
                pid=self._vitals.pid,
            ),
            application=_application(facts),
            database=_database(facts.store, self._store.engine),
            processes=_processes(facts),
            watchdog=_watchdog(facts),
        )


def _notes(facts: Facts) -> list[str]:
    notes = []
    contents, report = facts.store.contents, facts.report
    if contents is not None and _SAMPLE in contents.sources:
        rest = [source for source in contents.sources if source != _SAMPLE]
        notes.append(
            "the data is sample data that comes with the program: it says nothing about the world"
            if not rest
            else f"the data is mixed: sample data that comes with the program, and {', '.join(rest)}"
        )
    if contents is not None and not contents.items:
        notes.append("the store is empty: nothing has been collected and scored yet")
    if contents is not None and contents.set_aside:
        notes.append(f"{contents.set_aside} items could not be scored and are kept aside")
    collections = facts.store.collections
    if collections is not None and collections.last_failures:
        failing = ", ".join(f"{each.subreddit} ({each.cause})" for each in collections.last_failures)
        notes.append(f"the last collection could not read {failing}")
    if report is not None:
        notes += _troubles(report, is_read=collections is None or not collections.last_failures)
        notes += report.warnings
    if report is not None and ":" in report.alerts:
        notes.append(f"alerts go {'' if report.alerts.startswith('nowhere:') else 'to '}{report.alerts}")
    return notes


def _troubles(report: StatusReport, *, is_read: bool) -> Iterator[str]:
    """Yield the open troubles with the data that nothing else in the answer tells of."""
    kinds = {"silent", "disk", "source"} if is_read else {"silent", "disk"}
    for each in report.incidents:
        if each.process == "data" and each.closed_utc is None and each.kind in kinds:
            yield f"trouble with the data ({each.kind}): {each.reason}"


def _application(facts: Facts) -> Application:
    found = facts.store.collections
    last_utc = found.last_finished_utc if found else None
    return Application(
        last_collection_at=None if last_utc is None else moment(last_utc),
        collections_succeeded=found.succeeded if found else None,
        collections_failed=found.failed if found else None,
        collections_failed_last_hour=found.failed_last_hour if found else None,
        data_freshness_minutes=rounded(facts.freshness_minutes, 1),
        failing_subreddits=_failing(found) if found else None,
    )


def _failing(found: Collections) -> list[FailingSubreddit]:
    return [
        FailingSubreddit(subreddit=each.subreddit, cause=each.cause, detail=each.detail) for each in found.last_failures
    ]


def _database(store: StoreCheck, engine: str) -> Database:
    return Database(
        connected=store.is_connected,
        engine=engine,
        items=store.contents.items if store.contents else None,
        set_aside=store.contents.set_aside if store.contents else None,
        error=store.error,
    )


def _processes(facts: Facts) -> dict[str, ProcessHealth | None]:
    told: dict[str, ProcessHealth | None] = dict.fromkeys(PROCESSES)
    if facts.report is not None:
        told |= {each.process: _process(each) for each in facts.report.processes}
    return told


def _process(each: ProcessReport) -> ProcessHealth:
    beat = each.beat
    return ProcessHealth(
        supervisor_state=each.supervisor_state,
        state=beat.state if beat else None,
        pid=each.pid,
        uptime_seconds=rounded(each.uptime_s, 1),
        memory_mb=rounded(each.memory_mb, 1),
        memory_warning_mb=each.memory_warning_mb,
        memory_limit_mb=each.memory_limit_mb,
        cpu_percent=rounded(each.cpu_percent, 1),
        beat_age_s=rounded(each.beat_age_s, 2),
        waiting_for=beat.waiting_for if beat else None,
        verdict=each.verdict,
        reason=each.reason,
        restarts=each.restarts,
        last_restart_at=None if each.last_restart_utc is None else moment(each.last_restart_utc),
        last_restart_reason=each.last_restart_reason,
        gauges=beat.gauges if beat else {},
        facts=beat.facts if beat else {},
    )


def _watchdog(facts: Facts) -> WatchdogHealth:
    report = facts.report
    return WatchdogHealth(
        age_s=rounded(facts.report_age_s, 2),
        uptime_seconds=rounded(report.uptime_s, 1) if report else None,
        round_age_s=rounded(report.round_age_s, 2) if report else None,
        supervisor_answers=report.supervisor_answers if report else None,
        alerts=report.alerts if report else None,
        alerts_waiting=report.alerts_waiting if report else None,
        incidents=[_incident(each) for each in report.incidents if each.closed_utc is None] if report else [],
    )


def _incident(each: Incident) -> OpenIncident:
    return OpenIncident(
        process=each.process,
        kind=each.kind,
        opened_at=moment(each.opened_utc),
        reason=each.reason,
        action=each.action,
    )
