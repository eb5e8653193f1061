"""The settings: what there is to set, in groups, with defaults. Values only; :mod:`ipc.environment` reads them.

Every process loads the same :class:`Settings` and passes the smallest part that serves down. The defaults run the
whole system with no account, no key and no network.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

Port = Annotated[int, Meta(ge=0, le=65535)]
Count = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]
Megabytes = Annotated[float, Meta(gt=0)]
Names = tuple[str, ...]


class Secret:
    """A value that is never shown: its text forms are masked, :meth:`reveal` gives it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself, for the one call that needs it."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "Secret('***')" if self._value else "Secret('')"

    __str__ = __repr__


class Group(msgspec.Struct, frozen=True, kw_only=True, rename="upper", forbid_unknown_fields=True):
    """One group of settings: the field ``api_port`` is the name ``API_PORT``."""


class LogSettings(Group, frozen=True):
    """How and where the processes log."""

    #: The least that is logged.
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    #: ``text`` is key=value, ``json`` one object a line.
    log_format: Literal["text", "json"] = "text"
    #: The one file that all processes log to beside their stdout, in the log folder; ``none`` for no file.
    log_file: str = "backend.log"
    #: At this size the file is renamed to ``.1`` and begun again. Chosen, not measured.
    log_file_max_mb: Megabytes = 50.0


class LifeSettings(Group, frozen=True):
    """What every process does alike."""

    #: How often a process tells the watchdog that it lives.
    beat_interval_s: Seconds = 1.0
    #: How long a stop may drain what is held; supervisord's stopwaitsecs is above it.
    shutdown_grace_s: Seconds = 8.0


class CollectorSettings(Group, frozen=True):
    """What is collected, from where, and how often."""

    #: ``auto`` is reddit when credentials are set, archive when ARCHIVE_PATH is, else sample.
    collection_source: Literal["auto", "reddit", "archive", "sample"] = "auto"
    subreddits: Names = (
        "Cursor",
        "Bard",
        "GithubCopilot",
        "claude",
        "windsurf",
        "ChatGPTCoding",
        "vibecoding",
        "aws",
        "programming",
        "MachineLearning",
        "artificial",
        "OpenAI",
        "kiroIDE",
        "JulesAgent",
    )
    collection_interval_minutes: Annotated[float, Meta(gt=0, le=1440)] = 30.0
    #: How far back the first cycle of a subreddit without a cursor reads, in hours.
    startup_load_hours: Annotated[float, Meta(ge=0, le=8760)] = 24.0
    #: The most posts, and the most comments, that are read from one subreddit in one cycle.
    reddit_listing_limit: Annotated[int, Meta(ge=1, le=1000)] = 1000
    #: A stored item of Reddit's is looked at again so long after the last look: edited or deleted? 0 is never.
    recheck_after_hours: Annotated[float, Meta(ge=0)] = 24.0
    #: The most that are looked at again after one cycle, a hundred a request.
    recheck_items: Annotated[int, Meta(ge=1, le=100_000)] = 5000
    reddit_client_id: str = ""
    reddit_client_secret: Secret = Secret("")
    reddit_user_agent: str = ""
    #: Where Reddit's API answers; another address is for tests against a local stand-in. Empty is the real one.
    reddit_url: str = ""
    #: No request to Reddit lasts longer. asyncpraw's own default is 16 s.
    reddit_timeout_s: Seconds = 16.0
    #: A file or folder of `.ndjson` or `.ndjson.zst` in the field names of the public Reddit archives.
    archive_path: str = ""
    #: Items a second; 0 is as fast as the analyzer takes them.
    archive_rate: Annotated[float, Meta(ge=0)] = 0.0
    #: Bound of the outbox. Full, the source is not read. 200,000 posts of 1.5 kB are about 300 MB of disk.
    outbox_max_items: Count = 200_000

    @property
    def effective_source(self) -> Literal["reddit", "archive", "sample"]:
        """The source that is read, with ``auto`` decided."""
        if self.collection_source != "auto":
            return self.collection_source
        if self.reddit_client_id:
            return "reddit"
        return "archive" if self.archive_path else "sample"


class AnalyzerSettings(Group, frozen=True):
    """How sentiment is scored."""

    #: ``flair``, or ``onnx``: onnxruntime with the same weights, a start in under a second and a fifth of the memory.
    sentiment_engine: Literal["flair", "onnx"] = "flair"
    #: ``embedded``, a folder, or a hub name that flair loads.
    sentiment_model: str = "embedded"
    #: Threads of one forward pass. One is best when the neighbours are busy.
    analyzer_threads: Annotated[int, Meta(ge=1, le=64)] = 1


