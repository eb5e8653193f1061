"""What is answered of the system: structs whose fields are the contract (docs/api.md)."""

from __future__ import annotations

from api.answers import Answer, Moment
from api.freshness import Fresh  # noqa: TC001 - as above
from api.health import Database, ProcessHealth
from api.verdict import HealthStatus  # noqa: TC001 - as above
from ipc.messages import Severity  # noqa: TC001 - as above


class MemoryAt(Answer, frozen=True, kw_only=True):
    """The memory of one process, its children's included, in one interval."""

    at: Moment
    lowest_mb: float
    highest_mb: float


class Forecast(Answer, frozen=True, kw_only=True):
    """How memory grows, and where that leads."""

    slope_mb_per_h: float
    #: When the limit is reached at that pace; null where the growth is not steady enough to say so.
    limit_reached_in_s: float | None


class SystemProcess(ProcessHealth, frozen=True, kw_only=True):
    """What is known of one process; more than health tells."""

    #: Since its last finished unit of work.
    progress_age_s: float | None
    #: Null until there is half a window of points.
    forecast: Forecast | None
    #: Oldest first. An interval in which nothing was measured is not there; null where there is no history at all.
    memory: list[MemoryAt] | None


class PastIncident(Answer, frozen=True, kw_only=True):
    """Something that went wrong, and what was done about it."""

    id: str
    process: str
    kind: str
    severity: Severity
    opened_at: Moment
    #: Null while it is open.
    closed_at: Moment | None
    reason: str
    action: str
    #: Of a trouble with the data: what it is about.
    subjects: tuple[str, ...]


class WatchdogNow(Answer, frozen=True, kw_only=True):
    """The watchdog, of whom most of this is."""

    #: Seconds since its last report came; null when none ever did.
    age_s: float | None
    uptime_seconds: float | None
    round_age_s: float | None
    supervisor_answers: bool | None
    alerts: str | None
    alerts_waiting: int | None
    #: What it warns of and the digest will tell.
    warnings: list[str] | None


class Outbox(Answer, frozen=True, kw_only=True):
    """What is collected and not yet scored and stored."""

    items: int
    #: Full, the source is not read.
    max_items: int | None


class EventsNow(Answer, frozen=True, kw_only=True):
    """Who listens to events."""

    clients: int
    max_clients: int
    #: Since the start of the API: events told, clients that were dropped because they took nothing, and those refused.
    told: int
    dropped: int
    refused: int


class System(Answer, frozen=True, kw_only=True):
    """GET /system."""

    timestamp: Moment
    status: HealthStatus
    reasons: tuple[str, ...]
    #: How long the intervals of all ``memory`` are; null where there is no history.
    memory_every_s: int | None
    hours: int
    #: By name; null for a process of which the watchdog has told nothing.
    processes: dict[str, SystemProcess | None]
    #: The newest first, open and closed; some 50 are kept.
    incidents: list[PastIncident] | None
    watchdog: WatchdogNow
    outbox: Outbox | None
    #: Those that are collected first.
    freshness: list[Fresh] | None
    database: Database
    events: EventsNow
    #: Of the fields above that are null, why, a sentence each.
    missing: dict[str, str]
