"""What a request may ask for: one frozen struct a call, decoded from the query string, with its ranges.

Unknown parameters are ignored, as the backend before this one did; of a parameter that is given twice the last counts.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta

from agent.records import Kind
from api.errors import Refused

if TYPE_CHECKING:
    from aiohttp import web

#: Reddit's names have at most 21 characters, those of users' own pages ("u_...") 22.
Subreddit = Annotated[str, Meta(max_length=100)]
#: Only the store understands it. Its own have some 100 characters; this bound is chosen, not measured.
Cursor = Annotated[str, Meta(max_length=500)]

T = TypeVar("T", bound="Parameters")


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all."""


class OfSubreddit(Parameters, frozen=True, kw_only=True):
    """Parameters that may name a subreddit."""

    #: Whatever its case; all of them when it is left out, empty or ``all``.
    subreddit: Subreddit | None = None

    @property
    def only(self) -> str | None:
        """The one subreddit that is meant; None for all."""
        return only(self.subreddit)

    @property
    def names(self) -> list[str] | None:
        """The same as a list of one."""
        return None if self.only is None else [self.only]


class StatsParameters(OfSubreddit, frozen=True, kw_only=True):
    """GET /sentiment/stats."""

    #: The window: so many hours up to now.
    hours: Annotated[int, Meta(ge=1, le=168)] = 24


class TrendsParameters(OfSubreddit, frozen=True, kw_only=True):
    """GET /sentiment/trends."""

    #: The window: so many hours up to now. Above 168 the series is by day, else by hour.
    hours: Annotated[int, Meta(ge=1, le=720)] = 168


class RecentParameters(OfSubreddit, frozen=True, kw_only=True):
    """GET /posts/recent."""

    #: The window: so many hours up to now.
    hours: Annotated[int, Meta(ge=1, le=168)] = 24
    limit: Annotated[int, Meta(ge=1, le=500)] = 100
    kind: Kind = "post"
    #: Where the page before this one ended: its ``X-Next-Cursor``.
    cursor: Cursor | None = None


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
        raise _in_words(error, kind) from error


def only(subreddit: str | None) -> str | None:
    """Return the one subreddit that is meant; None for all, which clients also write as nothing or as "all"."""
    return None if subreddit is None or subreddit.lower() in {"", "all"} else subreddit


def wrong(name: str, reason: str) -> Refused:
    """Return the refusal of one parameter; ``reason`` says what was expected."""
    return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "wrong_parameter", f"The parameter {name} is wrong: {reason}.")


def _in_words(error: msgspec.ValidationError, kind: type[Parameters]) -> Refused:
    # msgspec ends its text with the path " - at `$.hours`".
    reason, _, path = str(error).rpartition(" - at `$.")
    name = path.rstrip("`")
    field = next((field for field in msgspec.structs.fields(kind) if field.name == name), None)
    if field is not None and (choices := _choices(field.type)):
        reason = f"expected one of {', '.join(choices)}"
    return wrong(name, f"{reason[:1].lower()}{reason[1:]}")


def _choices(kind: Any) -> tuple[str, ...]:  # noqa: ANN401 - whatever stands in an annotation
    """Return what a literal names, whether it may be left out or not."""
    return next((get_args(each) for each in (kind, *get_args(kind)) if get_origin(each) is Literal), ())
