"""Which posts and comments a request wants, and in which order: what lists and exports have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from agent.records import Asked, Kind, Order, Sentiment
from api.parameters import Cursor, Subreddit, only, wrong
from api.windows import OfWindow

if TYPE_CHECKING:
    from agent.records import Page
    from agent.store.protocol import Reading


class Filters(OfWindow, frozen=True, kw_only=True):
    """Which, and in which order."""

    #: Whatever its case; all of them when it is left out, empty or ``all``.
    subreddit: Subreddit | None = None
    kind: Kind = "post"
    #: Only those with this verdict.
    sentiment: Literal[Sentiment, "all"] = "all"
    #: ``positive`` and ``negative`` go by score, the strongest first; ``discussed`` by comments, unknown numbers last.
    order: Order = "newest"

    def asked(self) -> Asked:
        """Return the question as the store takes it.

        Raises:
            Refused: 422, the window is none.

        """
        since_utc, until_utc = self.window()
        return Asked(
            subreddit=only(self.subreddit),
            since_utc=since_utc,
            until_utc=until_utc,
            kind=self.kind,
            sentiment=None if self.sentiment == "all" else self.sentiment,
            order=self.order,
        )


class ListParameters(Filters, frozen=True, kw_only=True):
    """GET /posts."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    #: Where the page before this one ended: its ``next_cursor``. Everything else must be as it was asked there.
    cursor: Cursor | None = None


class ExportParameters(Filters, frozen=True, kw_only=True):
    """GET /export."""

    format: Literal["csv", "ndjson", "parquet"] = "csv"


async def page(store: Reading, asked: Asked, cursor: str | None, limit: int) -> Page:
    """Return the page behind a client's cursor.

    Raises:
        Refused: 422, the cursor is none of a list in this order.

    """
    try:
        return await store.page(asked, cursor, limit)
    except ValueError as error:
        if cursor is None:
            raise
        raise wrong("cursor", f"expected the one that came with the page before; {error}") from error
