"""The store in Azure Cosmos DB: one read of a container's properties, signed with the key, and what came back.

It imports neither Azure's SDK nor the code that uses it: when those are broken or not installed, this still tells. No
item is read. Without a key (Entra ID signs in then) the account is only asked whether it is there.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import urllib.error
import urllib.request
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from watchdog.bounded import within
from watchdog.checks.finding import Claim, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipc.settings import Settings, StoreSettings

#: The container that holds the items; a test holds it together with those who make it.
ITEMS: Final = "items"
#: The version of the service's REST interface that is spoken. Any from 2018-12-31 on has all that is asked here.
_API_VERSION: Final = "2020-07-15"
#: Prints what is missing and makes nothing; with the key, or by Entra ID.
_TRY: Final = "sentimentagent store init --dry-run"
_ACCOUNT: Final = "look at COSMOS_ENDPOINT, name servers and firewall, and at the account in the portal"
_REFUSALS: Final = {
    401: (
        "does not accept the key",
        "copy COSMOS_KEY anew from the portal (Keys); see that this machine's clock is right",
    ),
    403: ("forbids it", "let this machine in under Networking of the account, or look at what the key may do"),
    404: ("has no such database or container", "sentimentagent store init"),
    429: ("has no request units left for now", "raise the throughput in the portal, if it lasts"),
}
_CLAIM: Final = Claim("database.store", "the Cosmos DB account answers, takes COSMOS_KEY, and has our containers")


def check(settings: Settings) -> Iterator[Finding]:
    """Ask the account."""
    store = settings.store
    where = address(store)
    try:
        status = within(store.cosmos_request_timeout_s, lambda: _ask(store))
    except TimeoutError:
        yield _CLAIM.wrong(f"{where} did not answer within {store.cosmos_request_timeout_s:g} s", _ACCOUNT)
    except urllib.error.URLError as error:
        reason = error.reason
        words = reason.strerror or str(reason) if isinstance(reason, OSError) else str(reason)
        yield _CLAIM.wrong(f"{where} can't be reached: {words}", _ACCOUNT)
    except (OSError, http.client.HTTPException) as error:
        yield _CLAIM.wrong(f"{where} gave no HTTP answer: {type(error).__name__}", _ACCOUNT)
    else:
        yield judge(store, status)


def judge(store: StoreSettings, status: int) -> Finding:
    """Say what the status of the answer means."""
    where = address(store)
    if status == HTTPStatus.OK:
        return _CLAIM.ok(f"{where} takes the key, and has the container {ITEMS} in {store.cosmos_database}")
    if status == HTTPStatus.UNAUTHORIZED and not store.cosmos_key:
        return _CLAIM.not_checked(f"{where} answers; signing in by Entra ID was not tried", _TRY)
    words, mend = _REFUSALS.get(status, ("answers as no Cosmos DB account does", _ACCOUNT))
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        words, mend = "has trouble of its own", "wait: all goes on by itself"
    found = f"{where} {words} (status {status})"
    passes = status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return _CLAIM.warning(found, mend) if passes else _CLAIM.wrong(found, mend)


def address(store: StoreSettings) -> str:
    """Return the account as it may be shown: the host and the port."""
    parts = urlsplit(store.cosmos_endpoint)
    return f"Cosmos DB at {parts.hostname}{f':{parts.port}' if parts.port else ''}"


def _ask(store: StoreSettings) -> int:
    # Proxies are those of the environment, as Azure's SDK, whose part this plays, uses them.
    opener = urllib.request.build_opener(_NoRedirect())
    try:
        with opener.open(_request(store), timeout=store.cosmos_request_timeout_s) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def _request(store: StoreSettings) -> urllib.request.Request:
    """Return the read of the container, signed where there is a key."""
    link = f"dbs/{store.cosmos_database}/colls/{ITEMS}"
    date = formatdate(usegmt=True).lower()
    headers = {"x-ms-date": date, "x-ms-version": _API_VERSION, "Accept": "application/json"}
    if store.cosmos_key:
        headers["Authorization"] = _signature(store.cosmos_key.reveal(), link, date)
    url = f"{store.cosmos_endpoint.rstrip('/')}/{quote(link)}"
    return urllib.request.Request(url, headers=headers)  # noqa: S310 - the settings hold an http or https address


def _signature(key: str, link: str, date: str) -> str:
    """Sign a GET of a container as the service documents it: an HMAC of the verb, the resource and the date."""
    text = f"get\ncolls\n{link}\n{date}\n\n"
    digest = hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()
    return quote(f"type=master&ver=1.0&sig={base64.b64encode(digest).decode()}", safe="")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A signature goes to no other place than the one it was meant for."""

    def redirect_request(self, *_call: object) -> None:
        """Follow nothing: the redirect itself is the answer."""
