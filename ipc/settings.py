"""The settings: the operator's `.env` and the environment, decoded once and strictly.

A name in the environment beats the same name in the file. Every process loads the same
:class:`Settings` and passes the smallest part that serves down. The defaults run the whole
system with no account, no key and no network.

The file is ``SENTIMENTAGENT_ENV_FILE``, else ``.env`` in ``SENTIMENTAGENT_HOME``.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from dotenv import dotenv_values
from msgspec import Meta

from ipc.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

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


class _Group(msgspec.Struct, frozen=True, kw_only=True, rename="upper", forbid_unknown_fields=True):
    """One group of settings: the field ``api_port`` is the name ``API_PORT``."""


class LogSettings(_Group, frozen=True):
    """How and where the processes log."""

    #: The least that is logged.
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    #: ``text`` is key=value, ``json`` one object a line.
    log_format: Literal["text", "json"] = "text"
    #: The one file that all processes log to beside their stdout, in the log folder; ``none`` for no file.
    log_file: str = "backend.log"
    #: At this size the file is renamed to ``.1`` and begun again. Chosen, not measured.
    log_file_max_mb: Megabytes = 50.0


class LifeSettings(_Group, frozen=True):
    """What every process does alike."""

    #: How often a process tells the watchdog that it lives.
    beat_interval_s: Seconds = 1.0
    #: How long a stop may drain what is held; supervisord's stopwaitsecs is above it.
    shutdown_grace_s: Seconds = 8.0


class CollectorSettings(_Group, frozen=True):
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


class AnalyzerSettings(_Group, frozen=True):
    """How sentiment is scored."""

    #: ``embedded``, a folder, or a hub name that flair loads.
    sentiment_model: str = "embedded"
    #: Threads of one forward pass. One is best when the neighbours are busy.
    analyzer_threads: Annotated[int, Meta(ge=1, le=64)] = 1


class StoreSettings(_Group, frozen=True):
    """Where scored items live."""

    cosmos_endpoint: str = ""
    cosmos_key: Secret = Secret("")
    cosmos_database: str = "sentiment_analysis"
    data_retention_days: Count = 90
    #: A query that takes longer is logged with the word slow.
    slow_query_ms: Annotated[float, Meta(ge=0)] = 200.0
    #: How often a store call that found the database busy or away is tried, and the first delay between two tries (s).
    db_retry_max_attempts: Count = 3
    db_retry_base_delay: Seconds = 1.0


class ApiSettings(_Group, frozen=True):
    """The HTTP interface."""

    api_host: str = "127.0.0.1"
    api_port: Port = 8000
    #: Origins that a browser may call from, comma-separated; empty for none.
    api_cors_origins: Names = ()
    #: What X-Admin-Token must carry; empty: acting from anywhere but loopback is answered 503.
    admin_token: Secret = Secret("")
    #: Data older than this makes health degraded.
    freshness_warning_minutes: Annotated[float, Meta(gt=0)] = 60.0
    #: More failed collections within an hour than this make health degraded.
    failed_collections_warning: Annotated[int, Meta(ge=0)] = 3


class WatchdogSettings(_Group, frozen=True):
    """When a process is restarted. Sources of the numbers: docs/settings.md."""

    watchdog_interval_s: Seconds = 0.25
    memory_warning_mb: Megabytes = 400.0
    memory_limit_mb: Megabytes = 480.0
    #: The analyzer holds the model: its plateau was measured (docs/model.md) and a margin added.
    analyzer_memory_warning_mb: Megabytes = 1000.0
    analyzer_memory_limit_mb: Megabytes = 1300.0
    #: Beats that stay away this long are a hung event loop.
    watchdog_hang_after_s: Seconds = 10.0
    #: A unit of work this long past its own deadline is stuck work.
    watchdog_stuck_after_s: Seconds = 60.0
    #: Bad samples in a row before a restart; one clean sample clears them.
    watchdog_strikes: Count = 2
    #: A process that has this many restarts within the period is quarantined, then probed ever more rarely.
    restart_intensity: Count = 5
    restart_period_s: Seconds = 600.0
    quarantine_first_probe_s: Seconds = 60.0


class MailSettings(_Group, frozen=True):
    """Where alerts go. No SMTP_HOST: they are logged, and health says that they go nowhere."""

    smtp_host: str = ""
    smtp_port: Port = 587
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_username: str = ""
    smtp_password: Secret = Secret("")
    smtp_timeout_s: Seconds = 10.0
    alert_from: str = ""
    alert_to: Names = ()


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
    #: What the operator should read once: retired names and settings that do not do what they seem to.
    warnings: tuple[str, ...] = ()
    #: Where each name that is not at its default came from: ``environment`` or the file's path.
    origins: dict[str, str] = {}


GROUPS: Final[dict[str, type[_Group]]] = {
    "log": LogSettings,
    "life": LifeSettings,
    "collector": CollectorSettings,
    "analyzer": AnalyzerSettings,
    "store": StoreSettings,
    "api": ApiSettings,
    "watchdog": WatchdogSettings,
    "mail": MailSettings,
}

#: Names that say where things are; read before the file that may stand there.
PLACES: Final = (
    "SENTIMENTAGENT_HOME",
    "SENTIMENTAGENT_ENV_FILE",
    "SENTIMENTAGENT_RUN_DIR",
    "SENTIMENTAGENT_STATE_DIR",
    "SENTIMENTAGENT_LOG_DIR",
)

#: Names of the backend before this one that mean nothing here, and what does their job now.
RETIRED: Final = {
    "AZURE_OPENAI_ENDPOINT": "no language model is asked for a sentiment; SENTIMENT_MODEL chooses the model",
    "AZURE_OPENAI_API_KEY": "no language model is asked for a sentiment; SENTIMENT_MODEL chooses the model",
    "AZURE_OPENAI_DEPLOYMENT": "no language model is asked for a sentiment; SENTIMENT_MODEL chooses the model",
    "SENTIMENT_METHOD": "SENTIMENT_MODEL chooses the model",
    "HEALTH_CHECK_ENABLED": "health is always on",
}
_RETIRED_PREFIXES: Final = {"COSMOS_CONTAINER_": "the store names its own containers"}

_OUR_PREFIXES: Final = (
    "SENTIMENTAGENT_",
    "COLLECTION_",
    "SUBREDDIT",
    "REDDIT_",
    "ARCHIVE_",
    "OUTBOX_",
    "ANALYZER_",
    "SENTIMENT_",
    "COSMOS_",
    "API_",
    "WATCHDOG_",
    "MEMORY_",
    "RESTART_",
    "QUARANTINE_",
    "SMTP_",
    "ALERT_",
    "LOG_",
)


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings of this process's copy of the system.

    Raises:
        SettingsError: a value can't be read, or a name in the file (or a ``SENTIMENTAGENT_`` name
            in the environment) is unknown; the text names it and, where one is near, suggests another.

    """
    environ = os.environ if environ is None else environ
    home = _home(environ)
    env_file = Path(environ.get("SENTIMENTAGENT_ENV_FILE") or home / ".env")
    in_file = _read_file(env_file)
    in_environ = {name: value for name, value in environ.items() if name in NAMES and value != ""}

    values = {name: value for name, value in in_file.items() if name in NAMES and value != ""} | in_environ
    origins = {name: "environment" if name in in_environ else str(env_file) for name in values}
    warnings = _examine_names(in_file, str(env_file)) + _examine_environment(environ)
    groups = {group: _decode(kind, values) for group, kind in GROUPS.items()}
    settings = Settings(folders=_folders(home, environ), origins=origins, **groups)  # type: ignore[arg-type]
    return msgspec.structs.replace(settings, warnings=tuple(warnings + _cross_check(settings)))


