"""What the API tells of the data in its beat: a store that is away, data that grows old and why, silence."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fakes.running_api import RunningApi, running_api
from fakes.stored import cycle, item, scored
from msgspec.structs import replace

from api.data_watch import DataWatch
from ipc.life import Pulse
from ipc.messages import SubredditFailure

if TYPE_CHECKING:
    from pathlib import Path

    from ipc.messages import Trouble

HOUR_S = 3600
REDDIT = {"REDDIT_CLIENT_ID": "id", "REDDIT_CLIENT_SECRET": "secret", "SUBREDDITS": "aws,Cursor"}


async def seen(api: RunningApi) -> tuple[Trouble, ...] | None:
    """Look once, as the service does every few seconds, and return what the next beat says."""
    await DataWatch(api.settings, api.service._store, api.pulse).look(time.time())
    return api.pulse.beat(0.0).troubles


async def test_before_the_first_look_nothing_is_told_and_that_is_not_the_same_as_none(short_path: Path) -> None:
    """Missing is not zero."""
    async with running_api(short_path) as api:
        assert Pulse("api").beat(0.0).troubles is None
        await api.store(scored(item("t3_a", created_utc=int(time.time()) - 60)))
        assert await seen(api) == ()


async def test_a_store_that_is_away_is_told_and_nobody_is_called_silent_meanwhile(short_path: Path) -> None:
    """There is no file yet: the one thing that can be said."""
    async with running_api(short_path, **REDDIT) as api:
        troubles = await seen(api)
    assert troubles is not None
    assert [each.kind for each in troubles] == ["database"]
    assert "there is no database" in troubles[0].reason


async def test_old_data_is_told_with_its_cause(short_path: Path) -> None:
    """Refused by Reddit, quiet, or stalled: an operator does something else for each."""
    now = time.time()
    old = scored(item("t3_a", created_utc=int(now) - 2 * HOUR_S, collected_utc=int(now) - 2 * HOUR_S))
    async with running_api(short_path, **REDDIT) as api:
        await api.store(old)
        assert "stalled" in await stale(api)
        failed = replace(
            cycle("c1", finished_utc=now - 300, failed=True),
            failures=(SubredditFailure(subreddit="aws", cause="rate_limited", detail="none for 60 s"),),
        )
        await api.store(cycles=(failed,))
        assert "could not read 1 subreddits (rate_limited)" in await stale(api)
        await api.store(cycles=(cycle("c2", finished_utc=now - 60),))
        assert "quiet" in await stale(api)


async def stale(api: RunningApi) -> str:
    """Return what is said of old data."""
    troubles = await seen(api)
    assert troubles is not None
    (reason,) = [each.reason for each in troubles if each.kind == "stale"]
    assert reason.startswith("the newest data is 120 minutes old")
    return reason


async def test_a_subreddit_that_falls_silent_is_told_and_one_that_is_refused_is_not(short_path: Path) -> None:
    """Ten days of items every hour, and none for six: silence for who is read, a failure for who is not."""
    now = int(time.time())
    items = [
        scored(item(f"t3_{name}{hour}", subreddit=name, created_utc=now - hour * HOUR_S, collected_utc=now - 60))
        for name in ("aws", "Cursor")
        for hour in range(6, 240)
    ]
    failed = replace(
        cycle("c1", finished_utc=now - 60, failed=True),
        failures=(SubredditFailure(subreddit="aws", cause="forbidden", detail="private"),),
    )
    async with running_api(short_path, **REDDIT) as api:
        await api.store(*items, cycles=(failed,))
        troubles = await seen(api)
    assert troubles is not None
    assert [(each.kind, each.subject) for each in troubles] == [("silent", "Cursor")]
    assert "usually 1 h" in troubles[0].reason


async def test_sample_data_is_never_called_silent(short_path: Path) -> None:
    """Only what is live can fall silent."""
    now = int(time.time())
    items = [scored(item(f"t3_{hour}", created_utc=now - hour * HOUR_S)) for hour in range(30, 240)]
    async with running_api(short_path) as api:
        await api.store(*items)
        troubles = await seen(api)
    assert troubles is not None
    assert not any(each.kind == "silent" for each in troubles)
