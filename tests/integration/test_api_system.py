"""The system with real peers: a watchdog that remembers, one that is away, one of the version before; a lost store."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from fakes.processes import FakeWatchdog, process_report, recalled, status_report
from fakes.running_api import RunningApi, running_api
from fakes.stored import cycle, item, scored
from harness.wal_locks import wal_locked
from msgspec.structs import replace

from ipc.channel import Connection, Door
from ipc.messages import PROCESSES, AnyMessage, Beat, Incident, Recalled, Status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


@pytest.fixture
async def watchdog(short_path: Path) -> AsyncIterator[FakeWatchdog]:
    """Return a watchdog that stands at its door before the API begins."""
    async with AsyncExitStack() as open_:
        standing = FakeWatchdog()
        standing.memory = recalled(began_utc=int(time.time()) - 3600, points=12)
        await open_.enter_async_context(standing.at(_door(short_path)))
        yield standing


@pytest.fixture
async def api(short_path: Path, watchdog: FakeWatchdog) -> AsyncIterator[RunningApi]:
    """Return an API with fresh data of two subreddits, one of which could not be read last."""
    async with _running(short_path) as running:
        now = int(time.time())
        await running.store(
            scored(item(created_utc=now - 600)),
            scored(item("t3_b", subreddit="AWS", created_utc=now - 7200)),
            scored(item("t3_c", subreddit="elsewhere", created_utc=now - 60)),
            cycles=(cycle(finished_utc=now, failed=True),),
        )
        assert not watchdog.recalled
        yield running


@asynccontextmanager
async def _running(folder: Path) -> AsyncIterator[RunningApi]:
    async with running_api(folder, BEAT_INTERVAL_S="0.1", SUBREDDITS="Cursor,aws,Bard") as running:
        yield running


def _door(folder: Path) -> Path:
    run = folder / "run"
    run.mkdir(mode=0o700, exist_ok=True)
    return run / "watchdog.sock"


async def told(
    api: RunningApi, query: str = "", is_so: Callable[[dict[str, Any]], bool] = lambda _: True
) -> dict[str, Any]:
    """Return what is told of the system once the watchdog was heard of and ``is_so`` holds, within five seconds."""
    async with asyncio.timeout(5):
        while True:
            body: dict[str, Any] = await api.get(f"/system{query}")
            if body["watchdog"]["age_s"] is not None and is_so(body):
                return body
            await asyncio.sleep(0.02)


async def test_each_process_has_its_memory_over_time_against_its_thresholds(
    api: RunningApi, watchdog: FakeWatchdog
) -> None:
    """Oldest first; what health tells of it stands beside, and the forecast."""
    watchdog.report = status_report(
        process_report("collector", slope_mb_per_h=12.54, limit_reached_in_s=3600.4, progress_age_s=7.0)
    )
    body = await told(api, is_so=lambda body: body["processes"]["collector"]["forecast"] is not None)
    assert list(body["processes"]) == list(PROCESSES)
    assert (body["memory_every_s"], body["hours"]) == (300, 24)
    collector = body["processes"]["collector"]
    assert (collector["memory_warning_mb"], collector["memory_limit_mb"]) == (400, 480)
    assert collector["forecast"] == {"slope_mb_per_h": 12.5, "limit_reached_in_s": 3600.0}
    assert collector["progress_age_s"] == 7
    assert body["processes"]["analyzer"]["forecast"] is None
    points = collector["memory"]
    assert len(points) == 12
    assert (points[0]["lowest_mb"], points[0]["highest_mb"]) == (50, 52.5)
    assert points[0]["at"] < points[-1]["at"]
    assert body["missing"] == {}


@pytest.mark.parametrize(("hours", "span_s"), [(1, 3600), (2, 86_400), (24, 86_400), (25, 604_800), (168, 604_800)])
async def test_a_span_is_asked_of_the_watchdog_and_cut_to_what_was_asked(
    api: RunningApi, watchdog: FakeWatchdog, hours: int, span_s: int
) -> None:
    """Three spans are asked for and kept, whatever anybody asks."""
    watchdog.memory = recalled(began_utc=int(time.time()) - 30 * 3600, points=30 * 12)
    body = await told(api, f"?hours={hours}")
    assert watchdog.recalled == [span_s]
    assert len(body["processes"]["api"]["memory"]) == pytest.approx(min(hours, 30) * 12, abs=1)


async def test_the_watchdog_is_asked_once_for_all_who_ask(api: RunningApi, watchdog: FakeWatchdog) -> None:
    """It has better things to do."""
    for _ in range(5):
        await told(api)
    assert watchdog.recalled == [86_400]


@pytest.mark.parametrize("hours", ["0", "169", "x"])
async def test_a_wrong_span_is_refused(api: RunningApi, hours: str) -> None:
    """In words, as everywhere."""
    assert (await api.get(f"/system?hours={hours}", status=422))["error"] == "wrong_parameter"


async def test_incidents_are_told_open_and_closed_the_newest_first(api: RunningApi, watchdog: FakeWatchdog) -> None:
    """What was is as good to know as what is."""
    old = Incident(
        id="i1",
        process="api",
        kind="memory",
        opened_utc=1_795_000_020.0,
        closed_utc=1_795_000_620.0,
        reason="memory 500 MB over 480 MB",
        action="restarted",
    )
    new = replace(old, id="i2", process="data", kind="source", opened_utc=1_795_001_000.0, closed_utc=None)
    new = replace(new, subjects=("aws",), severity="warning")
    watchdog.report = status_report(incidents=(old, new))
    body = await told(api, is_so=lambda body: bool(body["incidents"]))
    assert [each["id"] for each in body["incidents"]] == ["i2", "i1"]
    assert body["incidents"][0]["closed_at"] is None
    assert (body["incidents"][0]["subjects"], body["incidents"][0]["severity"]) == (["aws"], "warning")
    assert body["incidents"][1]["closed_at"] == "2026-11-18T11:17:00Z"
    assert body["incidents"][1]["action"] == "restarted"


async def test_freshness_tells_of_every_subreddit_what_is_there_and_what_could_not_be_read(api: RunningApi) -> None:
    """Those that are collected first, in their order, whatever the case; one without items is not forgotten."""
    body = await told(api)
    fresh = {each["subreddit"]: each for each in body["freshness"]}
    assert list(fresh) == ["Cursor", "AWS", "Bard", "elsewhere"]
    assert fresh["Cursor"]["age_minutes"] == pytest.approx(10, abs=0.2)
    assert (fresh["Cursor"]["unread"], fresh["AWS"]["unread"]) == (None, "forbidden")
    assert fresh["Bard"] == {
        "subreddit": "Bard",
        "is_collected": True,
        "items": 0,
        "newest_created_at": None,
        "newest_collected_at": None,
        "age_minutes": None,
        "unread": None,
    }
    assert not fresh["elsewhere"]["is_collected"]


async def test_the_outbox_is_told_by_the_collector(api: RunningApi, watchdog: FakeWatchdog) -> None:
    """Its own word; a collector that does not say is not an empty outbox."""
    beat = Beat(process="collector", pid=1, state="ready", uptime_s=1, loop_lag_s=0, progress=1)
    full = replace(beat, gauges={"outbox_items": 7.0, "outbox_max_items": 200.0})
    watchdog.report = status_report(process_report("collector", beat=full))
    body = await told(api, is_so=lambda body: body["outbox"] == {"items": 7, "max_items": 200})
    assert body["missing"] == {}
    watchdog.report = status_report(process_report("collector", beat=beat))
    body = await told(api, is_so=lambda body: body["outbox"] is None)
    assert body["missing"] == {"outbox": "the collector has not told how much is in its outbox"}


async def test_a_watchdog_that_has_just_begun_knows_no_memory(api: RunningApi, watchdog: FakeWatchdog) -> None:
    """Its first span ends after ten seconds: until then there is no history, which is said."""
    watchdog.memory = Recalled(every_s=15, curves=())
    body = await told(api)
    assert body["processes"]["api"]["memory"] is None
    assert body["missing"] == {"memory": "the watchdog has measured nothing yet"}


async def test_without_a_watchdog_nothing_of_it_is_made_up(short_path: Path) -> None:
    """Null, with the reason in words, and never a zero; the store's part is told all the same."""
    async with _running(short_path) as api:
        await api.store(scored())
        body = await api.get("/system")
    assert body["processes"] == dict.fromkeys(PROCESSES)
    assert (body["incidents"], body["outbox"], body["memory_every_s"]) == (None, None, None)
    assert set(body["watchdog"].values()) == {None}
    assert body["missing"]["processes"] == "the watchdog has not answered yet"
    assert body["missing"]["memory"].startswith("the watchdog does not tell it: watchdog.sock is not served")
    assert body["database"]["items"] == 1
    assert body["status"] == "degraded"


async def test_a_watchdog_of_the_version_before_tells_no_memory(short_path: Path) -> None:
    """In an upgrade the API may be the newer one: the old watchdog closes on a question that it does not know."""

    async def answer(connection: Connection, message: AnyMessage) -> None:
        if isinstance(message, Status):
            await connection.send(status_report())

    async with Door(_door(short_path), (Beat, Status), answer), _running(short_path) as api:
        body = await told(api)
    assert body["processes"]["api"]["memory"] is None
    assert body["processes"]["api"]["memory_mb"] == 80
    assert body["missing"]["memory"] == "the watchdog does not tell it: watchdog.sock closed without an answer"


async def test_a_store_that_is_away_is_said(api: RunningApi, short_path: Path) -> None:
    """Freshness is not known then, and the processes are told as before."""
    await told(api)  # so that the API has the file open: until then there may be nothing to lock
    with wal_locked(short_path / "state" / "sentiment.db"):
        body = await told(api)
    assert body["freshness"] is None
    assert body["missing"]["freshness"].startswith("the store does not answer: ")
    assert (body["status"], body["database"]["connected"]) == ("unhealthy", False)
    assert body["processes"]["api"]["memory_mb"] == 80
