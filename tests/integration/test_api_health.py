"""Health with real peers: a store that comes and goes, a watchdog that answers, falls silent and is not there."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, Any

import pytest
from fakes.processes import FakeWatchdog, process_report, status_report
from fakes.running_api import RunningApi, running_api
from fakes.stored import cycle, item, scored, set_aside
from harness.wal_locks import wal_locked
from msgspec.structs import replace

from ipc.messages import PROCESSES, Incident

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


@pytest.fixture
async def watchdog(short_path: Path) -> AsyncIterator[FakeWatchdog]:
    """Return a watchdog that stands at its door before the API begins."""
    run = short_path / "run"
    run.mkdir(mode=0o700)
    async with FakeWatchdog().at(run / "watchdog.sock") as standing:
        yield standing


@pytest.fixture
async def api(short_path: Path, watchdog: FakeWatchdog) -> AsyncIterator[RunningApi]:
    """Return an API with fresh data, which has heard of the watchdog."""
    async with running_api(short_path, BEAT_INTERVAL_S="0.1") as running:
        await running.store(scored(item(created_utc=int(time.time()) - 90)), cycles=(cycle(finished_utc=time.time()),))
        await until(running, lambda health: health["watchdog"]["age_s"] is not None)
        assert watchdog.asked
        yield running


async def until(api: RunningApi, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return the first health of which ``is_so`` holds, within five seconds."""
    async with asyncio.timeout(5):
        while True:
            response = await api.ask("GET", "/api/v1/health")
            health: dict[str, Any] = await response.json()
            assert (response.status == 503) == (health["status"] == "unhealthy")
            if is_so(health):
                return health
            await asyncio.sleep(0.02)


async def test_a_system_that_is_well_tells_all_that_the_contract_says(api: RunningApi) -> None:
    """Every field of the contract with its type, and what the watchdog knows of each process by name."""
    health = await until(api, lambda health: health["process"]["cpu_percent"] is not None)
    assert health["status"] == "healthy", health["reasons"]
    assert health["reasons"] == []
    process = health["process"]
    assert process["pid"] == os.getpid()
    assert 10 < process["memory_mb"] < 2000
    assert 0 < process["uptime_seconds"] < 60
    assert health["application"]["collections_succeeded"] == 1
    assert health["application"]["collections_failed"] == 0
    assert health["application"]["last_collection_at"].endswith("Z")
    assert 0 <= health["application"]["data_freshness_minutes"] < 2
    assert health["database"] == {"connected": True, "engine": "sqlite", "items": 1, "set_aside": 0, "error": None}
    assert list(health["processes"]) == list(PROCESSES)
    collector = health["processes"]["collector"]
    assert (collector["supervisor_state"], collector["state"], collector["pid"]) == ("RUNNING", "ready", 4242)
    assert (collector["memory_mb"], collector["memory_limit_mb"]) == (80.0, 480.0)
    assert (collector["gauges"], collector["facts"]) == ({"outbox_items": 3.0}, {"source": "sample"})
    assert health["watchdog"]["alerts"] == "mail"
    assert health["watchdog"]["age_s"] < 2
    assert health["version"]
    assert health["source"] == "reddit"
    assert health["notes"] == []


async def test_what_ails_a_process_is_told_and_where_alerts_go(api: RunningApi, watchdog: FakeWatchdog) -> None:
    """A process that is down degrades; open incidents and an alert that nobody gets are named."""
    told = {"process": "collector", "kind": "fatal", "opened_utc": 1e9, "reason": "crashes", "action": "waits"}
    watchdog.report = status_report(
        process_report("collector", supervisor_state="FATAL", verdict="quarantined", reason="crashed five times"),
        alerts="nowhere: no SMTP_HOST is set",
        incidents=(
            Incident(id="1", closed_utc=None, **told),  # type: ignore[arg-type] # the fields by name
            Incident(id="2", closed_utc=2e9, **told),  # type: ignore[arg-type] # the same
        ),
    )
    health = await until(api, lambda health: health["status"] == "degraded")
    assert health["reasons"] == ["collector is down (FATAL): crashed five times"]
    assert [incident["reason"] for incident in health["watchdog"]["incidents"]] == ["crashes"]
    assert health["notes"] == ["alerts go nowhere: no SMTP_HOST is set"]
    metrics = await (await api.ask("GET", "/metrics")).text()
    assert 'sentimentagent_process_up{process="collector"} 0.0' in metrics
    assert 'sentimentagent_process_memory_bytes{process="analyzer"} 8.388608e+07' in metrics
    assert 'sentimentagent_process_beat_age_seconds{process="api"} 0.2' in metrics
    assert 'sentimentagent_process_restarts_total{process="api"} 0.0' in metrics
    assert 'sentimentagent_process_gauge{name="outbox_items",process="collector"} 3.0' in metrics
    assert "sentimentagent_incidents_open 1.0" in metrics