def _home(environ: Mapping[str, str]) -> Path:
    given = environ.get("SENTIMENTAGENT_HOME")
    if given:
        return Path(given).expanduser().absolute()
    base = environ.get("XDG_STATE_HOME") or Path(environ.get("HOME", "~")).expanduser() / ".local" / "state"
    return Path(base) / "sentimentagent"


def _folders(home: Path, environ: Mapping[str, str]) -> Folders:
    def place(name: str, default: str) -> Path:
        return Path(environ.get(f"SENTIMENTAGENT_{name}_DIR") or home / default)

    return Folders(home=home, run=place("RUN", "run"), state=place("STATE", "state"), logs=place("LOG", "logs"))


def _read_file(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        return {name: value or "" for name, value in dotenv_values(path, interpolate=False).items()}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} can't be read: {error}") from error


def _examine_names(in_file: Mapping[str, str], origin: str) -> list[str]:
    """Return a warning for each name in the file that we accept without using it; refuse our own misspelt."""
    warnings = []
    for name in in_file:
        if name in NAMES or name in PLACES:
            continue
        if (instead := _retired(name)) is not None:
            warnings.append(f"{name} in {origin} has no effect: {instead}")
        elif name.startswith(_OUR_PREFIXES) or _nearest(name):
            raise SettingsError(_unknown(name, origin))
        else:
            warnings.append(f"{name} in {origin} has no effect: no such setting")
    return warnings