class StoreSettings(Group, frozen=True):
    """Where scored items live."""

    #: Set: items live in Azure Cosmos DB; empty: in SQLite.
    cosmos_endpoint: str = ""
    #: Empty with an endpoint: sign in by Entra ID, which needs the extra `entra`.
    cosmos_key: Secret = Secret("")
    cosmos_database: str = "sentiment_analysis"
    #: No call to Cosmos DB lasts longer, connecting and waiting in line included. Chosen: the SDK gives up after 5 s.
    cosmos_request_timeout_s: Seconds = 10.0
    #: How many calls to Cosmos DB one process has under way at most. Chosen, not measured.
    cosmos_concurrency: Annotated[int, Meta(ge=1, le=64)] = 8
    data_retention_days: Count = 90
    #: A query that takes longer is logged with the word slow.
    slow_query_ms: Annotated[float, Meta(ge=0)] = 200.0
    #: How often a store call that found the database busy or away is tried, and the first delay between two tries (s).
    db_retry_max_attempts: Count = 3
    db_retry_base_delay: Seconds = 1.0


class ApiSettings(Group, frozen=True):
    """The HTTP interface."""

    api_host: str = "127.0.0.1"
    api_port: Port = 8000
    #: Origins that a browser may call from, comma-separated; empty for none.
    api_cors_origins: Names = ()
    #: What X-Admin-Token must carry; empty: acting from anywhere but loopback is answered 503.
    admin_token: Secret = Secret("")
    #: Who may read, or act, from elsewhere: name:scope:hash, comma-separated. `sentimentagent token new` makes one.
    api_tokens: Secret = Secret("")
    #: Whether everybody may read, without a token.
    api_public_read: Literal["yes", "no"] = "no"
    #: Addresses and networks of proxies, comma-separated: from them alone X-Forwarded-For is believed.
    api_trusted_proxies: Names = ()
    #: Requests a second from one client, in the long run; 0 for no limit. This machine has none. Chosen, not measured.
    api_rate_per_second: Annotated[float, Meta(ge=0)] = 20.0
    #: Requests at once from a client that has been quiet. Chosen, not measured: a page's first minute is a dozen.
    api_rate_burst: Count = 100
    #: No request takes longer to come, to be answered, or to be taken; streams go on. Chosen, not measured.
    api_request_timeout_s: Seconds = 30.0
    #: Connections at once; what comes from a loopback address has 64 more. Chosen, not measured.
    api_max_connections: Count = 512
    #: Clients that listen to events at once. Chosen, not measured.
    api_event_clients: Count = 100
    #: Data older than this makes health degraded.
    freshness_warning_minutes: Annotated[float, Meta(gt=0)] = 60.0
    #: More failed collections within an hour than this make health degraded.
    failed_collections_warning: Annotated[int, Meta(ge=0)] = 3


class WatchdogSettings(Group, frozen=True):
    """When a process is restarted. Sources of the numbers: docs/settings.md."""

    #: Between two samples, once any process is near a threshold; else up to a second.
    watchdog_interval_s: Seconds = 0.25
    memory_warning_mb: Megabytes = 400.0
    memory_limit_mb: Megabytes = 480.0
    #: The analyzer holds the model: its plateau was measured (docs/model.md) and a margin added.
    analyzer_memory_warning_mb: Megabytes = 1000.0
    analyzer_memory_limit_mb: Megabytes = 1300.0
    #: The ceiling of a process as a multiple of its limit: at 95 % of it nothing is waited for any more.
    memory_ceiling_factor: Annotated[float, Meta(ge=1.1)] = 1.5
    #: What all processes may hold together; over it, the one whose restart costs the user least gives way. 0: no bound.
    family_memory_mb: Annotated[float, Meta(ge=0)] = 0.0
    #: How long what a process has in hand may take before it is restarted for its memory; 0 for no such wait.
    restart_drain_s: Annotated[float, Meta(ge=0)] = 5.0
    #: Over its warning level a process is asked for memory back, once a rise and not again within this time.
    memory_relieve_pause_s: Seconds = 300.0
    #: Over how long the growth of memory is measured: from half of it on, there is a forecast.
    forecast_window_minutes: Annotated[float, Meta(gt=0)] = 30.0
    #: The first minutes of a process, which are no part of it.
    forecast_warm_up_minutes: Annotated[float, Meta(ge=0)] = 10.0
    #: Growth is believed from this Kendall's tau on: 1 is growth at every point, 0 is noise.
    forecast_steadiness: Annotated[float, Meta(gt=0, le=1)] = 0.8
    #: Growth within the window is believed from this many MB on.
    forecast_growth_mb: Annotated[float, Meta(gt=0)] = 10.0
    #: A limit that will be reached within this time is met by a planned restart, unless there is a quiet window.
    forecast_lead_minutes: Annotated[float, Meta(ge=0)] = 10.0
    #: The quiet window for planned restarts, like 03:00-05:00, local time; empty for none.
    restart_window: Annotated[str, Meta(pattern=r"^(([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d)?$")] = ""
    #: Whether every process is restarted in the quiet window once a week.
    restart_weekly: Literal["yes", "no"] = "no"
    #: A restart for memory that is due again within this time did not help: that is told, and planned ones wait longer.
    restart_settle_minutes: Annotated[float, Meta(gt=0)] = 60.0
    #: Whether the watchdog only judges, writes down what it would do (`decisions.ndjson`), and does nothing.
    watchdog_shadow: Literal["yes", "no"] = "no"
    #: Beats that stay away this long are a hung event loop.
    watchdog_hang_after_s: Seconds = 10.0
    #: A unit of work this long past its own deadline is stuck work.
    watchdog_stuck_after_s: Seconds = 60.0
    #: Over the limit in so many samples of the last so many, a process is restarted; the first may not be the more.
    watchdog_strikes: Count = 2
    watchdog_strike_samples: Count = 3
    #: A process that has this many restarts within the period is quarantined, then probed ever more rarely.
    restart_intensity: Count = 5
    restart_period_s: Seconds = 600.0
    quarantine_first_probe_s: Seconds = 60.0
    #: Less room than this on the state folder's disk is told. The outbox at its bound takes about 300 MB. 0: never.
    disk_free_warning_mb: Annotated[float, Meta(ge=0)] = 500.0
    #: More of one core than this for five minutes without a break is told. The analyzer of a backlog needs one.
    cpu_warning_percent: Annotated[float, Meta(gt=0)] = 80.0
    #: What the evidence of an incident may delay a restart, at most; it takes 0.1 s as a rule.
    incident_snapshot_s: Seconds = 2.0
    #: How long an incident's folder is kept.
    incident_keep_days: Count = 30
    #: How many days of samples are kept for trying other thresholds; some 3.6 MB a day, 64 MB at most.
    history_keep_days: Count = 14


