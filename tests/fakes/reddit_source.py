"""The real source against the stand-in for Reddit, and what is asked of it again and again."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any, Final

import pytest
from fakes.fake_reddit import CLIENT_ID, CLIENT_SECRET, FakeReddit

from agent.sources.reddit import RedditSource
from ipc.errors import SourceUnavailable
from ipc.settings import CollectorSettings, Secret

if TYPE_CHECKING:
    from agent.sources.protocol import Page

#: The wall clock of these tests stands still here.
NOW: Final = 1_760_000_000
SUBREDDIT: Final = "Cursor"


def settings_for(fake: FakeReddit, **changes: Any) -> CollectorSettings:  # noqa: ANN401 - of any setting's type
    """Return settings that lead to the stand-in, with ``changes``."""
    given: dict[str, Any] = {
        "reddit_url": fake.url,
        "reddit_client_id": CLIENT_ID,
        "reddit_client_secret": Secret(CLIENT_SECRET),
        "subreddits": (SUBREDDIT,),
    }
    return CollectorSettings(**given | changes)


def source_at(fake: FakeReddit, **changes: Any) -> RedditSource:  # noqa: ANN401 - of any setting's type
    """Return the source, on a clock that stands still."""
    return RedditSource(settings_for(fake, **changes), now=lambda: NOW)


async def pages_of(source: RedditSource, cursor: str | None = None, stream: str = SUBREDDIT) -> list[Page]:
    """Return all pages of one read."""
    return [page async for page in source.read(stream, cursor)]


def names_in(pages: list[Page]) -> list[str]:
    """Return the names of all items, in order."""
    return [item.name for page in pages for item in page.items]


async def failure_of(source: RedditSource, stream: str = SUBREDDIT) -> SourceUnavailable:
    """Return what a read that fails fails with."""
    with pytest.raises(SourceUnavailable) as raised:
        await pages_of(source, stream=stream)
    return raised.value


def assert_no_secret(failure: SourceUnavailable) -> None:
    """Neither the sentence nor the traceback with all its causes names a credential or a token."""
    whole = "".join(traceback.format_exception(failure)) + repr(failure)
    for secret in (CLIENT_ID, CLIENT_SECRET, "fake-token", "bearer"):
        assert secret not in whole
