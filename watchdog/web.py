"""Asking a web address from a command: bounded in time and size, with the standard library alone.

No proxy is used: what is asked is a service of the operator's own, most often on the same machine.
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from typing import Final, NamedTuple

from ipc.errors import Unavailable
from watchdog.bounded import within

#: Health is 4 kB and 500 posts are 2 MB. Chosen, not measured.
MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024


class Answer(NamedTuple):
    """An answer of whatever status."""

    status: int
    body: bytes


def get(url: str, timeout_s: float) -> Answer:
    """Return the answer to a GET of ``url``, an http or https address.

    Raises:
        Unavailable: no answer within ``timeout_s``, or none that is HTTP; the text says why.

    """
    if not url.lower().startswith(("http://", "https://")):
        raise Unavailable(f"{url} is no http or https address")
    try:
        return within(timeout_s, lambda: _get(url, timeout_s))
    except urllib.error.URLError as error:
        reason = error.reason
        words = reason.strerror or str(reason) if isinstance(reason, OSError) else str(reason)
        raise Unavailable(f"{url} can't be reached: {words}") from error
    except TimeoutError as error:
        raise Unavailable(f"{url} did not answer within {timeout_s:g} s") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unavailable(f"{url} gave no HTTP answer: {type(error).__name__}") from error


def _get(url: str, timeout_s: float) -> Answer:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=timeout_s) as answer:
            return Answer(answer.status, _body(answer))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, _body(error))


def _body(answer: http.client.HTTPResponse | urllib.error.HTTPError) -> bytes:
    body = answer.read(MAX_ANSWER_BYTES + 1)
    if len(body) > MAX_ANSWER_BYTES:
        raise ValueError("too large")
    return bytes(body)
