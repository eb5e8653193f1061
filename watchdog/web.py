"""Asking a web address from a command: bounded in time and size, with the standard library alone.

No proxy is used: what is asked is a service of the operator's own, most often on the same machine.
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Final, NamedTuple

from ipc.errors import Unavailable
from watchdog.bounded import within

if TYPE_CHECKING:
    from ipc.settings import Secret

#: Health is 4 kB and 500 posts are 2 MB. Chosen, not measured.
MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024


class Answer(NamedTuple):
    """An answer of whatever status."""

    status: int
    body: bytes


def get(url: str, timeout_s: float, token: Secret | None = None) -> Answer:
    """Return the answer to a GET of ``url``, an http or https address; ``token`` says who asks.

    Raises:
        Unavailable: no answer within ``timeout_s``, or none that is HTTP; the text says why.

    """
    if not url.lower().startswith(("http://", "https://")):
        raise Unavailable(f"{url} is no http or https address")
    try:
        return within(timeout_s, lambda: _get(url, timeout_s, token))
    except urllib.error.URLError as error:
        reason = error.reason
        words = reason.strerror or str(reason) if isinstance(reason, OSError) else str(reason)
        raise Unavailable(f"{url} can't be reached: {words}") from error
    except TimeoutError as error:
        raise Unavailable(f"{url} did not answer within {timeout_s:g} s") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unavailable(f"{url} gave no HTTP answer: {type(error).__name__}") from error


def _get(url: str, timeout_s: float, token: Secret | None) -> Answer:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url)  # noqa: S310 - http or https, looked at above
    if token:
        # Not sent again where a redirect leads.
        request.add_unredirected_header("Authorization", f"Bearer {token.reveal()}")
    try:
        with opener.open(request, timeout=timeout_s) as answer:
            return Answer(answer.status, _body(answer))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, _body(error))


def _body(answer: http.client.HTTPResponse | urllib.error.HTTPError) -> bytes:
    body = answer.read(MAX_ANSWER_BYTES + 1)
    if len(body) > MAX_ANSWER_BYTES:
        raise ValueError("too large")
    return bytes(body)
