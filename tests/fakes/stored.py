"""Items, scores and cycles as the store holds them, with what a test does not care about filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.records import Score, Scored, SetAside
from ipc.messages import Cycle, Item, SubredditFailure

if TYPE_CHECKING:
    from agent.records import Sentiment

#: 2025-10-15T10:00:00Z, the beginning of an hour.
TEN_O_CLOCK = 1_760_522_400

_PROBABILITIES: dict[Sentiment, tuple[float, float, float]] = {
    "positive": (0.8, 0.15, 0.05),
    "neutral": (0.2, 0.6, 0.2),
    "negative": (0.1, 0.1, 0.8),
}


def item(  # noqa: PLR0913 - one parameter a field that tests vary
    name: str = "t3_a",
    *,
    subreddit: str = "Cursor",
    created_utc: int = TEN_O_CLOCK,
    collected_utc: int | None = None,
    title: str = "A title",
    content: str = "A text",
    author: str = "somebody",
    url: str | None = None,
    source: str = "reddit",
) -> Item:
    """Return a post, or a comment when its name begins with ``t1_``."""
    is_comment = name.startswith("t1_")
    return Item(
        name=name,
        subreddit=subreddit,
        author=author,
        title="" if is_comment else title,
        content=content,
        url=url if url is not None else f"https://www.reddit.com/comments/{name[3:]}/",
        created_utc=created_utc,
        collected_utc=created_utc + 60 if collected_utc is None else collected_utc,
        upvotes=7,
        comment_count=None if is_comment else 3,
        source=source,
    )


def scored(one: Item | None = None, sentiment: Sentiment = "positive") -> Scored:
    """Return the item with a score of this sentiment: compound 0.75, 0 or -0.7."""
    positive, neutral, negative = _PROBABILITIES[sentiment]
    return Scored(
        item=one or item(),
        score=Score(
            sentiment=sentiment,
            confidence=max(positive, neutral, negative),
            positive=positive,
            neutral=neutral,
            negative=negative,
            rule="text",
            model="test",
        ),
    )


def set_aside(one: Item | None = None) -> SetAside:
    """Return an item that broke the model."""
    return SetAside(item=one or item("t3_broken"), error="IndexError: index out of range", failed_utc=TEN_O_CLOCK)


def cycle(name: str = "c1", *, finished_utc: float = TEN_O_CLOCK, failed: bool = False) -> Cycle:
    """Return a cycle of ten seconds."""
    return Cycle(
        id=name,
        source="reddit",
        started_utc=finished_utc - 10,
        finished_utc=finished_utc,
        outcome="failed" if failed else "succeeded",
        posts=3,
        comments=4,
        new=5,
        failures=(SubredditFailure(subreddit="aws", cause="forbidden", detail="r/aws is private"),) if failed else (),
        memory_delta_mb=0.5,
    )
