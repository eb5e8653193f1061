"""The observer: the one who looks for all who listen, and tells the feed what has changed. Nobody's request asks.

It looks at every beat, once a second as a rule, at the store's state, which costs microseconds, and at what the
watchdog said last; at what the store holds only where its state is another one, and now and then in any case.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING, Final

from api.answers import Answer, Moment, moment, named, rounded
from api.store_check import TIMEOUT_S, StoreCheck, check
from api.verdict import HealthStatus  # noqa: TC001 - as above
from ipc import logs
from ipc.errors import StoreUnavailable

if TYPE_CHECKING:
    from agent.store.protocol import Reading
    from api.health import Health, HealthRoutes
    from api.stream import Clients
    from api.vitals import Vitals
    from ipc.messages import ProcessReport, StatusReport

_log = logs.log(__name__)

#: The store is asked what it holds this often although its state is the same: so one that hangs is seen; and one that
#: has no state to tell, which then costs money by the question.
CHECK_EVERY_S: Final = 5.0
CHECK_STATELESS_EVERY_S: Final = 15.0
#: Figures that move are told this often; words that change are told at once.
FIGURES_EVERY_S: Final = 15.0
_AWAY: Final = "away"
_FIGURE: Final = re.compile(r"\d+(\.\d+)?")


class DataChanged(Answer, frozen=True, kw_only=True):
    """``data``: something was written that may change an answer."""

    timestamp: Moment
    items: int
    set_aside: int
    newest_collected_at: Moment | None
    source: str | None


class HealthChanged(Answer, frozen=True, kw_only=True):
    """``health``: its status, its reasons or its notes are others, and not by their figures alone."""

    timestamp: Moment
    status: HealthStatus
    reasons: tuple[str, ...]
    notes: list[str]


class ProcessNow(Answer, frozen=True, kw_only=True):
    """One process in short."""

    state: str | None
    verdict: str
    pid: int | None
    restarts: int
    memory_mb: float | None
    cpu_percent: float | None


class SystemChanged(Answer, frozen=True, kw_only=True):
    """``system``: a process or an incident has changed; every 15 s also what are only figures."""

    timestamp: Moment
    processes: dict[str, ProcessNow]
    incidents_open: int
    alerts_waiting: int
    #: Of the watchdog's word, from which all of this is.
    age_s: float | None


class Observer:
    """Looks for ever."""

    def __init__(
        self, store: Reading, vitals: Vitals, health: HealthRoutes, clients: Clients, interval_s: float
    ) -> None:
        self._store = store
        self._vitals = vitals
        self._health = health
        #: What it tells.
        self.feed = clients.feed
        #: Whom.
        self.clients = clients
        self._interval_s = interval_s
        self._found = StoreCheck(error="not asked yet")
        self._state: str | None = None
        self._checked_s = float("-inf")
        self._told_data: object = None
        self._told_health: object = None
        self._told_system: object = None
        self._figures_s = float("-inf")

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look(time.time(), time.monotonic())
            await asyncio.sleep(self._interval_s)

    async def look(self, now_utc: float, now_s: float) -> None:
        """Look once, at a moment of both clocks."""
        state = await self._state_now()
        every_s = CHECK_STATELESS_EVERY_S if state is None else CHECK_EVERY_S
        if state != self._state or now_s - self._checked_s >= every_s:
            self._found = await check(self._store, now_utc)
            self._state, self._checked_s = state, now_s
        self._tell_data(now_utc)
        self._tell_health(self._health.told(self._found, now_utc))
        if self._vitals.report is not None:
            self._tell_system(self._vitals.report, now_utc, now_s)
        if self.clients.has_gone:
            self.feed.wake()

    async def _state_now(self) -> str | None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._store.state()
        except (StoreUnavailable, TimeoutError) as error:
            _log.debug("The store does not tell its state", reason=str(error))
            return _AWAY

    def _tell_data(self, now_utc: float) -> None:
        found = self._found.contents
        if found is None or (self._state, found) == self._told_data:
            return
        self._told_data = (self._state, found)
        newest_utc = found.newest_collected_utc
        self.feed.tell(
            "data",
            DataChanged(
                timestamp=moment(now_utc),
                items=found.items,
                set_aside=found.set_aside,
                newest_collected_at=None if newest_utc is None else moment(newest_utc),
                source=named(found.sources),
            ),
        )

    def _tell_health(self, health: Health) -> None:
        words = (health.status, [*map(_without_figures, health.reasons)], [*map(_without_figures, health.notes)])
        if words == self._told_health:
            return
        self._told_health = words
        self.feed.tell(
            "health",
            HealthChanged(timestamp=health.timestamp, status=health.status, reasons=health.reasons, notes=health.notes),
        )

    def _tell_system(self, report: StatusReport, now_utc: float, now_s: float) -> None:
        words = (
            [(each.process, _state(each), each.verdict, each.pid, each.restarts) for each in report.processes],
            [(each.id, each.closed_utc) for each in report.incidents],
        )
        if words == self._told_system and now_s - self._figures_s < FIGURES_EVERY_S:
            return
        self._told_system, self._figures_s = words, now_s
        self.feed.tell(
            "system",
            SystemChanged(
                timestamp=moment(now_utc),
                processes={each.process: _process(each) for each in report.processes},
                incidents_open=sum(each.closed_utc is None for each in report.incidents),
                alerts_waiting=report.alerts_waiting,
                age_s=rounded(self._vitals.report_age_s, 2),
            ),
        )


def _process(each: ProcessReport) -> ProcessNow:
    return ProcessNow(
        state=_state(each),
        verdict=each.verdict,
        pid=each.pid,
        restarts=each.restarts,
        memory_mb=rounded(each.memory_mb, 1),
        cpu_percent=rounded(each.cpu_percent, 1),
    )


def _state(each: ProcessReport) -> str | None:
    return each.beat.state if each.beat else None


def _without_figures(sentence: str) -> str:
    return _FIGURE.sub("#", sentence)
