"""Who may act: the operator at this very machine without a token, everybody else with one.

"At this machine" means all four, each for an attack of its own:

1. the peer's address is loopback;
2. no header says that a proxy forwards for somebody else (a proxy on this machine must not open the door);
3. the Host is a loopback name (another site's name can be made to resolve to 127.0.0.1);
4. no Origin but our own, and no page of another site behind it (a page in the operator's browser).
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from api.errors import Refused

if TYPE_CHECKING:
    from aiohttp import web

    from ipc.settings import Secret

_FORWARDING: Final = frozenset({"forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip"})
#: A name or address and perhaps a port (RFC 9110, 7.2); nothing else that a lenient parser might see in it.
_HOST: Final = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[\w.-]+)(:\d{1,5})?", re.ASCII)
#: What browsers say of a request that a page of our own made, or the reader's hand (fetch.spec.whatwg.org).
_OWN_FETCH_SITES: Final = frozenset({"same-origin", "none"})


def admit(request: web.Request, token: Secret) -> None:
    """Let the request act, or raise.

    Raises:
        Refused: 401 for a missing or wrong token, 503 when there is none that could be right.

    """
    if is_local(request):
        return
    if not token:
        raise Refused(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "no_token_configured",
            "Acting from another machine needs a token, and none is configured: set ADMIN_TOKEN and restart,"
            " or ask from the machine itself at its loopback address.",
        )
    given = request.headers.get("X-Admin-Token", "")
    if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), token.reveal().encode()):
        raise Refused(
            HTTPStatus.UNAUTHORIZED, "wrong_token", "The header X-Admin-Token is missing, or its token is wrong."
        )


def is_local(request: web.Request) -> bool:
    """Tell whether the operator asks from this machine: all four conditions hold."""
    return _peer_is_loopback(request) and not _is_forwarded(request) and _host_is_loopback(request) and _is_own(request)


def _peer_is_loopback(request: web.Request) -> bool:
    peer = request.transport.get_extra_info("peername") if request.transport else None
    return isinstance(peer, tuple) and _is_loopback(str(peer[0]))


def _is_forwarded(request: web.Request) -> bool:
    return any(name.lower() in _FORWARDING or name.lower().startswith("x-forwarded") for name in request.headers)


def _host_is_loopback(request: web.Request) -> bool:
    hosts = request.headers.getall("Host", [])
    found = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    if found is None:
        return False
    name = found["name"].strip("[]").lower()
    return name == "localhost" or _is_loopback(name)


def _is_own(request: web.Request) -> bool:
    """Tell whether no other site's page is behind the request; without a browser there are no such headers."""
    if not set(request.headers.getall("Sec-Fetch-Site", [])) <= _OWN_FETCH_SITES:
        return False
    return set(request.headers.getall("Origin", [])) <= {f"{request.scheme}://{request.headers['Host']}"}


def _is_loopback(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback
