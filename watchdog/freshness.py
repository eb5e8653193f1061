"""How old the newest stored item of each subreddit is, asked of the API over HTTP.

Nothing here is told by the watchdog, which knows no subreddit: what the API does not answer in time is not known.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import msgspec

from ipc.errors import Unavailable
from watchdog import web

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: How far back the API's posts go (docs/api.md).
WINDOW_HOURS: Final = 168


class Post(msgspec.Struct, frozen=True):
    """What is needed of a post."""

    created_utc: datetime


class Fresh(msgspec.Struct, frozen=True, kw_only=True):
    """One subreddit."""

    subreddit: str
    #: Since the newest item was written; None where there is none within the window.
    age_s: float | None
    #: Why the last collection could not read it: then its silence means nothing.
    failing: str | None


def ask(api_url: str, subreddits: Iterable[str], failing: Mapping[str, str], until_s: float) -> list[Fresh]:
    """Return the freshness of each subreddit, one question each; ``until_s`` is monotonic, and bounds all of them.

    Raises:
        Unavailable: not all could be asked; the text says how many could.

    """
    fresh: list[Fresh] = []
    for subreddit in subreddits:
        try:
            age_s = _age_s(api_url, subreddit, until_s - time.monotonic())
        except Unavailable as error:
            raise Unavailable(f"freshness of {subreddit} and what follows it: {error}") from error
        fresh.append(Fresh(subreddit=subreddit, age_s=age_s, failing=failing.get(subreddit.lower())))
    return fresh


def _age_s(api_url: str, subreddit: str, timeout_s: float) -> float | None:
    if timeout_s <= 0:
        raise Unavailable("no time was left")
    query = urlencode({"subreddit": subreddit, "hours": WINDOW_HOURS, "limit": 1, "kind": "all"})
    answer = web.get(f"{api_url}/api/v1/posts/recent?{query}", timeout_s)
    try:
        posts = msgspec.json.decode(answer.body, type=list[Post])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unavailable(f"the API answered {answer.status}, and no list of posts") from error
    return max(0.0, time.time() - posts[0].created_utc.timestamp()) if posts else None
