"""The collector with the real asyncpraw before a Reddit that refuses: what its beat says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from fakes.examples import example_settings, living
from fakes.fake_reddit import CLIENT_ID, CLIENT_SECRET, FakeReddit

from agent.collector import Collector
from ipc.channel import ask
from ipc.life import Pulse
from ipc.messages import Collect

if TYPE_CHECKING:
    from pathlib import Path

# asyncprawcore signs in with a class and a parameter that aiohttp 3.14 calls deprecated (and 4.0 will not have).
pytestmark = pytest.mark.filterwarnings(r"ignore:(BasicAuth|The 'auth' parameter) is deprecated:DeprecationWarning")


async def cycles_ended(pulse: Pulse, count: int) -> None:
    """Wait until so many cycles have ended and were told of."""
    async with asyncio.timeout(20):
        while sum(pulse.gauges.get(f"cycles_{outcome}", 0) for outcome in ("succeeded", "failed")) < count:
            await asyncio.sleep(0.01)


async def test_a_403_is_told_at_once_and_a_429_when_it_comes_again_until_they_are_read(short_path: Path) -> None:
    """clawock#1238: a 403 was published as no mentions. Here the beat says who was not read, and why."""
    async with FakeReddit() as fake:
        for name in ("claude", "aws", "Cursor"):
            fake.add_post(name, 1_760_000_000)
        fake.failures = {"aws": fake.answer(403), "cursor": fake.answer(429, {"retry-after": "0"})}
        settings = example_settings(
            short_path,
            REDDIT_URL=fake.url,
            REDDIT_CLIENT_ID=CLIENT_ID,
            REDDIT_CLIENT_SECRET=CLIENT_SECRET,
            SUBREDDITS="claude,aws,Cursor",
        )
        pulse, door = Pulse("collector"), short_path / "run" / "collector.sock"
        async with living(Collector(settings, pulse)):
            await cycles_ended(pulse, 1)
            (first,) = pulse.beat(0.0).troubles
            assert (first.kind, first.subject, first.cause) == ("source", "aws", "forbidden")
            assert "status 403" in first.reason
            await ask(door, Collect(), 5)
            await cycles_ended(pulse, 2)
            told = {each.subject: each.reason for each in pulse.beat(0.0).troubles}
            assert set(told) == {"aws", "Cursor"}
            assert told["Cursor"].startswith("rate_limited: Reddit limits the rate of requests (status 429)")
            fake.failures = {}
            await ask(door, Collect(), 5)
            await cycles_ended(pulse, 3)
            assert pulse.beat(0.0).troubles == ()
