"""How fresh each subreddit is: what the store says of it, and whether the last collection could read it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from agent.records import Latest
from api.answers import Answer, Moment, moment, rounded
from api.store_check import TIMEOUT_S
from ipc.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agent.store.protocol import Reading

_MINUTE_S: Final = 60


class Fresh(Answer, frozen=True, kw_only=True):
    """One subreddit."""

    subreddit: str
    #: Whether SUBREDDITS names it: of others only old items are here.
    is_collected: bool
    items: int
    #: Its newest item, by when it was written and by when it was collected; null where there is none.
    newest_created_at: Moment | None
    newest_collected_at: Moment | None
    #: How long ago the newest was written.
    age_minutes: float | None
    #: Why the last collection could not read it; null where it could, or none ended yet.
    unread: str | None


async def ask(store: Reading) -> tuple[list[Latest] | None, str | None]:
    """Return what the store says of each subreddit, or why it does not; bounded in time."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await store.latest(), None
    except StoreUnavailable as error:
        return None, str(error)
    except TimeoutError:
        return None, f"the database did not answer within {TIMEOUT_S:g} s"


def tell(latest: Iterable[Latest], wanted: Iterable[str], unread: Mapping[str, str], now_utc: float) -> list[Fresh]:
    """Return all subreddits: those that are collected in their order, of which nothing may be here, then the others.

    ``unread`` has the causes of the last collection's failures, by name.
    """
    stored = {each.subreddit.lower(): each for each in latest}
    causes = {name.lower(): cause for name, cause in unread.items()}
    ours = {name.lower(): name for name in wanted}
    rest = {key: each.subreddit for key, each in stored.items() if key not in ours}
    return [
        _fresh(stored.get(key) or _nothing(name), causes.get(key), now_utc, is_collected=key in ours)
        for key, name in (ours | rest).items()
    ]


def _fresh(each: Latest, unread: str | None, now_utc: float, *, is_collected: bool) -> Fresh:
    created_utc, collected_utc = each.newest_created_utc, each.newest_collected_utc
    age_minutes = None if created_utc is None else max(0.0, now_utc - created_utc) / _MINUTE_S
    return Fresh(
        subreddit=each.subreddit,
        is_collected=is_collected,
        items=each.items,
        newest_created_at=None if created_utc is None else moment(created_utc),
        newest_collected_at=None if collected_utc is None else moment(collected_utc),
        age_minutes=rounded(age_minutes, 1),
        unread=unread,
    )


def _nothing(subreddit: str) -> Latest:
    return Latest(subreddit=subreddit, items=0, newest_created_utc=None, newest_collected_utc=None)