async def test_a_channel_that_fails_is_told_beside_the_one_that_works(api: RunningApi, watchdog: FakeWatchdog) -> None:
    """Alerts that still reach somebody are not told as if they reached nobody."""
    watchdog.report = status_report(alerts="mail; slack kept, not sent: 403")
    health = await until(api, lambda health: health["notes"] != [])
    assert health["notes"] == ["alerts go to mail; slack kept, not sent: 403"]
    assert health["watchdog"]["alerts"] == "mail; slack kept, not sent: 403"


async def test_a_watchdog_that_goes_away_is_missed(short_path: Path) -> None:
    """Its last report stands, grows older, and is told as old; it is taken again when it is back."""
    run = short_path / "run"
    run.mkdir(mode=0o700)
    async with running_api(short_path, BEAT_INTERVAL_S="0.1", WATCHDOG_HANG_AFTER_S="0.4") as api:
        await api.store(scored(item(created_utc=int(time.time()))))
        alone = await api.get("/health")
        assert alone["reasons"] == ["the watchdog does not answer: how the processes are is not known"]
        assert alone["processes"] == dict.fromkeys(PROCESSES)
        assert (alone["watchdog"]["age_s"], alone["watchdog"]["alerts"]) == (None, None)
        async with FakeWatchdog().at(run / "watchdog.sock"):
            await until(api, lambda health: health["status"] == "healthy")
        gone = await until(api, lambda health: (health["watchdog"]["age_s"] or 0) > 0.45)
        assert gone["reasons"][0].startswith("the watchdog has not answered for ")
        assert gone["processes"]["collector"]["state"] == "ready"
        async with FakeWatchdog().at(run / "watchdog.sock"):
            await until(api, lambda health: health["status"] == "healthy")


async def test_a_watchdog_that_hangs_costs_health_nothing(short_path: Path) -> None:
    """Something that takes the question and never answers does not make one request wait."""
    run = short_path / "run"
    run.mkdir(mode=0o700)
    silent = await asyncio.start_unix_server(_listen_only, run / "watchdog.sock")
    async with silent, running_api(short_path) as api:
        await api.store(scored())
        began_s = time.monotonic()
        for _ in range(20):
            await api.get("/health")
        assert time.monotonic() - began_s < 0.9


async def test_the_api_begins_before_the_database_and_finds_it(short_path: Path) -> None:
    """Until the analyzer has made it: 503 with the same object and a reason; then healthy without a restart."""
    async with running_api(short_path) as api:
        health = await api.get("/health", status=503)
        assert health["status"] == "unhealthy"
        assert "no database at" in health["reasons"][0]
        assert health["database"]["connected"] is False
        assert health["database"]["items"] is None
        assert health["application"] == {
            "last_collection_at": None,
            "collections_succeeded": None,
            "collections_failed": None,
            "collections_failed_last_hour": None,
            "data_freshness_minutes": None,
            "failing_subreddits": None,
        }
        for path in ("/sentiment/stats", "/sentiment/trends", "/posts/recent", "/posts/a", "/subreddits"):
            response = await api.ask("GET", f"/api/v1{path}")
            assert response.status == 503
            assert int(response.headers["Retry-After"]) >= 1
            body = await response.json()
            assert body["error"] == "store_unavailable"
            assert body["detail"].startswith("There is no database at")
        assert "sentimentagent_store_up 0.0" in await (await api.ask("GET", "/metrics")).text()
        assert not api.settings.folders.store.exists()

        await api.store(scored(item(created_utc=int(time.time()))))
        assert (await api.get("/health"))["database"]["items"] == 1
        assert (await api.get("/sentiment/stats"))["statistics"]["total"] == 1
        await asyncio.to_thread(api.settings.folders.store.unlink)
        assert (await api.get("/health", status=503))["database"]["connected"] is False


