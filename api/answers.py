"""What is answered: structs whose fields are the contract (docs/api.md), and how one becomes a response.

Times are aware UTC datetimes, which are written as ``2025-10-15T10:00:00Z``. What is not known is null.
"""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from agent.records import Sentiment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.records import Scored, Totals
    from ipc import messages

#: Names the sources of the data in an answer; ``sample`` among them says that it is not about the world.
SOURCE_HEADER: Final = "X-Data-Source"

#: Probabilities and means are told to this many decimals.
DECIMALS: Final = 4
#: The last second that a datetime can hold: 9999-12-31T23:59:59Z.
_LAST_SECOND: Final = 253_402_300_799

_encode = msgspec.json.Encoder().encode


#: A time: aware, so that its schema says what it is.
Moment = Annotated[datetime, Meta(tz=True)]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all."""


class Statistics(Answer, frozen=True, kw_only=True):
    """How many items have which sentiment."""

    total: int
    positive: int
    negative: int
    neutral: int
    #: Mean compound, in [-1, 1]; null when total is 0.
    avg_sentiment: float | None


class Stats(Answer, frozen=True, kw_only=True):
    """GET /sentiment/stats."""

    subreddit: str
    time_window_hours: int
    statistics: Statistics
    #: Of the subreddits that were asked for, those that the last collection could not read, and why: what is missing
    #: of them is not zero.
    unread: dict[str, str]
    timestamp: Moment
    source: str | None


class TrendPoint(Answer, frozen=True, kw_only=True):
    """The statistics of one bucket; the first and the last hold only what lies within the window."""

    start: Moment
    total: int
    positive: int
    negative: int
    neutral: int
    avg_sentiment: float | None


class Trends(Answer, frozen=True, kw_only=True):
    """GET /sentiment/trends."""

    subreddit: str
    time_window_hours: int
    #: The same twice: clients of both names exist.
    trend_data: Statistics
    statistics: Statistics
    #: As in :class:`Stats`.
    unread: dict[str, str]
    timestamp: Moment
    bucket_hours: int
    points: list[TrendPoint]
    source: str | None


class Probabilities(Answer, frozen=True, kw_only=True):
    """What the model thinks of each sentiment; they sum to 1."""

    positive: float
    neutral: float
    negative: float


class Post(Answer, frozen=True, kw_only=True):
    """One post, or a comment where those were asked for."""

    #: Reddit's id without its prefix.
    id: str
    #: Reddit's fullname: the id with ``t3_`` or ``t1_`` before it.
    name: str
    kind: str
    subreddit: str
    author: str
    title: str
    content: str
    url: str
    created_utc: Moment
    upvotes: int | None
    comment_count: int | None
    collected_at: Moment
    sentiment: Sentiment
    confidence: float
    compound_score: float
    probabilities: Probabilities
    rule: str
    model: str
    source: str


class WordEffect(Answer, frozen=True, kw_only=True):
    """A word of the text as it was scored, and what the verdict's probability loses without it."""

    word: str
    effect: float


class Explanation(Answer, frozen=True, kw_only=True):
    """The verdict that the analyzer's model gives now, and the words behind it, the strongest first."""

    sentiment: Sentiment
    confidence: float
    rule: str
    model: str
    words: list[WordEffect]
    #: Whether every word was tried.
    is_whole: bool


class ExplainedPost(Post, frozen=True, kw_only=True):
    """GET /posts/{id} with ``explain``. One of both is null."""

    explanation: Explanation | None
    #: Why there is no explanation.
    explanation_reason: str | None


class Subreddits(Answer, frozen=True, kw_only=True):
    """GET /subreddits."""

    subreddits: list[str]
    count: int
    source: str | None


class Triggered(Answer, frozen=True, kw_only=True):
    """POST /admin/collect."""

    status: str
    message: str
    timestamp: Moment
    cycle_id: str
    #: False when a cycle was running already.
    started: bool


def moment(seconds_utc: float) -> datetime:
    """Return the whole second as a datetime; what no calendar holds becomes its nearest end.

    Times come from outside: one post from the year 300,000 must not cost the answer that lists it.
    """
    return datetime.fromtimestamp(min(max(int(seconds_utc), 0), _LAST_SECOND), UTC)


def statistics(totals: Totals) -> Statistics:
    """Return totals as they are told."""
    return Statistics(
        total=totals.total,
        positive=totals.positive,
        negative=totals.negative,
        neutral=totals.neutral,
        avg_sentiment=rounded(totals.avg_sentiment),
    )


def post(scored: Scored) -> Post:
    """Return an item and its score as they are told."""
    item, score = scored.item, scored.score
    return Post(
        id=item.name.partition("_")[2],
        name=item.name,
        kind=item.kind,
        subreddit=item.subreddit,
        author=item.author,
        title=item.title,
        content=item.content,
        url=item.url,
        created_utc=moment(item.created_utc),
        upvotes=item.upvotes,
        comment_count=item.comment_count,
        collected_at=moment(item.collected_utc),
        sentiment=score.sentiment,
        confidence=round(score.confidence, DECIMALS),
        compound_score=round(score.compound, DECIMALS),
        probabilities=Probabilities(
            positive=round(score.positive, DECIMALS),
            neutral=round(score.neutral, DECIMALS),
            negative=round(score.negative, DECIMALS),
        ),
        rule=score.rule,
        model=score.model,
        source=item.source,
    )


def explained_post(scored: Scored, explanation: messages.Explanation | None, reason: str | None) -> ExplainedPost:
    """Return an item with its explanation as they are told, or with the reason why there is none."""
    told = (
        None
        if explanation is None
        else Explanation(
            sentiment=explanation.sentiment,
            confidence=round(explanation.confidence, DECIMALS),
            rule=explanation.rule,
            model=explanation.model,
            words=[WordEffect(word=each.word, effect=round(each.effect, DECIMALS)) for each in explanation.words],
            is_whole=explanation.is_whole,
        )
    )
    fields = msgspec.structs.asdict(post(scored))
    return ExplainedPost(**fields, explanation=told, explanation_reason=reason)


def rounded(value: float | None, decimals: int = DECIMALS) -> float | None:
    """Round what is known."""
    return None if value is None else round(value, decimals)


def named(sources: Iterable[str]) -> str | None:
    """Return the sources of an answer in one string, such as ``sample`` or ``reddit, sample``; None for no source."""
    return ", ".join(sorted(set(sources))) or None


def reply(body: Any, source: str | None = None, status: HTTPStatus = HTTPStatus.OK) -> web.Response:  # noqa: ANN401
    """Return ``body`` (structs, or lists of them) as JSON, marked with the source of its data."""
    response = web.Response(status=status, body=_encode(body), content_type="application/json")
    if source:
        response.headers[SOURCE_HEADER] = source
    return response
