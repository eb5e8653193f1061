"""With the store away the API says so, answers what it knows with its age, and recovers by itself."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from fakes.running_api import RunningApi, running_api
from fakes.stored import item, scored

from api.known_answers import AGE_HEADER

if TYPE_CHECKING:
    from pathlib import Path


def _take_away(api: RunningApi, away: Path) -> None:
    for path in api.settings.folders.state.glob("sentiment.db*"):
        shutil.move(path, away / path.name)


def _bring_back(api: RunningApi, away: Path) -> None:
    for path in away.glob("sentiment.db*"):
        shutil.move(path, api.settings.folders.state / path.name)


async def test_the_last_answer_is_given_again_and_marked(short_path: Path, tmp_path: Path) -> None:
    """Objects carry their age in the body and lists in the header; health is 503 meanwhile, and all is well after."""
    async with running_api(short_path) as api:
        await api.store(scored(item("t3_a", created_utc=int(time.time()) - 60)))
        stats = await api.get("/sentiment/stats?hours=24")
        posts = await api.get("/posts/recent?limit=5")
        assert "stale_seconds" not in stats
        _take_away(api, tmp_path)
        await api.get("/health", status=503)
        again = await api.get("/sentiment/stats?hours=24")
        assert again["statistics"] == stats["statistics"]
        assert again["timestamp"] == stats["timestamp"]
        assert 0 <= again["stale_seconds"] < 10
        response = await api.ask("GET", "/api/v1/posts/recent?limit=5")
        assert (await response.json()) == posts
        assert 0 <= float(response.headers[AGE_HEADER]) < 10
        assert response.headers["Cache-Control"] == "no-store"
        _bring_back(api, tmp_path)
        fresh = await api.ask("GET", "/api/v1/sentiment/stats?hours=24")
        assert AGE_HEADER not in fresh.headers
        assert "stale_seconds" not in await fresh.json()
        await api.get("/health")


async def test_what_was_never_asked_is_not_made_up(short_path: Path, tmp_path: Path) -> None:
    """Another window is another question: it is answered 503 and a sentence, never with numbers of something else."""
    async with running_api(short_path) as api:
        await api.store(scored(item("t3_a", created_utc=int(time.time()) - 60)))
        await api.get("/sentiment/stats?hours=24")
        _take_away(api, tmp_path)
        body = await api.get("/sentiment/stats?hours=25", status=503)
        assert body["error"] == "store_unavailable"


async def test_health_is_never_served_from_memory(short_path: Path, tmp_path: Path) -> None:
    """metagraphed#8990: a healthy 200 was served from stale data."""
    async with running_api(short_path) as api:
        await api.store(scored(item("t3_a", created_utc=int(time.time()) - 60)))
        await api.get("/health")
        _take_away(api, tmp_path)
        response = await api.ask("GET", "/api/v1/health")
        assert response.status == 503
        assert AGE_HEADER not in response.headers
