"""The route of themes: what is written about in the last day more than in the week before.

How themes are found: api/themes.py and docs/statistics.md. Posts alone are read; what their comments say shows in how
many there are.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from agent.records import Asked
from api import themes
from api.answers import Answer, Moment, moment, named, reply, rounded
from api.endpoint import Endpoint
from api.parameters import Parameters, read
from api.terms import text_of
from api.themes import Talked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import web

    from agent.records import Scored
    from agent.store.protocol import Reading
    from api.heavy_work import HeavyWork
    from api.themes import Theme

_HOUR_S: Final = 3600
_DAY_S: Final = 24 * _HOUR_S
#: The newest posts of the last day. Chosen: twice what fourteen busy subreddits write in a day.
MAX_NOW: Final = 1500
#: So many days before are compared with, and so many of the newest posts of each.
DAYS_BEFORE: Final = 7
MAX_A_DAY: Final = 200
_MAX_THEMES: Final = 100
#: Posts that are held whole at a time: each may be 40,000 characters long, of which a few hundred are kept.
_AT_ONCE: Final = 100
#: So many keywords make its name.
_IN_NAME: Final = 3
#: What stands in the place of an author whose account is gone.
_GONE: Final = frozenset({"", "[deleted]"})


class TrendingParameters(Parameters, frozen=True, kw_only=True):
    """GET /trending."""

    limit: Annotated[int, Meta(ge=1, le=_MAX_THEMES)] = 20


class SentimentDistribution(Answer, frozen=True, kw_only=True):
    """How many posts of a theme have which sentiment."""

    positive: int
    negative: int
    neutral: int


class Trend(Answer, frozen=True, kw_only=True):
    """A theme: GET /trending answers an array of them, the fastest first."""

    #: The same as long as its first keyword is.
    id: str
    #: Those of /posts/{id}, most engagement first.
    post_ids: list[str]
    theme: str
    keywords: list[str]
    #: Upvotes and comments an hour since each post was written, summed; null where no post's are known.
    engagement_velocity: float | None
    sentiment_distribution: SentimentDistribution
    #: The hour in which most of its posts were written.
    peak_time: Moment
    #: When its first post was written.
    created_at: Moment


class _Trends(msgspec.Struct, frozen=True):
    told: list[Trend]
    source: str | None


class TrendingRoutes:
    """GET /trending."""

    def __init__(self, store: Reading, heavy_work: HeavyWork) -> None:
        self._store = store
        self._heavy_work = heavy_work

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        return [
            Endpoint(
                path="/api/v1/trending",
                handler=self._trending,
                summary="What is written about in the last day more than in the week before.",
                parameters=TrendingParameters,
                answer=list[Trend],
                made_of="store",
            )
        ]

    async def _trending(self, request: web.Request) -> web.Response:
        wanted = read(request, TrendingParameters)
        trends = await self._heavy_work.once("trending", self._computed)
        return reply(trends.told[: wanted.limit], trends.source)

    async def _computed(self) -> _Trends:
        until_utc = int(time.time()) + 1
        sources: set[str] = set()
        now = [_talked(each) async for each in self._posts(until_utc - _DAY_S, until_utc, MAX_NOW, sources)]
        before: list[str] = []
        for day in range(1, DAYS_BEFORE + 1):
            end_utc = until_utc - day * _DAY_S
            before += [text_of(each.item) async for each in self._posts(end_utc - _DAY_S, end_utc, MAX_A_DAY)]
        found = await asyncio.to_thread(themes.find, now, before, until_utc, _MAX_THEMES)
        return _Trends([_trend(each) for each in found], named(sources))

    async def _posts(
        self, since_utc: int, until_utc: int, most: int, sources: set[str] | None = None
    ) -> AsyncIterator[Scored]:
        """Yield the newest posts of the window; where they came from is added to ``sources``."""
        asked = Asked(since_utc=since_utc, until_utc=until_utc, kind="post", order="newest")
        place: str | None = None
        for _ in range(most // _AT_ONCE):
            page = await self._store.page(asked, place, _AT_ONCE)
            for each in page.items:
                if sources is not None:
                    sources.add(each.item.source)
                yield each
            if (place := page.next) is None:
                return


def _talked(scored: Scored) -> Talked:
    item = scored.item
    known = [each for each in (item.upvotes, item.comment_count) if each is not None]
    return Talked(
        id=item.name.partition("_")[2],
        author=None if item.author in _GONE else item.author,
        title=item.title,
        text=text_of(item),
        created_utc=item.created_utc,
        engagement=sum(max(0, each) for each in known) if known else None,
        sentiment=scored.score.sentiment,
    )


def _trend(theme: Theme) -> Trend:
    sentiments = Counter(post.sentiment for post in theme.posts)
    return Trend(
        id=theme.id,
        post_ids=[post.id for post in theme.posts],
        theme=", ".join(theme.keywords[:_IN_NAME]),
        keywords=theme.keywords,
        engagement_velocity=rounded(theme.velocity),
        sentiment_distribution=SentimentDistribution(
            positive=sentiments["positive"], negative=sentiments["negative"], neutral=sentiments["neutral"]
        ),
        peak_time=moment(theme.peak_utc),
        created_at=moment(theme.first_utc),
    )
