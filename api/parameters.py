"""What a request may ask for: one frozen struct a call, decoded from the query string, with its ranges.

Unknown parameters are ignored, as the backend before this one did; of a parameter that is given twice the last counts.
"""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta

from api.errors import Refused

if TYPE_CHECKING:
    from aiohttp import web

#: The longest window of the calls that take any: 90 days.
MAX_HOURS: Final = 2160
_HOUR_S: Final = 3600
_DAY_S: Final = 86_400

#: Reddit's names have at most 21 characters, those of users' own pages ("u_...") 22.
Subreddit = Annotated[str, Meta(max_length=100)]

T = TypeVar("T", bound="Parameters")


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all."""


class OfSubreddit(Parameters, frozen=True, kw_only=True):
    """Parameters that may name a subreddit."""

    subreddit: Subreddit | None = None

    @property
    def only(self) -> str | None:
        """The one subreddit that is meant; None for all, which clients also write as nothing or as "all"."""
        return None if self.subreddit is None or self.subreddit.lower() in {"", "all"} else self.subreddit


class StatsParameters(OfSubreddit, frozen=True, kw_only=True):
    """GET /sentiment/stats."""

    hours: Annotated[int, Meta(ge=1, le=168)] = 24


class TrendsParameters(OfSubreddit, frozen=True, kw_only=True):
    """GET /sentiment/trends."""

    hours: Annotated[int, Meta(ge=1, le=720)] = 168


class RecentParameters(OfSubreddit, frozen=True, kw_only=True):
    """GET /posts/recent."""

    hours: Annotated[int, Meta(ge=1, le=168)] = 24
    limit: Annotated[int, Meta(ge=1, le=500)] = 100
    kind: Literal["post", "comment", "all"] = "post"


class InWindow(Parameters, frozen=True, kw_only=True):
    """A window by when items were written: the last ``hours``, or from ``start`` to ``end``."""

    hours: Annotated[int, Meta(ge=1, le=MAX_HOURS)] = 24
    #: ISO 8601, a time or a date; UTC where it names no zone. Left out, ``hours`` before the end.
    start: Annotated[str, Meta(max_length=40)] | None = None
    #: The same; a date means the end of that day. Left out, now.
    end: Annotated[str, Meta(max_length=40)] | None = None

    def window(self, now_utc: float) -> tuple[int, int]:
        """Return the window, half-open, in seconds since the epoch, UTC; without an end it holds this second too.

        Raises:
            Refused: 422, naming what is wrong.

        """
        until_utc = int(now_utc) + 1 if self.end is None else _instant("end", self.end, a_day_s=_DAY_S)
        since_utc = until_utc - self.hours * _HOUR_S if self.start is None else _instant("start", self.start, a_day_s=0)
        if since_utc >= until_utc:
            raise _wrong("start", "expected a time before the end")
        if until_utc - since_utc > MAX_HOURS * _HOUR_S:
            raise _wrong("start", f"expected at most {MAX_HOURS} hours before the end")
        return since_utc, until_utc


class PostParameters(OfSubreddit, frozen=True, kw_only=True):
    """GET /posts/{id}."""

    #: Whether to ask the analyzer for the words behind the verdict.
    explain: bool = False


def read(request: web.Request, kind: type[T]) -> T:
    """Return the request's parameters.

    Raises:
        Refused: 422, naming the first that is wrong.

    """
    given = dict(request.query.items())  # of a repeated name the last stays
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "wrong_parameter", _in_words(str(error), kind)) from error


def _instant(name: str, given: str, *, a_day_s: int) -> int:
    """Return the instant; ``a_day_s`` is added to a date."""
    try:
        found = datetime.fromisoformat(given)
        seconds_utc = int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise _wrong(name, "expected an ISO 8601 time or date, such as 2025-10-15T10:00:00Z") from None
    return seconds_utc + (a_day_s if len(given) <= len("2025-10-15") else 0)


def _wrong(name: str, reason: str) -> Refused:
    return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "wrong_parameter", f"The parameter {name} is wrong: {reason}.")


def _in_words(text: str, kind: type[Parameters]) -> str:
    # msgspec ends its text with the path " - at `$.hours`".
    reason, _, path = text.rpartition(" - at `$.")
    name = path.rstrip("`")
    field = next((field for field in msgspec.structs.fields(kind) if field.name == name), None)
    if field is not None and get_origin(field.type) is Literal:
        reason = f"expected one of {', '.join(get_args(field.type))}"
    return f"The parameter {name} is wrong: {reason[:1].lower()}{reason[1:]}."
