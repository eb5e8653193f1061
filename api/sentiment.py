"""The routes of statistics: totals of a window, and their series."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from agent.records import Totals
from api.answers import Stats, TrendPoint, Trends, moment, reply, rounded, statistics
from api.endpoint import Endpoint
from api.parameters import StatsParameters, TrendsParameters, read
from api.provenance import Provenances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

    from agent.records import Point
    from agent.store.protocol import Reading

_HOUR_S: Final = 3600
#: Up to this window the series is hourly, above it daily.
_HOURLY_UP_TO: Final = 168


class SentimentRoutes:
    """GET /sentiment/stats and /sentiment/trends."""

    def __init__(self, store: Reading) -> None:
        self._store = store
        self._provenances = Provenances(store)

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        return [
            Endpoint(
                path="/api/v1/sentiment/stats",
                handler=self._stats,
                summary="How many items of a window have which sentiment.",
                parameters=StatsParameters,
                answer=Stats,
                made_of="store",
            ),
            Endpoint(
                path="/api/v1/sentiment/trends",
                handler=self._trends,
                summary="The same with its series, by hour or by day.",
                parameters=TrendsParameters,
                answer=Trends,
                made_of="store",
            ),
        ]

    async def _stats(self, request: web.Request) -> web.Response:
        wanted = read(request, StatsParameters)
        since_utc, until_utc = window(wanted.hours)
        totals, provenance = await self._provenances.beside(self._store.totals(wanted.only, since_utc, until_utc))
        stats = Stats(
            subreddit=wanted.only or "all",
            time_window_hours=wanted.hours,
            statistics=statistics(totals),
            unread=provenance.unread(wanted.names),
            timestamp=moment(time.time()),
            source=provenance.source,
        )
        return reply(stats, stats.source)

    async def _trends(self, request: web.Request) -> web.Response:
        wanted = read(request, TrendsParameters)
        since_utc, until_utc = window(wanted.hours)
        bucket_hours = 1 if wanted.hours <= _HOURLY_UP_TO else 24
        series, provenance = await self._provenances.beside(
            self._store.series(wanted.only, since_utc, until_utc, bucket_hours * _HOUR_S)
        )
        # Summed here, not asked for: between two questions more may be stored, and the points would not add up.
        summed = statistics(total([point.totals for point in series]))
        trends = Trends(
            subreddit=wanted.only or "all",
            time_window_hours=wanted.hours,
            trend_data=summed,
            statistics=summed,
            unread=provenance.unread(wanted.names),
            timestamp=moment(time.time()),
            bucket_hours=bucket_hours,
            points=_points(series, since_utc, until_utc, bucket_hours * _HOUR_S),
            source=provenance.source,
        )
        return reply(trends, trends.source)


def window(hours: int) -> tuple[int, int]:
    """Return the last ``hours``, up to and including this second, as a half-open window."""
    until_utc = int(time.time()) + 1
    return until_utc - hours * _HOUR_S, until_utc


def total(parts: Sequence[Totals]) -> Totals:
    """Return the totals of all parts together."""
    count = sum(part.total for part in parts)
    compound_sum = sum(part.total * part.avg_sentiment for part in parts if part.avg_sentiment is not None)
    return Totals(
        total=count,
        positive=sum(part.positive for part in parts),
        negative=sum(part.negative for part in parts),
        neutral=sum(part.neutral for part in parts),
        avg_sentiment=compound_sum / count if count else None,
    )


def _points(series: Sequence[Point], since_utc: int, until_utc: int, bucket_s: int) -> list[TrendPoint]:
    """Return every bucket of the window, those without items too: a gap must be seen as one."""
    found = {point.start_utc: point.totals for point in series}
    first_utc = since_utc // bucket_s * bucket_s
    return [_point(start, found.get(start, Totals())) for start in range(first_utc, until_utc, bucket_s)]


def _point(start_utc: int, totals: Totals) -> TrendPoint:
    return TrendPoint(
        start=moment(start_utc),
        total=totals.total,
        positive=totals.positive,
        negative=totals.negative,
        neutral=totals.neutral,
        avg_sentiment=rounded(totals.avg_sentiment),
    )
