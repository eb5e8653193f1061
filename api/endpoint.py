"""One call of the API as data: where it is, what it takes, what it answers, who may.

The routes, who is let in, and the description of the API are all made of the same endpoints.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
from aiohttp import web

from api.parameters import Parameters

if TYPE_CHECKING:
    from collections.abc import Iterable

Method = Literal["GET", "POST"]
#: Who may call: everybody, whoever may read, whoever may act.
Scope = Literal["open", "read", "admin"]
#: What an answer is made of, which says how long it may be told again (api/known_answers.py): of nothing but the store
#: and the clock's second; of the store and what the processes say; of more than that, so it is made anew each time.
MadeOf = Literal["store", "system", "more"]

JSON: Final = "application/json"


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One method at one path."""

    path: str
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    #: One sentence for people.
    summary: str
    method: Method = "GET"
    scope: Scope = "read"
    #: What the query string may say; the comments above its fields are told to whoever reads the description.
    parameters: type[Parameters] | None = None
    #: The struct, or a type made of structs, that is answered; None where it is no JSON.
    answer: Any = None
    media_type: str = JSON
    #: What else it may come as.
    other_media_types: tuple[str, ...] = ()
    #: The statuses that carry the answer.
    statuses: tuple[int, ...] = (200,)
    #: The headers that only this call's answer carries.
    headers: tuple[str, ...] = ()
    made_of: MadeOf = "more"
    #: The statuses of 400 and above that are this call's own; those that any call may answer are not named.
    problems: tuple[int, ...] = ()
    #: Whether the answer goes on for as long as the client takes it; all others have API_REQUEST_TIMEOUT_S.
    is_stream: bool = False


def routes(endpoints: Iterable[Endpoint]) -> list[web.RouteDef]:
    """Return the endpoints as the server wants them; a GET answers HEAD too."""
    return [_route(each) for each in endpoints]


def _route(endpoint: Endpoint) -> web.RouteDef:
    add = web.get if endpoint.method == "GET" else web.post
    return add(endpoint.path, endpoint.handler)
