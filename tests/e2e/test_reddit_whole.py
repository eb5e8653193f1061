from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from fakes.fake_reddit import CLIENT_ID, CLIENT_SECRET, FakeReddit
from harness.mailbox import Mailbox, mail_settings, serving
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
            fake.add_post("Cursor", now - 7200 + number, title=f"I love this editor! {number}", selftext="")
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


async def test_a_forbidden_subreddit_is_mailed_with_its_cause_and_its_end_too(running: Callable[..., System]) -> None:
    """clawock#1238: a 403 was published as no mentions. Here it is an incident, with a mail, and one at its end."""
    box = Mailbox()
    async with FakeReddit() as fake:
        fake.add_post("Cursor", time.time() - 60, title="I love this editor", selftext="")
        fake.add_post("aws", time.time() - 60, title="I love this cloud", selftext="")
        fake.failures["aws"] = fake.answer(403)
        settings = {
            "REDDIT_URL": fake.url,
            "REDDIT_CLIENT_ID": CLIENT_ID,
            "REDDIT_CLIENT_SECRET": CLIENT_SECRET,
            "SUBREDDITS": "Cursor,aws",
        }
        with serving(box) as port:
            system = await asyncio.to_thread(running, **settings, **mail_settings(port))
            began = await box.letter(1, within_s=90)
            assert began["Subject"].startswith("[SentimentAgent] Subreddits can't be read: aws: forbidden: ")

            def opened() -> bool:
                told = system.health()["watchdog"]["incidents"]
                return [(each["process"], each["kind"]) for each in told] == [("data", "source")]

            await asyncio.to_thread(wait_until, opened, 10, system, "health shows the incident")
            del fake.failures["aws"]
            await asyncio.to_thread(system.get, "/api/v1/admin/collect", "POST")
            over = await box.letter(2, within_s=90)
            assert "Over after" in over["Subject"]
    assert len(box.letters) == 2
