"""Lines of counts: of all subreddits and of some, bucket by bucket over a window.

Every bucket of the window is in a line, those without items too: a gap must be seen as one.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from agent.records import Point, Totals
from api.answers import Answer, Moment, moment
from api.errors import Refused
from api.windows import OfWindow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.store.protocol import Reading

_HOUR_S: Final = 3600
#: The longest window, in hours: 90 days, each of which is a point of every line.
MAX_HOURS: Final = 2160
MAX_LINES: Final = 50


class LinesParameters(OfWindow, frozen=True, kw_only=True):
    """GET /sentiment/overview and /sentiment/shifts."""

    #: How many subreddits, those with the most items.
    top: Annotated[int, Meta(ge=0, le=MAX_LINES)] = 12
    #: These instead, comma-separated.
    subreddits: Annotated[str, Meta(max_length=2000)] | None = None

    @property
    def names(self) -> list[str] | None:
        """The subreddits that are asked for, each once; None for those with the most items.

        Raises:
            Refused: 422, there are too many.

        """
        if self.subreddits is None:
            return None
        found = {name.lower(): name for part in self.subreddits.split(",") if (name := part.strip())}
        if len(found) > MAX_LINES:
            raise wrong("subreddits", f"expected at most {MAX_LINES} names")
        return list(found.values())


class Window(Answer, frozen=True, kw_only=True):
    """What the answer is about; the end is not in it any more."""

    start: Moment
    end: Moment
    hours: float
    bucket_hours: int


class Span(msgspec.Struct, frozen=True):
    """A window and its buckets."""

    since_utc: int
    until_utc: int
    bucket_s: int

    @property
    def starts(self) -> range:
        """When each bucket begins; the first one may begin before the window."""
        return range(self.since_utc // self.bucket_s * self.bucket_s, self.until_utc, self.bucket_s)

    @property
    def before(self) -> tuple[int, int]:
        """The window of the same length before."""
        return 2 * self.since_utc - self.until_utc, self.since_utc

    def told(self) -> Window:
        """Return it as it is told."""
        return Window(
            start=moment(self.since_utc),
            end=moment(self.until_utc),
            hours=round((self.until_utc - self.since_utc) / _HOUR_S, 4),
            bucket_hours=self.bucket_s // _HOUR_S,
        )


class Lines(msgspec.Struct, frozen=True):
    """What is asked for, as the store knows it: every bucket of every line, those without items too."""

    all: list[Totals]
    subreddits: dict[str, list[Totals]]


def span_of(wanted: OfWindow) -> Span:
    """Return the window with its buckets: hours up to two days, three hours up to a week, days above.

    Raises:
        Refused: 422, the window is too long.

    """
    since_utc, until_utc = wanted.window()
    hours = (until_utc - since_utc) / _HOUR_S
    if hours > MAX_HOURS:
        raise wrong("start", f"expected at most {MAX_HOURS} hours before the window's end")
    bucket_hours = next((size for most, size in ((48, 1), (168, 3)) if hours <= most), 24)
    return Span(since_utc, until_utc, bucket_hours * _HOUR_S)


async def read_lines(store: Reading, span: Span, names: Sequence[str] | None, top: int) -> Lines:
    """Return the line of all, and those of the named subreddits, or of the ``top`` ones with the most items."""
    window = span.since_utc, span.until_utc, span.bucket_s
    if names is None:
        of_all, by_name = await asyncio.gather(
            store.series(None, *window), store.series_by_subreddit(*window, top) if top else _nothing()
        )
    else:
        of_all, *each = await asyncio.gather(*(store.series(name, *window) for name in (None, *names)))
        by_name = dict(zip(names, each, strict=True))
    return Lines(_filled(span, of_all), {name: _filled(span, points) for name, points in by_name.items()})


def wrong(name: str, reason: str) -> Refused:
    """Return the refusal of a parameter."""
    return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "wrong_parameter", f"The parameter {name} is wrong: {reason}.")


async def _nothing() -> dict[str, list[Point]]:
    return {}


def _filled(span: Span, points: Sequence[Point]) -> list[Totals]:
    """Return every bucket."""
    found = {point.start_utc: point.totals for point in points}
    return [found.get(start_utc, Totals()) for start_utc in span.starts]
