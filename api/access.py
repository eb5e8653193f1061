"""Who may read and who may act: whoever asks from this very machine without a token, everybody else with one.

"From this machine" means all of these, each for an attack of its own:

1. the peer's address is loopback, or the very address that it asks at (no other machine can have both);
2. no header says that a proxy forwards for somebody else (a proxy on this machine must not open the door);
3. the Host is a loopback name, or that address (another site's name can be made to resolve to 127.0.0.1).

That is enough for reading: what another site's page may read of it in a browser is for CORS (:mod:`api.origins`). To
act there is a fourth:

4. no Origin but our own, and no page of another site behind it (a page in the operator's browser).
"""

from __future__ import annotations

import hmac
import re
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from api import tokens
from api.errors import Refused
from api.limits import network
from api.proxies import HEADER, Proxies
from ipc.addresses import is_loopback, is_loopback_host
from ipc.api_tokens import Token

if TYPE_CHECKING:
    from aiohttp import web

    from api.endpoint import Scope
    from ipc.settings import ApiSettings

_FORWARDING: Final = frozenset({"forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip"})
#: A name or address and perhaps a port (RFC 9110, 7.2); nothing else that a lenient parser might see in it.
_HOST: Final = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[\w.-]+)(:\d{1,5})?", re.ASCII)
#: What browsers say of a request that a page of our own made, or the reader's hand (fetch.spec.whatwg.org).
_OWN_FETCH_SITES: Final = frozenset({"same-origin", "none"})

#: A browser asks its user by itself.
_ASK_BASIC: Final = {"WWW-Authenticate": 'Basic realm="SentimentAgent", charset="UTF-8"'}
#: A browser does not, and a program that sent a token learns that it is the token.
_ASK_BEARER: Final = {"WWW-Authenticate": 'Bearer realm="SentimentAgent"'}


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who makes a request, as far as that is certain."""

    #: From this machine.
    is_here: bool
    #: The token that was right; None without one.
    token: Token | None
    #: By which scheme a token was given, right or wrong; None when none was.
    scheme: tokens.Scheme | None
    #: For limits and log lines: the token's name, else the address.
    name: str


class Access:
    """The doors, by the settings."""

    def __init__(self, settings: ApiSettings) -> None:
        self._tokens = tokens.Tokens(settings.api_tokens)
        self._admin_token = settings.admin_token
        self._is_public = settings.api_public_read == "yes"
        self._proxies = Proxies(settings.api_trusted_proxies)

    def caller(self, request: web.Request) -> Caller:
        """Return who asks; nobody is refused here."""
        header = request.headers.get("Authorization")
        given = tokens.read(header) if header else None
        token = self._tokens.find(given) if given else None
        return Caller(
            is_here=is_here(request),
            token=token,
            scheme=given.scheme if given else None,
            name=f"token {token.name}" if token else self._client(request),
        )

    def admit(self, request: web.Request, caller: Caller, scope: Scope) -> None:
        """Let the caller do what has this scope, or raise.

        Raises:
            Refused: 401 for a missing or wrong token, 403 for one of too small a scope, 503 when there is none that
                could be right.

        """
        if scope == "admin":
            self._admit_to_act(request, caller)
        elif scope == "read":
            self._admit_to_read(caller)

    def _admit_to_read(self, caller: Caller) -> None:
        if self._is_public or caller.is_here or caller.token:
            return
        raise Refused(
            HTTPStatus.UNAUTHORIZED,
            "wrong_token" if caller.scheme else "token_needed",
            "Reading from another machine needs a token: as Authorization: Bearer TOKEN, or by HTTP Basic with the"
            " token's name as user and the token as password.",
            _ASK_BEARER if caller.scheme == "bearer" else _ASK_BASIC,
        )

    def _admit_to_act(self, request: web.Request, caller: Caller) -> None:
        # Never by Basic: a browser sends that by itself, whoever's page makes it ask.
        by_bearer = caller.token if caller.scheme == "bearer" else None
        if (caller.is_here and is_own(request)) or (by_bearer and by_bearer.scope == "admin"):
            return
        if self._admin_token:
            given = request.headers.get("X-Admin-Token", "").encode("utf-8", "surrogateescape")
            if hmac.compare_digest(given, self._admin_token.reveal().encode()):
                return
        elif not self._tokens.has("admin"):
            raise Refused(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "no_token_configured",
                "Acting from another machine needs a token, and none is configured: set ADMIN_TOKEN, or make a token of"
                " the scope admin for API_TOKENS, and restart; or ask from the machine itself at its loopback address.",
            )
        if by_bearer:
            raise Refused(HTTPStatus.FORBIDDEN, "read_only_token", "This token is for reading; acting needs another.")
        raise Refused(
            HTTPStatus.UNAUTHORIZED,
            "wrong_token",
            "The header X-Admin-Token is missing, or its token is wrong. A token of the scope admin goes as"
            " Authorization: Bearer TOKEN.",
            _ASK_BEARER,
        )

    def _client(self, request: web.Request) -> str:
        peer = _address(request, "peername")
        return network(self._proxies.client(peer, request.headers.getall(HEADER, ())))


def is_here(request: web.Request) -> bool:
    """Tell whether a request comes from this machine, whoever's page may be behind it."""
    at = _address(request, "sockname")
    if not _peer_is_here(_address(request, "peername"), at) or any(map(_is_of_proxies, request.headers)):
        return False
    hosts = request.headers.getall("Host", [])
    return len(hosts) == 1 and _host_is_here(hosts[0], at)


def is_own(request: web.Request) -> bool:
    """Tell whether no other site's page is behind the request; without a browser there are no such headers."""
    if not set(request.headers.getall("Sec-Fetch-Site", [])) <= _OWN_FETCH_SITES:
        return False
    return set(request.headers.getall("Origin", [])) <= {f"{request.scheme}://{request.headers.get('Host')}"}


@lru_cache(maxsize=256)
def _peer_is_here(peer: str, at: str) -> bool:
    return is_loopback(peer) or (peer != "" and peer == at)


@lru_cache(maxsize=256)
def _host_is_here(host: str, at: str) -> bool:
    found = _HOST.fullmatch(host)
    name = None if found is None else found["name"].strip("[]").lower()
    return name is not None and (is_loopback_host(name) or name == at)


@lru_cache(maxsize=256)
def _is_of_proxies(header: str) -> bool:
    return header.lower() in _FORWARDING or header.lower().startswith("x-forwarded")


def _address(request: web.Request, end: Literal["peername", "sockname"]) -> str:
    """Return the address of one end of the connection; empty where there is none."""
    found = request.transport.get_extra_info(end) if request.transport else None
    return str(found[0]) if isinstance(found, tuple) else ""