async def test_an_empty_store_is_healthy_and_says_that_it_is_empty(api: RunningApi, watchdog: FakeWatchdog) -> None:
    """Nothing collected yet: freshness is null, and a note says so."""
    await asyncio.to_thread(api.settings.folders.store.unlink)
    await api.store()
    assert watchdog.asked
    health = await api.get("/health")
    assert (health["status"], health["source"]) == ("healthy", None)
    assert health["application"]["data_freshness_minutes"] is None
    assert health["notes"] == ["the store is empty: nothing has been collected and scored yet"]


async def test_old_data_and_failed_collections_degrade(api: RunningApi) -> None:
    """metagraphed#8990: every loop turns and health says 200 healthy, over data of days ago.

    Freshness is that of the data, whatever cycle succeeded a moment ago.
    """
    await asyncio.to_thread(api.settings.folders.store.unlink)
    now = time.time()
    await api.store(
        scored(item(created_utc=int(now) - 9000, collected_utc=int(now) - 7200, source="sample")),
        set_aside=(set_aside(),),
        cycles=(
            *(cycle(f"c{n}", finished_utc=now - n, failed=True) for n in range(4)),
            cycle("ok", finished_utc=now - 0.5),
        ),
    )
    health = await api.get("/health")
    assert health["status"] == "degraded"
    assert health["reasons"] == [
        "the newest data is 120 minutes old (warning above 60)",
        "4 collections failed in the last hour (warning above 3)",
    ]
    assert health["application"]["data_freshness_minutes"] == pytest.approx(120, abs=0.2)
    assert health["notes"] == [
        "the data is sample data that comes with the program: it says nothing about the world",
        "1 items could not be scored and are kept aside",
        "the last collection could not read aws (forbidden)",
    ]
    (failing,) = health["application"]["failing_subreddits"]
    assert (failing["subreddit"], failing["cause"]) == ("aws", "forbidden")


async def test_a_locked_database_is_told_in_time(short_path: Path) -> None:
    """Somebody else holds the file: health says so within its bound, and recovers."""
    async with running_api(short_path, DB_RETRY_BASE_DELAY="0.05") as api:
        await api.store(scored(item(created_utc=int(time.time()))))
        await api.get("/health")  # whoever looks first opens the file
        with wal_locked(api.settings.folders.store):
            began_s = time.monotonic()
            health = await api.get("/health", status=503)
            assert time.monotonic() - began_s < 3
            assert "did not answer within 2 s" in health["reasons"][0]
        await until(api, lambda health: health["database"]["connected"])


async def _listen_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def test_a_trouble_that_no_other_field_tells_is_a_note_and_degrades_nothing(
    api: RunningApi, watchdog: FakeWatchdog
) -> None:
    """A full disk or a silent subreddit: the API itself runs as it should. Old data is a reason already."""
    told = {"process": "data", "opened_utc": 1e9, "closed_utc": None, "action": "told"}
    watchdog.report = replace(
        status_report(
            incidents=(
                Incident(id="1", kind="disk", reason="20 MB left", **told),  # type: ignore[arg-type] # by name
                Incident(id="2", kind="stale", reason="the newest data is old", **told),  # type: ignore[arg-type] # by name
            )
        ),
        warnings=("CPU of analyzer: 99 % of a core",),
    )
    health = await until(api, lambda health: bool(health["notes"]))
    assert health["notes"] == ["trouble with the data (disk): 20 MB left", "CPU of analyzer: 99 % of a core"]
    assert health["status"] == "healthy"
