"""The database goes away for twenty seconds under a running, working system, and comes back: nothing is lost."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest
from harness.cosmos_service import cosmos_service
from harness.mailbox import Mailbox, mail_settings, serving
from harness.system import System, wait_until
from harness.wal_locks import wal_locked

from agent.sources import sample
from agent.store.choose import open_reader
from ipc.environment import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from agent.records import Hour, Kept

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

#: At this pace items come before, during and after the outage.
ITEMS_PER_S: Final = 80
ITEMS: Final = 2800
#: The outage begins with so many stored.
BEFORE: Final = 300
AWAY_S: Final = 20.0
#: Health is well again so long after the database is.
RECOVERED_S: Final = 5.0

STATS: Final = "/api/v1/sentiment/stats?hours=168"

#: Settings that lead to a database, and what keeps everybody out of it while inside.
Database = tuple[dict[str, str], "Callable[[System], AbstractContextManager[None]]"]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Return an archive of posts of the last hour, every tenth of them twice."""
    texts, now_utc = sample.rows(), int(time.time())
    rows = [
        json.dumps(
            {
                "name": f"t3_made{number}",
                "subreddit": texts[number % len(texts)].subreddit,
                "author": "[deleted]",
                "title": f"{texts[number % len(texts)].content[:120]} ({number})",
                "selftext": "",
                "created_utc": now_utc - 3600 + number % 3600,
            }
        )
        for number in range(ITEMS)
    ]
    path = tmp_path / "posts.ndjson"
    path.write_text("".join(f"{row}\n" * (1 + (number % 10 == 0)) for number, row in enumerate(rows)))
    return path


@pytest.fixture(params=["cosmos", "sqlite"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """Return each database in turn: an account that is switched off, and a file that another process locks."""
    if request.param == "sqlite":
        yield {}, _locked
        return
    with cosmos_service() as service:

        @contextmanager
        def off(_system: System) -> Iterator[None]:
            service.switch_off()
            try:
                yield
            finally:
                service.switch_on()

        yield service.settings, off


def _locked(system: System) -> AbstractContextManager[None]:
    return wal_locked(system.home / "state" / "sentiment.db")


def test_a_database_that_is_away_costs_nothing_but_time(
    make_system: Callable[..., System], database: Database, archive: Path
) -> None:
    """Health says so and follows it, the last known answers stay, no process is restarted, each item is stored once."""
    settings, away = database
    box = Mailbox()
    with serving(box) as port:
        system = make_system(
            ARCHIVE_PATH=str(archive), ARCHIVE_RATE=str(ITEMS_PER_S), **settings, **mail_settings(port)
        )
        if settings:
            assert system.run("sentimentagent", "store", "init").returncode == 0
        system.start()
        wait_until(system.is_ready, 60, system, "all ready")
        wait_until(lambda: _stored(system) >= BEFORE, 60, system, f"{BEFORE} items are stored")
        pids, before = system.pids(), system.get("/api/v1/health")
        known = system.get(STATS)[1]
        with away(system):
            _look_while_away(system, before[1], known)
        _look_after(system, known)
        assert system.pids() == pids
        assert [each["restarts"] for each in system.health()["processes"].values()] == [0] * 4
        _settle(system)
        wait_until(lambda: len(box.letters) == 2, 60, system, "two mails: it begins, it is over")
    _count(system)
    _ask_commands(system, is_file=not settings)
    began, over = (" ".join(str(letter["Subject"]).split()) for letter in box.letters)
    assert "The database does not answer" in began
    assert "Over after" in over


def _look_while_away(system: System, before: dict[str, Any], known: dict[str, Any]) -> None:
    began_s = time.monotonic()
    wait_until(lambda: system.get("/api/v1/health")[0] == 503, RECOVERED_S, system, "health is 503")
    status, health = system.get("/api/v1/health")
    assert (status, health["status"], health["database"]["connected"]) == (503, "unhealthy", False)
    assert _shape(health) == _shape(before)
    assert health["database"]["error"]
    stale = system.get(STATS)[1]
    assert 0 <= stale.pop("stale_seconds") < AWAY_S
    assert stale == known
    kept = _outbox(system)
    wait_until(lambda: _incidents(system) == [("data", "database")], 45, system, "an incident is open")
    assert _outbox(system) > kept >= 0, "collecting goes on"
    time.sleep(max(0.0, AWAY_S - (time.monotonic() - began_s)))
    assert system.get("/api/v1/health")[0] == 503
    assert system.get(STATS)[1]["stale_seconds"] > AWAY_S - RECOVERED_S


def _look_after(system: System, known: dict[str, Any]) -> None:
    wait_until(lambda: system.get("/api/v1/health")[0] == 200, RECOVERED_S, system, "health is 200")
    fresh = system.get(STATS)[1]
    assert "stale_seconds" not in fresh
    assert fresh["statistics"]["total"] >= known["statistics"]["total"]


def _settle(system: System) -> None:
    """Wait until all has arrived and the incident is over."""
    wait_until(lambda: _stored(system) >= ITEMS, 60, system, f"{ITEMS} items are stored")
    wait_until(lambda: _outbox(system) == 0, 30, system, "the outbox is empty")
    wait_until(lambda: not _incidents(system), 45, system, "the incident is over")


def _count(system: System) -> None:
    """See that each item is there once, and that the roll-ups count just these; the operator's command agrees."""
    kept, hours = asyncio.run(_everything(system))
    assert Counter(one.scored.item.name for one in kept) == Counter(f"t3_made{number}" for number in range(ITEMS))
    assert sum(hour.positive + hour.neutral + hour.negative for hour in hours) == ITEMS
    verified = system.run("sentimentagent", "store", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert system.get(STATS)[1]["statistics"]["total"] == ITEMS


def _ask_commands(system: System, *, is_file: bool) -> None:
    """See that the doctor finds the store, and that no drill locks a file in which nothing is kept."""
    findings = json.loads(system.run("sentimentagent", "doctor", "--json").stdout)["checks"]
    (store,) = [each for each in findings if each["name"] == "database.store"]
    assert store["result"] == "ok", store
    assert ("sentiment.db" in store["found"]) is is_file
    for name in () if is_file else ("database", "disk"):
        refused = system.run("sentimentagent", "drill", name, "--yes")
        assert refused.returncode == 2
        assert "the items are in Cosmos DB" in refused.stdout


async def _everything(system: System) -> tuple[list[Kept], list[Hour]]:
    async with open_reader(load(system.environ)) as reader:
        kept: list[Kept] = []
        while page := await reader.scan(kept[-1].place if kept else None, 1000):
            kept += page
        return kept, await reader.hours(None, 10_000)


def _stored(system: System) -> int:
    return int(system.health().get("database", {}).get("items") or 0)


def _outbox(system: System) -> float:
    return float(system.health()["processes"]["collector"]["gauges"]["outbox_items"])


def _incidents(system: System) -> list[tuple[str, str]]:
    return [(each["process"], each["kind"]) for each in system.health()["watchdog"]["incidents"]]


def _shape(answer: object) -> object:
    """Return the names of an object, to the depth of what is named by us."""
    return (
        {name: _shape(value) if name != "gauges" else {} for name, value in answer.items()}
        if isinstance(answer, dict)
        else None
    )
