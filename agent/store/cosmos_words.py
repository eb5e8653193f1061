"""What the service's refusals mean to whoever runs this, in words of our own.

The service's words are left out: they quote signatures, and sometimes what was sent. Pure: no SDK, no network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ipc.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The command that creates what is missing and mends what can be mended.
MEND: Final = "run `sentimentagent store init`"

#: The sub-status of a 404 that says that the container or the database is missing and not the document.
OWNER_NOT_FOUND: Final = 1003

_IN_WORDS: Final = {
    401: "does not accept the key: look at COSMOS_KEY (a key of another account? a regenerated one?)"
    " and at this machine's clock",
    404: f"has no such database or container: {MEND}",
    403: "forbids it: the account's firewall does not let this machine in, or the key (or identity) may only read",
    408: "took too long and gave up",
    410: "moves this part of the data to another machine",
    413: "refuses a batch as too large",
    429: "has no request units left for now",
    449: "met another change of the same document",
    500: "reports an error of its own",
    503: "is not available",
}


def address(endpoint: str) -> str:
    """Return what of the endpoint may be shown: the host and the port."""
    parts = urlsplit(endpoint)
    return f"{parts.hostname or 'an unnamed host'}{f':{parts.port}' if parts.port else ''}"


def refusal(endpoint: str, what: str, status: int, substatus: int, headers: Mapping[str, str]) -> StoreUnavailable:
    """Return the error for an answer that says no to ``what``."""
    words = _IN_WORDS.get(status, "refuses it")
    code = f"{status}/{substatus}" if substatus else f"{status}"
    return StoreUnavailable(f"Cosmos DB at {address(endpoint)} {words} ({what}, {code})", retry_after_s(headers))


def unreached(endpoint: str, what: str, reason: str) -> StoreUnavailable:
    """Return the error for a service that can't be reached."""
    return StoreUnavailable(f"Cosmos DB at {address(endpoint)} can't be reached: {reason} ({what})")


def late(endpoint: str, what: str, limit_s: float) -> StoreUnavailable:
    """Return the error for a service that does not answer."""
    return StoreUnavailable(f"Cosmos DB at {address(endpoint)} did not answer within {limit_s:g} s ({what})")


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return how long the service says to wait, in seconds; None when it does not."""
    try:
        return float(headers["x-ms-retry-after-ms"]) / 1000
    except (KeyError, ValueError):
        return None
