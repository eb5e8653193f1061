"""The API's word on health, as the operator's commands ask for it and read it: over HTTP, as anybody could.

Only what the commands use is named; what else an answer holds is ignored, and what it lacks is None.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from ipc.errors import Unavailable
from watchdog import web

if TYPE_CHECKING:
    from ipc.settings import Secret

PATH: Final = "/api/v1/health"

HealthStatus = Literal["healthy", "degraded", "unhealthy"]


class OwnProcess(msgspec.Struct, frozen=True):
    """The process that answered."""

    pid: int | None = None
    memory_mb: float | None = None


class ProcessSeen(msgspec.Struct, frozen=True):
    """One process, by the watchdog's last word to the API."""

    memory_mb: float | None = None
    memory_limit_mb: float | None = None


class FailingSubreddit(msgspec.Struct, frozen=True):
    """What the last collection could not read."""

    subreddit: str
    cause: str


class Application(msgspec.Struct, frozen=True):
    """What the collections brought."""

    data_freshness_minutes: float | None = None
    failing_subreddits: tuple[FailingSubreddit, ...] | None = None


class Database(msgspec.Struct, frozen=True):
    """The store, as the API reads it."""

    connected: bool | None = None
    error: str | None = None
    items: int | None = None


class Health(msgspec.Struct, frozen=True):
    """The answer."""

    status: HealthStatus
    reasons: tuple[str, ...] = ()
    process: OwnProcess = OwnProcess()
    #: None for a process that nobody told of.
    processes: dict[str, ProcessSeen | None] = {}
    application: Application = Application()
    database: Database = Database()


def ask(api_url: str, timeout_s: float, token: Secret | None = None) -> Health:
    """Return the health that the API at ``api_url`` tells, be it good or bad.

    Raises:
        Unavailable: it does not answer, or with something else.

    """
    url = address(api_url)
    answer = web.get(url, timeout_s, token)
    if answer.status == HTTPStatus.UNAUTHORIZED:
        raise Unavailable(f"{url} answered 401: {'the token is wrong' if token else 'reading it needs a token'}")
    try:
        return msgspec.json.decode(answer.body, type=Health)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unavailable(f"{url} answered {answer.status}, and that is no health: {error}") from error


def address(api_url: str) -> str:
    """Return where health is, for a base address or for its own."""
    base = api_url.rstrip("/")
    return base if base.endswith(PATH) else f"{base}{PATH}"
