"""The route of shifts: where the net sentiment changed its level, and which posts and words moved with it.

How shifts are found: api/shifts.py; their drivers: api/drivers.py; both in docs/statistics.md.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, Literal

import msgspec
from msgspec.structs import replace

from agent.records import Asked, Sentiment
from api import drivers, shifts
from api.answers import DECIMALS, Answer, Moment, Post, moment, post, reply, rounded
from api.endpoint import Endpoint
from api.intervals import Counts, counts, interval
from api.lines import LinesParameters, Span, Window, read_lines, span_of
from api.parameters import read
from api.provenance import ask
from api.shifts import Shift
from api.terms import text_of

if TYPE_CHECKING:
    from aiohttp import web

    from agent.records import Scored
    from agent.store.protocol import Reading
    from api.heavy_work import HeavyWork

#: So many are told, with what drove them: the least likely ones.
MAX_SHIFTS: Final = 10
#: Of each side of a shift so many items are read, those nearest to it. Chosen: what changed shows in its first hours.
READ_ITEMS: Final = 400
#: So much of an item's text is kept and told. Chosen: more than the words are looked for in, and ten shifts with all of
#: fifty long posts would be megabytes.
CONTENT_CHARACTERS: Final = 1000
_AT_ONCE: Final = 200


class ShiftsParameters(LinesParameters, frozen=True, kw_only=True):
    """GET /sentiment/shifts."""


class Side(Answer, frozen=True, kw_only=True):
    """The level before or after a shift: from or to its neighbour, or the window's end."""

    total: int
    positive: int
    negative: int
    net: float | None
    net_low: float | None
    net_high: float | None


class ShiftWord(Answer, frozen=True, kw_only=True):
    """A word, or a pair of words, that came or went."""

    word: str
    #: In how many of the texts that were read it stands.
    before: int
    after: int
    #: Log-odds in standard errors: above 0 it came, below 0 it went.
    weight: float


class TextsRead(Answer, frozen=True, kw_only=True):
    """How many texts were read for the words."""

    before: int
    after: int


class ToldShift(Answer, frozen=True, kw_only=True):
    """One shift."""

    subreddit: str
    #: When the bucket begins in which the new level does.
    at: Moment
    before: Side
    after: Side
    difference: float
    #: How often chance alone would show as much anywhere in any of the lines that were tested.
    p_value: float
    #: Items after it that speak its direction loudest; of a long ``content`` only the beginning.
    posts: list[Post]
    #: Of the items of the sentiment whose share changed more.
    words: list[ShiftWord]
    words_of: Sentiment
    texts_read: TextsRead


class Shifts(Answer, frozen=True, kw_only=True):
    """GET /sentiment/shifts."""

    window: Window
    #: The newest first.
    shifts: list[ToldShift]
    #: How many there are; those that are not told are the likeliest to be chance.
    found: int
    #: How many lines were looked at together.
    tested: int
    #: The lines with too few items to tell anything.
    too_few: list[str]
    source: str | None
    #: What the last collection could not read, of what was looked at, and why.
    unread: dict[str, str]
    timestamp: Moment


class _Found(msgspec.Struct, frozen=True):
    """A shift and where it is: the place that a list of items is asked by."""

    #: None for all.
    subreddit: str | None
    at_utc: int
    since_utc: int
    until_utc: int
    shift: Shift