def _examine_environment(environ: Mapping[str, str]) -> list[str]:
    """Refuse unknown ``SENTIMENTAGENT_`` names. Other strangers in an environment are none of our business."""
    for name in environ:
        if name.startswith("SENTIMENTAGENT_") and name not in PLACES and not name.startswith("SENTIMENTAGENT_TEST_"):
            raise SettingsError(_unknown(name, "the environment"))
    return [
        f"{name} in the environment has no effect: {instead}"
        for name in environ
        if (instead := _retired(name)) is not None
    ]


def _retired(name: str) -> str | None:
    if name in RETIRED:
        return RETIRED[name]
    return next((text for prefix, text in _RETIRED_PREFIXES.items() if name.startswith(prefix)), None)


def _nearest(name: str) -> str | None:
    return next(iter(difflib.get_close_matches(name, [*NAMES, *PLACES], n=1, cutoff=0.8)), None)


def _unknown(name: str, origin: str) -> str:
    nearest = _nearest(name)
    return f"{name} in {origin} is no setting of ours" + (f"; did you mean {nearest}?" if nearest else "")


def _decode(kind: type[_Group], values: Mapping[str, str]) -> _Group:
    raw: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if (value := values.get(field.encode_name)) is not None:
            raw[field.encode_name] = _split(value) if field.type == Names else value.strip()
    try:
        return msgspec.convert(raw, kind, strict=False, dec_hook=_decode_secret)
    except msgspec.ValidationError as error:
        # msgspec ends its text with the path "`$.API_PORT`"; a secret's value never stands in it.
        raise SettingsError(f"a setting can't be read: {str(error).replace('$.', '')}") from error


def _split(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def _decode_secret(kind: type, value: object) -> Secret:
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    raise NotImplementedError


def _cross_check(settings: Settings) -> list[str]:
    """Return warnings, and refuse combinations that cannot work."""
    collector, watchdog, mail = settings.collector, settings.watchdog, settings.mail
    if bool(collector.reddit_client_id) != bool(collector.reddit_client_secret):
        raise SettingsError("REDDIT_CLIENT_ID and REDDIT_CLIENT_SECRET go together: one of them is missing")
    if collector.collection_source == "reddit" and not collector.reddit_client_id:
        raise SettingsError("COLLECTION_SOURCE=reddit needs REDDIT_CLIENT_ID and REDDIT_CLIENT_SECRET")
    if collector.collection_source == "archive" and not collector.archive_path:
        raise SettingsError("COLLECTION_SOURCE=archive needs ARCHIVE_PATH: a file or folder of .ndjson or .ndjson.zst")
    for warning, limit in (
        ("memory_warning_mb", "memory_limit_mb"),
        ("analyzer_memory_warning_mb", "analyzer_memory_limit_mb"),
    ):
        if getattr(watchdog, warning) > getattr(watchdog, limit):
            raise SettingsError(f"{warning.upper()} is above {limit.upper()}")
    if mail.smtp_host and not (mail.alert_to and mail.alert_from):
        raise SettingsError("SMTP_HOST is set, but ALERT_TO or ALERT_FROM is not: nobody would get the mail")
    if settings.store.cosmos_endpoint:
        store = settings.folders.store
        return [f"COSMOS_ENDPOINT is set, but this version has no Cosmos DB store: items are kept in SQLite at {store}"]
    return []


def _names() -> frozenset[str]:
    return frozenset(field.encode_name for kind in GROUPS.values() for field in msgspec.structs.fields(kind))


#: Every name that a setting has.
NAMES: Final = _names()
