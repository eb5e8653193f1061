"""Reddit: one sign-in, as the collector does it, and what its answer means. Nothing is read, no token is kept.

401, 403, 429, a page in place of an answer, and no answer at all are told apart, because each is mended elsewhere.
"""

from __future__ import annotations

import base64
import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, NamedTuple

from watchdog.checks.finding import Claim, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ipc.settings import CollectorSettings, Settings

#: Where the collector signs in unless REDDIT_URL says otherwise.
REDDIT: Final = "https://www.reddit.com"
_PATH: Final = "/api/v1/access_token"
#: A token's answer has 200 bytes. Chosen, not measured.
_MAX_BYTES: Final = 64 * 1024

_CLAIM: Final = Claim("reddit.sign_in", "Reddit issues an access token to REDDIT_CLIENT_ID")
_CREDENTIALS: Final = "compare REDDIT_CLIENT_ID and REDDIT_CLIENT_SECRET with https://www.reddit.com/prefs/apps"
_BLOCKED: Final = "set REDDIT_USER_AGENT to linux:NAME:VERSION (by /u/YOU); cloud addresses may be blocked as a whole"
_FORBIDDEN: Final = "look at REDDIT_USER_AGENT, and whether Reddit has approved the application"
_LIMITED: Final = "wait; raise COLLECTION_INTERVAL_MINUTES, and let nobody else use the same client"
_TROUBLED: Final = "wait; https://www.redditstatus.com tells more"
_BETWEEN: Final = "something between this machine and Reddit answers (a proxy, a login page), or Reddit blocks it"


class Reply(NamedTuple):
    """What came back, as far as it matters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_page(self) -> bool:
        """Whether it is a page for people, as a block or a login in between is."""
        return "html" in self.headers.get("content-type", "") or self.body.lstrip()[:1] == b"<"


def check(settings: Settings) -> Iterator[Finding]:
    """Sign in, where credentials are set."""
    collector = settings.collector
    if not collector.reddit_client_id:
        why = f"no credentials are set, so {collector.effective_source} is read"
        yield _CLAIM.not_checked(why, "set REDDIT_CLIENT_ID and REDDIT_CLIENT_SECRET to read Reddit")
        return
    try:
        yield judge(_sign_in(collector))
    except TimeoutError:
        yield _unreachable(f"no whole answer within {collector.reddit_timeout_s:g} s")
    except urllib.error.URLError as error:
        reason = error.reason
        yield _unreachable(reason.strerror or str(reason) if isinstance(reason, OSError) else str(reason))
    except (OSError, http.client.HTTPException) as error:
        yield _unreachable(type(error).__name__)


def judge(reply: Reply) -> Finding:
    """Say what the answer to a sign-in means."""
    match reply.status:
        case 200:
            return _granted(reply)
        case 429:
            wait_s = reply.headers.get("retry-after") or reply.headers.get("x-ratelimit-reset")
            told = f"for {wait_s} s" if wait_s else "and does not say for how long"
            return _CLAIM.warning(f"Reddit limits the rate of requests, {told} (status 429)", _LIMITED)
        case status if status // 100 == 5:  # noqa: PLR2004 - RFC 9110: 5xx is the server's own trouble
            return _CLAIM.warning(f"Reddit has trouble of its own (status {status})", _TROUBLED)
        case status:
            found, mend = _refusal(reply)
            return _CLAIM.wrong(f"{found} (status {status})", mend)


def _granted(reply: Reply) -> Finding:
    try:
        answer = json.loads(reply.body)
    except ValueError:
        return _CLAIM.wrong("a page came in place of Reddit's answer (status 200, no JSON)", _BETWEEN)
    if isinstance(answer, dict) and answer.get("access_token"):
        return _CLAIM.ok("a token was issued, and is not kept")
    if isinstance(answer, dict) and answer.get("error"):
        return _CLAIM.wrong("Reddit refused the credentials (status 200, with an error)", _CREDENTIALS)
    return _CLAIM.wrong("the answer holds no token (status 200)", _BETWEEN)


def _refusal(reply: Reply) -> tuple[str, str]:
    match reply.status:
        case 400 | 401:
            return "Reddit refused the credentials", _CREDENTIALS
        case 403 if reply.is_page:
            return "Reddit blocks this machine: a page in place of an answer", _BLOCKED
        case 403:
            return "Reddit forbids it to this client or user agent", _FORBIDDEN
        case status if status // 100 == 3:  # noqa: PLR2004 - RFC 9110: 3xx leads elsewhere
            return "the answer leads to another place", _BETWEEN
        case _:
            return "Reddit refused the request", "look at REDDIT_URL"


def _sign_in(collector: CollectorSettings) -> Reply:
    client = f"{collector.reddit_client_id}:{collector.reddit_client_secret.reveal()}"
    agent = collector.reddit_user_agent or f"linux:sentimentagent:{version('sentimentagent')} (self-hosted)"
    request = urllib.request.Request(  # noqa: S310 - the operator's own address, or Reddit's
        f"{collector.reddit_url.rstrip('/') or REDDIT}{_PATH}",
        data=urllib.parse.urlencode({"grant_type": "client_credentials"}).encode(),
        headers={"Authorization": f"Basic {base64.b64encode(client.encode()).decode()}", "User-Agent": agent},
    )
    # No proxy: asyncpraw, whose part this plays, uses none either.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())
    try:
        with opener.open(request, timeout=collector.reddit_timeout_s) as answer:
            return _reply(answer.status, answer)
    except urllib.error.HTTPError as error:
        with error:
            return _reply(error.code, error)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Credentials go to no other place than the one they were meant for."""

    def redirect_request(self, *_call: object) -> None:
        """Follow nothing: the redirect itself is the answer."""


def _reply(status: int, answer: http.client.HTTPResponse | urllib.error.HTTPError) -> Reply:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Reply(status, headers, answer.read(_MAX_BYTES))


def _unreachable(why: str) -> Finding:
    mend = f"curl -sI {REDDIT}; look at name servers, firewall and REDDIT_URL"
    return _CLAIM.wrong(f"Reddit can't be reached: {why}", mend)
