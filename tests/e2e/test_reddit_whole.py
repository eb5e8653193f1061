from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from fakes.fake_reddit import CLIENT_ID, CLIENT_SECRET, FakeReddit
from harness.system import System, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


async def test_subreddits_are_read_scored_and_shown_and_a_private_one_fails_alone(
    running: Callable[..., System],
) -> None:
    """From asyncpraw to the page: posts and comments of two subreddits, and a named failure of the third."""
    async with FakeReddit() as fake:
        now = time.time()
        for number in range(120):
            fake.add_post("Cursor", now - 7200 + number, title=f"I love this editor, part {number}", selftext="")
            fake.add_comment("claude", now - 7200 + number, body=f"This is terrible, I hate it. {number}")
        fake.failures["aws"] = fake.answer(403)
        settings = {
            "REDDIT_URL": fake.url,
            "REDDIT_CLIENT_ID": CLIENT_ID,
            "REDDIT_CLIENT_SECRET": CLIENT_SECRET,
            "SUBREDDITS": "Cursor,aws,claude",
        }
        await asyncio.to_thread(_look, running, settings, fake)
    assert fake.most_at_once == 1


def _look(running: Callable[..., System], settings: dict[str, str], fake: FakeReddit) -> None:
    system = running(**settings)

    def total(subreddit: str) -> int:
        return int(system.get(f"/api/v1/sentiment/stats?subreddit={subreddit}")[1]["statistics"]["total"])

    wait_until(lambda: total("Cursor") == total("claude") == 120, 60, system, "all items are stored")
    posts = system.get("/api/v1/posts/recent?subreddit=cursor&limit=500")[1]
    assert len(posts) == 120
    assert {post["sentiment"] for post in posts} == {"positive"}
    assert system.get("/api/v1/sentiment/stats?subreddit=claude")[1]["statistics"]["negative"] == 120
    assert system.get("/api/v1/subreddits")[1]["subreddits"] == ["claude", "Cursor"]
    assert "aws:forbidden" in system.log()
    application = system.health()["application"]
    assert application["collections_failed"] == 0
    assert [(each["subreddit"], each["cause"]) for each in application["failing_subreddits"]] == [("aws", "forbidden")]
    assert CLIENT_SECRET not in system.log() + system.output.read_text()

    fake.add_post("Cursor", time.time() - 1, title="One more, and I love it", selftext="")
    status, answer = system.get("/api/v1/admin/collect", "POST")
    assert (status, answer["status"]) == (200, "triggered")
    wait_until(lambda: total("Cursor") == 121, 30, system, "the new post is stored")
    assert total("claude") == 120
