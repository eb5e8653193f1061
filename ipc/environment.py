"""The environment: the operator's `.env` and the process's own variables, decoded once and strictly into Settings.

A name in the environment beats the same name in the file. The file is ``SENTIMENTAGENT_ENV_FILE``, else ``.env`` in
``SENTIMENTAGENT_HOME``.
"""

from __future__ import annotations

import base64
import difflib
import ipaddress
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec
from dotenv import dotenv_values

from ipc import api_tokens
from ipc.addresses import is_loopback_host
from ipc.baseline import baseline_mb, low_thresholds
from ipc.errors import SettingsError
from ipc.settings import (
    GROUPS,
    NAMES,
    ApiSettings,
    Folders,
    Group,
    Names,
    Secret,
    Settings,
    StoreSettings,
    WatchdogSettings,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
    "INCIDENT_",
    "HISTORY_",
    "FORECAST_",
    "FAMILY_",
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
    env_file = settings_file(environ)
    in_file = names_in_file(env_file)
    in_environ = {name: value for name, value in environ.items() if name in NAMES and value != ""}

    values = {name: value for name, value in in_file.items() if name in NAMES and value != ""} | in_environ
    origins = {name: "environment" if name in in_environ else str(env_file) for name in values}
    warnings = _examine_names(in_file, str(env_file)) + _examine_environment(environ)
    groups = {group: _decode(kind, values) for group, kind in GROUPS.items()}
    settings = Settings(folders=_folders(home, environ), origins=origins, **groups)  # type: ignore[arg-type]
    return msgspec.structs.replace(settings, warnings=tuple(warnings + _cross_check(settings)))


def settings_file(environ: Mapping[str, str]) -> Path:
    """Return where the settings file is, or would be."""
    return Path(environ.get("SENTIMENTAGENT_ENV_FILE") or _home(environ) / ".env")


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


def names_in_file(path: Path) -> dict[str, str]:
    """Return every name in the settings file with its text, ours or not; none where there is no file.

    Raises:
        SettingsError: it is there and can't be read.

    """
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


def _decode(kind: type[Group], values: Mapping[str, str]) -> Group:
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
    raise NotImplementedError  # msgspec's word for: this hook does not know the type


def _cross_check(settings: Settings) -> list[str]:
    """Return warnings, and refuse combinations that cannot work."""
    collector, watchdog, mail = settings.collector, settings.watchdog, settings.mail
    if bool(collector.reddit_client_id) != bool(collector.reddit_client_secret):
        raise SettingsError("REDDIT_CLIENT_ID and REDDIT_CLIENT_SECRET go together: one of them is missing")
    if collector.collection_source == "reddit" and not collector.reddit_client_id:
        raise SettingsError("COLLECTION_SOURCE=reddit needs REDDIT_CLIENT_ID and REDDIT_CLIENT_SECRET")
    if collector.collection_source == "archive" and not collector.archive_path:
        raise SettingsError("COLLECTION_SOURCE=archive needs ARCHIVE_PATH: a file or folder of .ndjson or .ndjson.zst")
    held_mb = baseline_mb(settings.analyzer.sentiment_engine)
    _cross_check_watchdog(watchdog, sum(held_mb.values()))
    if mail.smtp_host and not (mail.alert_to and mail.alert_from):
        raise SettingsError("SMTP_HOST is set, but ALERT_TO or ALERT_FROM is not: nobody would get the mail")
    deadman_url = settings.alerts.alert_deadman_url
    if deadman_url and not deadman_url.reveal().lower().startswith(("http://", "https://")):
        raise SettingsError("ALERT_DEADMAN_URL is no http or https address")
    _cross_check_cosmos(settings.store)
    return [*_cross_check_api(settings.api), *low_thresholds(watchdog, held_mb)]


def _cross_check_api(api: ApiSettings) -> Iterator[str]:
    """Refuse to serve other machines before it is said who may read."""
    tokens = api_tokens.parse(api.api_tokens)
    for proxy in api.api_trusted_proxies:
        try:
            ipaddress.ip_network(proxy)
        except ValueError as error:
            raise SettingsError(f"API_TRUSTED_PROXIES: {proxy} is no address or network like 10.0.0.0/8") from error
    if api.api_public_read == "yes":
        yield "API_PUBLIC_READ=yes: everybody who reaches the API may read all that is stored"
    elif not tokens and not is_loopback_host(api.api_host):
        raise SettingsError(
            f"API_HOST={api.api_host} serves other machines, and nothing says who may read: set API_TOKENS"
            " (`sentimentagent token new NAME` makes one), or API_PUBLIC_READ=yes to let everybody read"
        )


def _cross_check_cosmos(store: StoreSettings) -> None:
    if not store.cosmos_endpoint:
        return
    address = urlsplit(store.cosmos_endpoint)
    # Neither is quoted: a connection string, which holds the key, is pasted here easily.
    if address.scheme not in {"http", "https"} or address.username or not address.hostname:
        raise SettingsError("COSMOS_ENDPOINT is no address like https://NAME.documents.azure.com:443/")
    try:
        base64.b64decode(store.cosmos_key.reveal(), validate=True)
    except ValueError:
        raise SettingsError("COSMOS_KEY is no base64, hence no account's key: copy it whole") from None


def _cross_check_watchdog(watchdog: WatchdogSettings, least_mb: int) -> None:
    for warning, limit in (
        ("memory_warning_mb", "memory_limit_mb"),
        ("analyzer_memory_warning_mb", "analyzer_memory_limit_mb"),
    ):
        if getattr(watchdog, warning) > getattr(watchdog, limit):
            raise SettingsError(f"{warning.upper()} is above {limit.upper()}")
    if watchdog.watchdog_strikes > watchdog.watchdog_strike_samples:
        raise SettingsError(
            f"WATCHDOG_STRIKES={watchdog.watchdog_strikes} is above"
            f" WATCHDOG_STRIKE_SAMPLES={watchdog.watchdog_strike_samples}: so many strikes could never be among them"
        )
    if watchdog.restart_weekly == "yes" and not watchdog.restart_window:
        raise SettingsError("RESTART_WEEKLY=yes needs RESTART_WINDOW: when is it quiet?")
    if 0 < watchdog.family_memory_mb < least_mb:
        raise SettingsError(f"FAMILY_MEMORY_MB is below the {least_mb} MB that all hold right after their start")