class MailSettings(Group, frozen=True):
    """Where alerts go. No SMTP_HOST and no ALERT_URLS: they are logged, and health says that they go nowhere."""

    smtp_host: str = ""
    smtp_port: Port = 587
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_username: str = ""
    smtp_password: Secret = Secret("")
    smtp_timeout_s: Seconds = 10.0
    alert_from: str = ""
    alert_to: Names = ()


class AlertSettings(Group, frozen=True):
    """How alerts are paced, and which channels there are beside mail."""

    #: More channels, by Apprise: comma-separated URLs such as ntfy://host/topic. They need the extra `alerts`.
    alert_urls: Secret = Secret("")
    #: Hours between two reminders of an incident that stays open; 0 for none. Chosen, not measured.
    alert_reminder_h: Annotated[float, Meta(ge=0)] = 4.0
    #: Warnings go out together, this many hours after the first of them; 0 for never. Chosen, not measured.
    alert_digest_h: Annotated[float, Meta(ge=0)] = 24.0
    #: No channel gets more messages than this within an hour; what is more goes together in the next one.
    alert_cap_per_hour: Count = 10
    #: Fetched every minute while all is watched, so that whoever waits for it notices a dead machine.
    alert_deadman_url: Secret = Secret("")


class Folders(msgspec.Struct, frozen=True):
    """Where this copy keeps its things; all below one home folder unless installed elsewhere."""

    home: Path
    #: Sockets; 0700.
    run: Path
    #: outbox.db, sentiment.db and what else must survive a restart.
    state: Path
    logs: Path

    def socket(self, process: str) -> Path:
        """Return the door of ``process``."""
        return self.run / f"{process}.sock"

    def control_socket(self, process: str) -> Path:
        """Return the door at which ``process`` is asked to relieve or to drain itself."""
        return self.run / f"{process}-control.sock"

    @property
    def store(self) -> Path:
        """The scored items."""
        return self.state / "sentiment.db"

    @property
    def outbox(self) -> Path:
        """What was collected and is not yet acknowledged."""
        return self.state / "outbox.db"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of one copy of the system."""

    folders: Folders
    log: LogSettings = LogSettings()
    life: LifeSettings = LifeSettings()
    collector: CollectorSettings = CollectorSettings()
    analyzer: AnalyzerSettings = AnalyzerSettings()
    store: StoreSettings = StoreSettings()
    api: ApiSettings = ApiSettings()
    watchdog: WatchdogSettings = WatchdogSettings()
    mail: MailSettings = MailSettings()
    alerts: AlertSettings = AlertSettings()
    #: What the operator should read once: retired names and settings that do not do what they seem to.
    warnings: tuple[str, ...] = ()
    #: Where each name that is not at its default came from: ``environment`` or the file's path.
    origins: dict[str, str] = {}


GROUPS: Final[dict[str, type[Group]]] = {
    "log": LogSettings,
    "life": LifeSettings,
    "collector": CollectorSettings,
    "analyzer": AnalyzerSettings,
    "store": StoreSettings,
    "api": ApiSettings,
    "watchdog": WatchdogSettings,
    "mail": MailSettings,
    "alerts": AlertSettings,
}

#: Every name that a setting has.
NAMES: Final = frozenset(field.encode_name for kind in GROUPS.values() for field in msgspec.structs.fields(kind))
