"""What went wrong between us and Reddit: from what was seen of it to a named cause and a sentence.

Pure: no network, no asyncpraw. No sentence repeats a text of the other side's or of an exception: those could
hold anything, our credentials included.

=================== ================================================================================
cause               when
=================== ================================================================================
rate_limited        429, or no request left in the window; the following subreddits fail at once with
                    the same cause until the wait is over, without a request
server_error        5xx; where asyncpraw tries again, on its third try
bad_credentials     400 or 401 for the token, or a token answer that says ``error``; it concerns every
                    subreddit and is told of each
token_expired       401 on data, a fresh token included
forbidden           403 or 451: private, or closed to this app
not_found           404: banned or gone
no_such_subreddit   a redirect to Reddit's search for subreddits, or a name that none can have
not_reddit          an answer that is no listing: HTML with 200, another redirect, broken JSON
timed_out           no whole answer within REDDIT_TIMEOUT_S
unreachable         refused, reset, no route, no such host, TLS
refused             any other status
unexpected          asyncpraw failed by itself, before there was an answer
=================== ================================================================================
"""

from __future__ import annotations

from typing import Final, NamedTuple

import aiohttp


class Failure(NamedTuple):
    """A row of the table above."""

    cause: str
    #: For people; with the status where there was one.
    sentence: str


TOKEN_REFUSED: Final = Failure("bad_credentials", "Reddit refused REDDIT_CLIENT_ID and REDDIT_CLIENT_SECRET")
NO_SUCH_NAME: Final = Failure("no_such_subreddit", "no subreddit can have this name: see SUBREDDITS")

_DATA: Final = {
    401: Failure("token_expired", "Reddit refused the access token that it had issued, a fresh one too"),
    403: Failure("forbidden", "the subreddit is private or closed to this app"),
    404: Failure("not_found", "the subreddit is banned or gone"),
    429: Failure("rate_limited", "Reddit limits the rate of requests"),
    451: Failure("forbidden", "the subreddit is withheld for legal reasons"),
}
_TOKEN: Final = _DATA | {
    400: TOKEN_REFUSED,
    401: TOKEN_REFUSED,
    403: Failure("forbidden", "Reddit refused this machine or its REDDIT_USER_AGENT before the credentials"),
    404: Failure("not_reddit", "Reddit's address for access tokens is not there"),
}
_NETWORK: Final = (OSError, aiohttp.ClientConnectionError, aiohttp.ClientPayloadError)
_SEARCH: Final = Failure("no_such_subreddit", "there is no such subreddit")
_REDIRECT: Final = Failure("not_reddit", "the answer is a redirect to another place")
_SERVER_ERROR: Final = Failure("server_error", "Reddit has trouble of its own")
_REFUSED: Final = Failure("refused", "Reddit refused the request")


def of_status(status: int, location: str, *, is_for_token: bool) -> Failure:
    """Return what an answer with a status other than 2xx means; ``location`` is where a redirect leads."""
    failure = (_TOKEN if is_for_token else _DATA).get(status) or _of_class(status, location)
    return failure._replace(sentence=f"{failure.sentence} (status {status})")


def of_error(error: Exception, *, was_answered: bool, timeout_s: float) -> Failure:
    """Return what an exchange without such a status died of; ``was_answered`` when a 2xx had come."""
    if isinstance(error, TimeoutError):
        return Failure("timed_out", f"no whole answer from Reddit within {timeout_s:g} s")
    kind = type(error).__name__
    if isinstance(error, _NETWORK if was_answered else (*_NETWORK, aiohttp.ClientError)):
        return Failure("unreachable", f"Reddit can't be reached ({kind})")
    if was_answered:
        return Failure("not_reddit", f"the answer is not one of Reddit's API ({kind})")
    return Failure("unexpected", f"asyncpraw failed before it had an answer ({kind})")


def _of_class(status: int, location: str) -> Failure:
    # RFC 9110: the first digit is the class of the answer.
    match status // 100:
        case 3:
            return _SEARCH if "/subreddits/search" in location else _REDIRECT
        case 5:
            return _SERVER_ERROR
        case _:
            return _REFUSED
