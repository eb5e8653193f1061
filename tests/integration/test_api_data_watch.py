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

    from agent.records import Scored
    from ipc.messages import Trouble

HOUR_S = 3600
REDDIT = {"REDDIT_CLIENT_ID": "id", "REDDIT_CLIENT_SECRET": "secret", "SUBREDDITS": "aws,Cursor"}


async def seen(api: RunningApi) -> tuple[Trouble, ...]:
    """Look once, as the service does every few seconds, and return what the next beat says."""
    await DataWatch(api.settings, api.service._store, api.pulse).look(time.time())
    return api.pulse.beat(0.0).troubles


async def test_before_the_first_look_nothing_is_told_and_that_is_not_the_same_as_none(short_path: Path) -> None:
    """Missing is not zero."""
    async with running_api(short_path) as api:
        assert Pulse("api").beat(0.0).looked_for == ()
        await api.store(scored(item("t3_a", created_utc=int(time.time()) - 60)))
        assert await seen(api) == ()
        assert api.pulse.beat(0.0).looked_for == ("database",)


async def test_a_store_that_is_away_is_told_and_nobody_is_called_silent_meanwhile(short_path: Path) -> None:
    """There is no file yet: the one thing that can be said."""
    async with running_api(short_path, **REDDIT) as api:
        troubles = await seen(api)
    assert [each.kind for each in troubles] == ["database"]
    assert "there is no database" in troubles[0].reason
    assert troubles[0].severity == "critical"


async def test_a_store_that_can_not_be_read_is_told_and_so_is_that_it_can_again(short_path: Path) -> None:
    """Something else lies in its place: that is a database that is not connected, with its words."""
    async with running_api(short_path, **REDDIT) as api:
        api.settings.folders.store.write_bytes(b"not a database, whatever its name is" * 100)
        (trouble,) = await seen(api)
        assert (trouble.kind, trouble.severity) == ("database", "critical")
        assert "not an SQLite database" in trouble.reason
        assert api.pulse.beat(0.0).looked_for == ("database",)
        api.settings.folders.store.unlink()
        await api.store(scored(item("t3_a", created_utc=int(time.time()) - 60)))
        assert await seen(api) == ()


async def test_what_an_empty_or_lost_store_does_not_say_is_not_known(short_path: Path) -> None:
    """A store that was lost, or begun anew, tells neither that data is old nor that it is fresh."""
    async with running_api(short_path, **REDDIT) as api:
        await api.store(scored(item("t3_a", created_utc=int(time.time()) - 60)), cycles=(cycle("c1"),))
        await seen(api)
        assert api.pulse.beat(0.0).looked_for == ("database", "stale", "silent")
        api.settings.folders.store.unlink()
        await api.store()
        await seen(api)
        assert api.pulse.beat(0.0).looked_for == ("database",)


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
    (reason,) = [each.reason for each in troubles if each.kind == "stale"]
    assert reason.startswith("the newest data is 120 minutes old")
    return reason


def hourly(name: str, now: int, hours: range) -> list[Scored]:
    """Return an item for each of the hours before ``now``."""
    return [
        scored(item(f"t3_{name}{hour}", subreddit=name, created_utc=now - hour * HOUR_S, collected_utc=now - 60))
        for hour in hours
    ]


async def test_a_subreddit_that_falls_silent_is_told_and_one_that_is_refused_is_not(short_path: Path) -> None:
    """Ten days of items every hour, and none for twelve: silence for who is read, a failure for who is not."""
    now = int(time.time())
    items = [*hourly("aws", now, range(12, 240)), *hourly("Cursor", now, range(12, 240))]
    failed = replace(
        cycle("c1", finished_utc=now - 60, failed=True),
        failures=(SubredditFailure(subreddit="aws", cause="forbidden", detail="private"),),
    )
    async with running_api(short_path, **REDDIT) as api:
        await api.store(*items, cycles=(failed,))
        troubles = await seen(api)
    assert [(each.kind, each.subject) for each in troubles] == [("silent", "Cursor")]
    assert "usually 3 h" in troubles[0].reason


async def test_nobody_is_silent_while_nothing_is_collected(short_path: Path) -> None:
    """The last collection was twelve hours ago: that is the collector's silence, not theirs."""
    now = int(time.time())
    async with running_api(short_path, **REDDIT) as api:
        await api.store(*hourly("aws", now, range(12, 240)), cycles=(cycle("c1", finished_utc=now - 11.5 * HOUR_S),))
        troubles = await seen(api)
    assert [each.kind for each in troubles if each.kind == "silent"] == []
    assert "silent" in api.pulse.beat(0.0).looked_for


async def test_sample_data_is_never_called_silent_nor_old(short_path: Path) -> None:
    """Only what is live can fall silent."""
    now = int(time.time())
    old = [
        scored(item(f"t3_{hour}", created_utc=now - hour * HOUR_S, collected_utc=now - 30 * HOUR_S))
        for hour in range(30, 240)
    ]
    async with running_api(short_path) as api:
        await api.store(*old, cycles=(cycle("c1", finished_utc=now - 60),))
        assert await seen(api) == ()


async def test_a_healthy_200_is_not_served_from_stale_data(short_path: Path) -> None:
    """metagraphed#8990: health and the beat say the same of old data, in the same words."""
    now = time.time()
    async with running_api(short_path, **REDDIT) as api:
        await api.store(scored(item("t3_a", created_utc=int(now) - 2 * HOUR_S, collected_utc=int(now) - 2 * HOUR_S)))
        told = await stale(api)
        reasons = (await api.get("/health"))["reasons"]
    assert any(told.startswith(reason) for reason in reasons)
