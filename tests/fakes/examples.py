"""Small items, settings and engines that several tests start from."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from agent.sentiment.engine import Outcome, TextFailure, scores_of
from ipc.environment import load
from ipc.messages import Item

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from ipc.life import Service
    from ipc.settings import Settings


def example_item(number: int, *, subreddit: str = "aws", title: str = "", content: str = "") -> Item:
    """Return a post that differs from its neighbours by its number."""
    return Item(
        name=f"t3_{number}",
        subreddit=subreddit,
        author="someone",
        title=title or f"title {number}",
        content=content,
        url=f"https://www.reddit.com/r/{subreddit}/comments/{number}/",
        created_utc=1_700_000_000 + number,
        collected_utc=1_700_000_100 + number,
        upvotes=number,
        comment_count=1,
        source="sample",
    )


def example_settings(home: Path, **environ: str) -> Settings:
    """Return the defaults, with a home of the test's own, made as a process makes it, and these names changed."""
    # The items above are of 2023.
    settings = load({"SENTIMENTAGENT_HOME": str(home), "DATA_RETENTION_DAYS": "100000", **environ})
    for folder in (settings.folders.run, settings.folders.state, settings.folders.logs):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return settings


def loaded(home: Path, **environ: str) -> Settings:
    """Return settings with a home of the test's own."""
    return load({"SENTIMENTAGENT_HOME": str(home), **environ})


class WordEngine:
    """An engine that knows two words, and breaks on a third: fast, and right by construction."""

    name = "words"

    def __init__(self) -> None:
        self.texts: list[str] = []

    def score(self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None) -> list[Outcome]:
        self.texts += texts
        if on_progress:
            on_progress(len(texts))
        return [self._score(text) for text in texts]

    def _score(self, text: str) -> Outcome:
        if "poison" in text:
            return TextFailure("ValueError: poison")
        if "love" in text:
            return scores_of(0.8, 0.1, 0.1)
        return scores_of(0.1, 0.1, 0.8) if "hate" in text else scores_of(0.2, 0.6, 0.2)


@asynccontextmanager
async def living(service: Service) -> AsyncIterator[asyncio.Event]:
    """Run a service for the time of a test as :mod:`ipc.life` does; raise what it raises."""
    stop = asyncio.Event()
    async with service:
        work = asyncio.create_task(service.work(stop))
        try:
            yield stop
        finally:
            stop.set()
            await work