class ShiftRoutes:
    """GET /sentiment/shifts."""

    def __init__(self, store: Reading, heavy_work: HeavyWork) -> None:
        self._store = store
        self._heavy_work = heavy_work

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        return [
            Endpoint(
                path="/api/v1/sentiment/shifts",
                handler=self._shifts,
                summary="Where net sentiment changed beyond chance, and the posts and words that moved with it.",
                parameters=ShiftsParameters,
                answer=Shifts,
                made_of="store",
            )
        ]

    async def _shifts(self, request: web.Request) -> web.Response:
        wanted = read(request, ShiftsParameters)
        span, names = span_of(wanted), wanted.names  # what is wrong is refused here
        told = await self._heavy_work.once(("shifts", wanted), lambda: self._computed(span, names, wanted.top))
        return reply(told, told.source)

    async def _computed(self, span: Span, names: list[str] | None, top: int) -> Shifts:
        lines, provenance = await asyncio.gather(read_lines(self._store, span, names, top), ask(self._store))
        series: dict[str | None, list[Counts]] = {None: [counts(each) for each in lines.all]}
        series |= {name: [counts(each) for each in line] for name, line in lines.subreddits.items()}
        rich = {name: line for name, line in series.items() if shifts.is_enough(line)}
        found = await asyncio.to_thread(_found, span, rich)
        least_likely = sorted(found, key=lambda each: each.shift.p_value)[:MAX_SHIFTS]
        least_likely.sort(key=lambda each: (-each.at_utc, each.subreddit or ""))
        return Shifts(
            window=span.told(),
            shifts=[await self._told(each) for each in least_likely],
            found=len(found),
            tested=len(rich),
            too_few=[name or "all" for name in series if name not in rich],
            source=provenance.source,
            unread=provenance.unread(names),
            timestamp=moment(time.time()),
        )

    async def _told(self, found: _Found) -> ToldShift:
        shift = found.shift
        direction: Sentiment = "positive" if shift.difference > 0 else "negative"
        words_of = drivers.moved(shift.before, shift.after)
        loud = await self._nearest(found, direction, "oldest")
        before = await self._nearest(found, words_of, "newest")
        after = loud if words_of == direction else await self._nearest(found, words_of, "oldest")
        words = await asyncio.to_thread(
            drivers.words, [text_of(each.item) for each in before], [text_of(each.item) for each in after]
        )
        return ToldShift(
            subreddit=found.subreddit or "all",
            at=moment(found.at_utc),
            before=_side(shift.before),
            after=_side(shift.after),
            difference=round(shift.difference, DECIMALS),
            p_value=float(f"{shift.p_value:.3g}"),
            posts=[post(each) for each in drivers.loudest(loud, is_up=shift.difference > 0)],
            words=[
                ShiftWord(word=each.word, before=each.before, after=each.after, weight=round(each.weight, DECIMALS))
                for each in words
            ],
            words_of=words_of,
            texts_read=TextsRead(before=len(before), after=len(after)),
        )

    async def _nearest(self, found: _Found, sentiment: Sentiment, order: Literal["newest", "oldest"]) -> list[Scored]:
        """Return the items nearest to the shift: the newest before it, or the oldest after it."""
        is_before = order == "newest"
        asked = Asked(
            subreddit=found.subreddit,
            since_utc=found.since_utc if is_before else found.at_utc,
            until_utc=found.at_utc if is_before else found.until_utc,
            kind="all",
            sentiment=sentiment,
            order=order,
        )
        items: list[Scored] = []
        place: str | None = None
        while len(items) < READ_ITEMS:
            page = await self._store.page(asked, place, _AT_ONCE)
            items += [_short(each) for each in page.items]
            if (place := page.next) is None:
                break
        return items


def _found(span: Span, series: dict[str | None, list[Counts]]) -> list[_Found]:
    """Return the shifts of all lines, each corrected for how many lines there are."""
    edges = [*span.starts, span.until_utc]
    return [
        _Found(
            name,
            max(edges[each.place], span.since_utc),
            max(edges[each.since], span.since_utc),
            edges[each.until],
            each,
        )
        for name, line in series.items()
        for each in shifts.find(line, len(series))
    ]


def _short(scored: Scored) -> Scored:
    """Return the item with the beginning of its text."""
    content = scored.item.content
    if len(content) <= CONTENT_CHARACTERS:
        return scored
    cut = f"{content[: CONTENT_CHARACTERS - 1]}\N{HORIZONTAL ELLIPSIS}"
    return replace(scored, item=replace(scored.item, content=cut))


def _side(of: Counts) -> Side:
    low, high = interval(of) or (None, None)
    return Side(
        total=of.total,
        positive=of.positive,
        negative=of.negative,
        net=rounded(of.net),
        net_low=rounded(low),
        net_high=rounded(high),
    )
