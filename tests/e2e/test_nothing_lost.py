from __future__ import annotations

import json
import random
import time
from itertools import islice
from typing import TYPE_CHECKING

import psutil
import pytest
import zstandard
from harness.system import System, find_data_folder, holds, wait_until

from agent.sources import sample

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]

#: How many posts are ingested: enough that every process is killed while they are under way.
POSTS = 4000


@pytest.fixture
def archive(tmp_path: Path) -> tuple[Path, int]:
    """Return an archive of posts, some of them twice, and how many distinct ones it holds.

    Real posts where the data folder is; else posts made of the sample's texts.
    """
    rows = _real_rows(find_data_folder()) or _made_rows()
    names = {json.loads(row)["name"] for row in rows}
    path = tmp_path / "posts.ndjson"
    path.write_text("\n".join([*rows, *rows[:200]]) + "\n")
    return path, len(names)


def _real_rows(folder: Path) -> list[str]:
    source = folder / "reddit_posts_2013.ndjson.zst"
    if not source.exists():
        return []
    with source.open("rb") as file, zstandard.open(file, "rt", encoding="utf-8") as lines:
        return [line.strip() for line in islice(lines, POSTS)]


def _made_rows() -> list[str]:
    texts = sample.rows()
    return [
        json.dumps(
            {
                "name": f"t3_made{number}",
                "subreddit": texts[number % len(texts)].subreddit,
                "author": "[deleted]",
                "title": f"{texts[number % len(texts)].content[:120]} ({number})",
                "selftext": "",
                "created_utc": 1_500_000_000 + number,
            }
        )
        for number in range(POSTS)
    ]


def test_every_process_is_killed_in_turn_and_every_post_is_stored_once(
    make_system: Callable[..., System], archive: tuple[Path, int]
) -> None:
    """The count in the store equals the distinct ids in the file, whoever died at whatever moment."""
    path, distinct = archive
    system = make_system(ARCHIVE_PATH=str(path), RESTART_INTENSITY="50")
    system.start()
    wait_until(system.is_ready, 90, system, "all ready")
    moments = random.Random(7)  # noqa: S311 - the same moments at every run
    for victim in ("collector", "analyzer", "api", "watchdog", "collector", "analyzer"):
        time.sleep(moments.uniform(0.2, 1.5))
        pid = system.pids()[victim]
        psutil.Process(pid).kill()
        wait_until(
            lambda: system.is_ready() and system.pids()[victim] != pid,  # noqa: B023 - called within the loop
            60,
            system,
            f"{victim} is back",
        )

    def items() -> int:
        return int(system.health().get("database", {}).get("items") or 0)

    wait_until(lambda: items() >= distinct, 240, system, f"{distinct} items are stored")
    wait_until(lambda: system.health()["processes"]["collector"]["gauges"]["outbox_items"] == 0, 30, system, "drained")
    assert items() == distinct
    assert system.health()["database"]["set_aside"] == 0


def test_with_every_other_process_stopped_the_api_serves_what_is_stored(running: Callable[..., System]) -> None:
    """And says that they are stopped; the operator's stop is respected."""
    system = running()
    wait_until(lambda: system.get("/api/v1/posts/recent?hours=168")[1], 60, system, "posts are shown")
    system.supervisorctl("stop", "collector", "analyzer")
    count = len(system.get("/api/v1/posts/recent?hours=168")[1])
    wait_until(lambda: system.health()["status"] == "degraded", 10, system, "health is degraded")
    assert count > 0

    def is_respected() -> bool:
        served = len(system.get("/api/v1/posts/recent?hours=168")[1])
        return served == count and "STOPPED" in system.supervisorctl("status", "analyzer")

    # Long enough for a watchdog that does not respect the stop to undo it.
    holds(is_respected, 3, system, "the analyzer stays stopped, and the API serves what is stored")
    assert any("analyzer" in reason for reason in system.health()["reasons"])
    system.supervisorctl("start", "collector", "analyzer")
    wait_until(lambda: system.health()["status"] == "healthy", 60, system, "healthy again")
