"""What a request may ask for: one frozen struct a call, decoded from the query string, with its ranges.

Unknown parameters are ignored, as the backend before this one did; of a parameter that is given twice the last counts.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta

from api.errors import Refused

if TYPE_CHECKING:
    from aiohttp import web

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


def _in_words(text: str, kind: type[Parameters]) -> str:
    # msgspec ends its text with the path " - at `$.hours`".
    reason, _, path = text.rpartition(" - at `$.")
    name = path.rstrip("`")
    field = next((field for field in msgspec.structs.fields(kind) if field.name == name), None)
    if field is not None and get_origin(field.type) is Literal:
        reason = f"expected one of {', '.join(get_args(field.type))}"
    return f"The parameter {name} is wrong: {reason[:1].lower()}{reason[1:]}."
