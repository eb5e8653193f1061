"""The route of the system: each process with its memory over time, what went wrong, what waits, and how fresh data is.

Health is a verdict; this is all that it is made of and what was before. Most of it is the watchdog's word: what it does
not tell is null here, and ``missing`` says why in words.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated, Any, Final

from msgspec import Meta
from msgspec.structs import asdict

from api import freshness
from api.answers import moment, reply, rounded
from api.endpoint import Endpoint
from api.memory_history import SPANS_H
from api.parameters import Parameters, read
from api.store_check import check
from api.system_answers import (
    EventsNow,
    Forecast,
    MemoryAt,
    Outbox,
    PastIncident,
    System,
    SystemProcess,
    WatchdogNow,
)
from ipc.messages import PROCESSES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aiohttp import web

    from agent.store.protocol import Reading
    from api.health import Health, HealthRoutes, ProcessHealth
    from api.memory_history import MemoryHistory, Remembered
    from api.store_check import StoreCheck
    from api.stream import Clients
    from api.vitals import Vitals
    from ipc.messages import Incident, ProcessReport, StatusReport

_HOUR_S: Final = 3600


class SystemParameters(Parameters, frozen=True, kw_only=True):
    """GET /system."""

    #: How much of the memory's history is told.
    hours: Annotated[int, Meta(ge=1, le=SPANS_H[-1])] = 24


class SystemRoutes:
    """GET /system."""

    def __init__(  # noqa: PLR0913, PLR0917 - it tells of all of them
        self,
        store: Reading,
        vitals: Vitals,
        health: HealthRoutes,
        history: MemoryHistory,
        clients: Clients,
        subreddits: Sequence[str],
    ) -> None:
        self._store = store
        self._vitals = vitals
        self._health = health
        self._history = history
        self._clients = clients
        self._subreddits = subreddits

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        return [
            Endpoint(
                path="/api/v1/system",
                handler=self._system,
                summary="The processes with their memory over time, incidents, what waits, and how fresh the data is.",
                parameters=SystemParameters,
                answer=System,
                made_of="system",
            )
        ]

    async def _system(self, request: web.Request) -> web.Response:
        hours = read(request, SystemParameters).hours
        now_utc = time.time()
        found, (latest, why_not), remembered = await asyncio.gather(
            check(self._store, now_utc), freshness.ask(self._store), self._history.of(hours)
        )
        health = self._health.told(found, now_utc)
        report = self._vitals.report
        fresh = None if latest is None else freshness.tell(latest, self._subreddits, _unread(found), now_utc)
        outbox = None if report is None else _outbox(report)
        told = System(
            timestamp=health.timestamp,
            status=health.status,
            reasons=health.reasons,
            memory_every_s=remembered.answer.every_s if remembered.answer else None,
            hours=hours,
            processes=_processes(health, report, remembered, now_utc - hours * _HOUR_S),
            incidents=None if report is None else [_incident(each) for each in reversed(report.incidents)],
            watchdog=_watchdog(health, report),
            outbox=outbox,
            freshness=fresh,
            database=health.database,
            events=self._events(),
            missing=dict(_missing(report, remembered.reason, why_not, outbox)),
        )
        return reply(told, health.source)

    def _events(self) -> EventsNow:
        return EventsNow(
            clients=len(self._clients),
            max_clients=self._clients.most,
            told=self._clients.feed.told.total(),
            dropped=self._clients.dropped,
            refused=self._clients.refused,
        )


def _unread(found: StoreCheck) -> dict[str, str]:
    return {} if found.collections is None else {each.subreddit: each.cause for each in found.collections.last_failures}


def _processes(
    health: Health, report: StatusReport | None, remembered: Remembered, since_utc: float
) -> dict[str, SystemProcess | None]:
    memory: dict[str, list[MemoryAt]] = {}
    if remembered.answer is not None:
        memory = {
            curve.process: [
                MemoryAt(at=moment(each.at_utc), lowest_mb=each.lowest_mb, highest_mb=each.highest_mb)
                for each in curve.points
                if each.at_utc >= since_utc
            ]
            for curve in remembered.answer.curves
        }
    told: dict[str, SystemProcess | None] = dict.fromkeys(PROCESSES)
    for each in report.processes if report else ():
        known = health.processes.get(each.process)
        if known is not None:
            told[each.process] = _process(each, known, memory.get(each.process))
    return told


def _process(each: ProcessReport, known: ProcessHealth, memory: list[MemoryAt] | None) -> SystemProcess:
    fields: dict[str, Any] = asdict(known)
    return SystemProcess(
        **fields,
        progress_age_s=rounded(each.progress_age_s, 1),
        forecast=None
        if each.slope_mb_per_h is None
        else Forecast(
            slope_mb_per_h=round(each.slope_mb_per_h, 1), limit_reached_in_s=rounded(each.limit_reached_in_s, 0)
        ),
        memory=memory,
    )


def _incident(each: Incident) -> PastIncident:
    return PastIncident(
        id=each.id,
        process=each.process,
        kind=each.kind,
        severity=each.severity,
        opened_at=moment(each.opened_utc),
        closed_at=None if each.closed_utc is None else moment(each.closed_utc),
        reason=each.reason,
        action=each.action,
        subjects=each.subjects,
    )


def _watchdog(health: Health, report: StatusReport | None) -> WatchdogNow:
    known = health.watchdog
    return WatchdogNow(
        age_s=known.age_s,
        uptime_seconds=known.uptime_seconds,
        round_age_s=known.round_age_s,
        supervisor_answers=known.supervisor_answers,
        alerts=known.alerts,
        alerts_waiting=known.alerts_waiting,
        warnings=None if report is None else list(report.warnings),
    )


def _outbox(report: StatusReport) -> Outbox | None:
    gauges = next((each.beat.gauges for each in report.processes if each.process == "collector" and each.beat), {})
    if "outbox_items" not in gauges:
        return None
    most = gauges.get("outbox_max_items")
    return Outbox(items=int(gauges["outbox_items"]), max_items=None if most is None else int(most))


def _missing(
    report: StatusReport | None, no_memory: str | None, no_freshness: str | None, outbox: Outbox | None
) -> Iterator[tuple[str, str]]:
    if report is None:
        yield from dict.fromkeys(("processes", "incidents", "watchdog"), "the watchdog has not answered yet").items()
    if no_memory is not None:
        yield "memory", no_memory
    if outbox is None:
        yield "outbox", "the collector has not told how much is in its outbox"
    if no_freshness is not None:
        yield "freshness", f"the store does not answer: {no_freshness}"
