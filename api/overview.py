"""The route of the overview: the net sentiment of all and by subreddit, with its band, and whether it moved.

What an interval is and when a difference is real: api/intervals.py and docs/statistics.md.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from agent.records import Totals
from api.answers import Answer, Moment, Statistics, moment, reply, rounded, statistics
from api.endpoint import Endpoint
from api.intervals import Counts, counts, holm, interval, standardised, two_sided
from api.levels import Levels
from api.lines import LinesParameters, Span, Window, read_lines, span_of
from api.parameters import read
from api.provenance import Provenances
from api.sentiment import total

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

    from agent.store.protocol import Reading

#: Every subreddit that there is: more than anybody collects.
_ALL: Final = 10_000
#: Differences are called real when chance alone shows one among all lines in one of twenty answers.
_ALPHA: Final = 0.05
#: With fewer items on a side no difference is called real. Chosen, not measured.
_MIN_ITEMS: Final = 20


class NetPoint(Answer, frozen=True, kw_only=True):
    """One bucket; the first and the last hold only what lies within the window."""

    start: Moment
    total: int
    positive: int
    negative: int
    neutral: int
    avg_sentiment: float | None
    #: (positive - negative) / total, and the ends of its 95 % interval; null when total is 0.
    net: float | None
    net_low: float | None
    net_high: float | None


class Previous(Answer, frozen=True, kw_only=True):
    """The window of the same length before."""

    statistics: Statistics
    net: float | None


class Line(Answer, frozen=True, kw_only=True):
    """All subreddits, or one."""

    subreddit: str
    statistics: Statistics
    net: float | None
    net_low: float | None
    net_high: float | None
    previous: Previous
    #: The net minus the previous one; null when either is.
    difference: float | None
    #: Whether it is more than chance does; false also when there are too few items to say.
    difference_is_real: bool
    points: list[NetPoint]


class Overview(Answer, frozen=True, kw_only=True):
    """GET /sentiment/overview."""

    window: Window
    all: Line
    subreddits: list[Line]
    source: str | None
    #: What the last collection could not read, of what is told here, and why.
    unread: dict[str, str]
    timestamp: Moment


class OverviewRoutes:
    """GET /sentiment/overview."""

    def __init__(self, store: Reading) -> None:
        self._store = store
        self._provenances = Provenances(store)

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        return [
            Endpoint(
                path="/api/v1/sentiment/overview",
                handler=self._overview,
                summary="Net sentiment of all and by subreddit, with its band, and whether it moved.",
                parameters=LinesParameters,
                answer=Overview,
                made_of="store",
            )
        ]

    async def _overview(self, request: web.Request) -> web.Response:
        wanted = read(request, LinesParameters)
        span, names = span_of(wanted), wanted.names
        (lines, all_before, before), provenance = await self._provenances.beside(
            asyncio.gather(
                read_lines(self._store, span, names, wanted.top),
                self._store.totals(None, *span.before),
                self._store.totals_by_subreddit(*span.before, _ALL),
            )
        )
        earlier = {each.subreddit.lower(): each.totals for each in before}
        named_lines = [("all", lines.all, all_before)]
        named_lines += [(name, each, earlier.get(name.lower(), Totals())) for name, each in lines.subreddits.items()]
        is_real = _real([(buckets, previous) for _, buckets, previous in named_lines])
        of_all, *others = (_line(span, *each, is_real=real) for each, real in zip(named_lines, is_real, strict=True))
        overview = Overview(
            window=span.told(),
            all=of_all,
            subreddits=others,
            source=provenance.source,
            unread=provenance.unread(names),
            timestamp=moment(time.time()),
        )
        return reply(overview, overview.source)


def _real(lines: Sequence[tuple[Sequence[Totals], Totals]]) -> list[bool]:
    """Tell of each line whether its net differs from the previous one by more than chance among all lines."""
    p_values = [_by_chance([counts(each) for each in buckets], counts(previous)) for buckets, previous in lines]
    corrected = iter(holm([p_value for p_value in p_values if p_value is not None]))
    return [p_value is not None and next(corrected) < _ALPHA for p_value in p_values]


def _by_chance(buckets: Sequence[Counts], previous: Counts) -> float | None:
    """Return how often chance alone shows as much; None with too few items. Items of a thread are no strangers."""
    levels = Levels(buckets)
    _, now = levels.sides(0)
    if min(now.total, previous.total) < _MIN_ITEMS:
        return None
    return two_sided(standardised(previous, now) / levels.design_effect() ** 0.5)


def _line(span: Span, name: str, buckets: Sequence[Totals], previous: Totals, *, is_real: bool) -> Line:
    now = total(buckets)
    net, net_before = counts(now).net, counts(previous).net
    low, high = interval(counts(now)) or (None, None)
    return Line(
        subreddit=name,
        statistics=statistics(now),
        net=rounded(net),
        net_low=rounded(low),
        net_high=rounded(high),
        previous=Previous(statistics=statistics(previous), net=rounded(net_before)),
        difference=None if net is None or net_before is None else rounded(net - net_before),
        difference_is_real=is_real,
        points=[_point(start_utc, each) for start_utc, each in zip(span.starts, buckets, strict=True)],
    )


def _point(start_utc: int, totals: Totals) -> NetPoint:
    of = counts(totals)
    low, high = interval(of) or (None, None)
    return NetPoint(
        start=moment(start_utc),
        total=of.total,
        positive=of.positive,
        negative=of.negative,
        neutral=totals.neutral,
        avg_sentiment=rounded(totals.avg_sentiment),
        net=rounded(of.net),
        net_low=rounded(low),
        net_high=rounded(high),
    )
