"""GET /posts/{id}?explain=1 with a real analyzer beside the API, and without one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from fakes.examples import WordEngine, example_item, example_settings, living
from fakes.processes import FakeCollector
from fakes.running_api import RunningApi, running_api
from fakes.stored import scored

from agent.analyzer import Analyzer
from ipc.channel import Door
from ipc.life import Pulse
from ipc.messages import CycleStarted, Explain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ipc.channel import Connection
    from ipc.messages import AnyMessage


@pytest.fixture
async def api(short_path: Path) -> AsyncIterator[RunningApi]:
    """Return an API over one post that says "I love it"."""
    async with running_api(short_path) as running:
        await running.store(scored(example_item(1, title="I love it"), "positive"))
        yield running


async def test_the_words_come_with_the_post(api: RunningApi, short_path: Path) -> None:
    """Whole, and with the model's verdict of now beside the stored one."""
    async with living(Analyzer(example_settings(short_path), Pulse("analyzer"), WordEngine)):
        post = await api.get("/posts/1?explain=1")
        plain = await api.get("/posts/1")
    explanation = post.pop("explanation")
    assert post.pop("explanation_reason") is None
    assert post == plain
    assert explanation.pop("words")[0] == {"word": "love", "effect": 0.6}
    assert explanation == {
        "sentiment": "positive",
        "confidence": 0.8,
        "rule": "title_only",
        "model": "words",
        "is_whole": True,
    }


async def test_without_an_analyzer_the_post_is_told_with_the_reason(api: RunningApi) -> None:
    """Nobody serves the door: the post is there, the explanation is null, and a sentence says why."""
    post = await api.get("/posts/1?explain=1")
    assert (post["title"], post["sentiment"], post["explanation"]) == ("I love it", "positive", None)
    assert post["explanation_reason"].startswith("The analyzer does not answer: analyzer.sock is not served")


async def test_an_analyzer_that_hangs_costs_a_moment(api: RunningApi, short_path: Path) -> None:
    """A door that takes the question and never answers: the API waits no longer than it says."""
    never = asyncio.Event()

    async def swallow(_connection: Connection, _message: AnyMessage) -> None:
        await never.wait()

    async with Door(short_path / "run" / "analyzer.sock", Explain, swallow):
        post = await api.get("/posts/1?explain=true")
    assert post["explanation"] is None
    assert "did not answer within 2.5 s" in post["explanation_reason"]


async def test_an_analyzer_that_says_something_else_is_told_of(api: RunningApi, short_path: Path) -> None:
    """What is no explanation is not taken for one."""
    async with _speaks_of_cycles(short_path):
        post = await api.get("/posts/1?explain=1")
    assert (post["explanation"], post["explanation_reason"]) == (None, "The analyzer answered with something else.")


async def test_an_analyzer_of_before_closes_and_the_post_is_told(api: RunningApi, short_path: Path) -> None:
    """During an upgrade the analyzer may not know the question."""
    async with FakeCollector().at(short_path / "run" / "analyzer.sock"):  # any door that does not take it
        post = await api.get("/posts/1?explain=1")
    assert post["explanation"] is None
    assert "closed without an answer" in post["explanation_reason"]


async def test_a_wrong_value_is_refused_and_an_unknown_post_is_unknown(api: RunningApi) -> None:
    """As with every other parameter."""
    assert (await api.get("/posts/1?explain=words", status=422))["error"] == "wrong_parameter"
    assert (await api.get("/posts/none?explain=1", status=404))["error"] == "unknown_post"
    assert "explanation" not in await api.get("/posts/1?explain=0")


def _speaks_of_cycles(home: Path) -> Door:
    async def answer(connection: Connection, _message: AnyMessage) -> None:
        await connection.send(CycleStarted(cycle_id="c1"))

    return Door(home / "run" / "analyzer.sock", Explain, answer)
