"""Lists in pages: the queries whose rows come next in an order, and the page that they make. Pure: no network.

One query a kind, each in the order of a composite index (:mod:`agent.store.cosmos_layout`), so that a page costs by
what it returns. A number of comments that is missing is null, and the SDK refuses an order that holds nulls and
numbers: those items are a list of their own, by time, behind the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from agent.store import cosmos_documents, places
from agent.store.places import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from agent.records import Asked, Order, Page
    from agent.store.cosmos_documents import Document

_FIGURES: Final[dict[Order, str]] = {
    "newest": "created_utc",
    "oldest": "created_utc",
    "positive": "compound_nano",
    "negative": "compound_nano",
    "discussed": "comment_count",
}
_ASCENDING: Final = frozenset({"oldest", "negative"})
#: Where a number of comments is missing.
_UNKNOWN: Final = -1


class Question(NamedTuple):
    """A query and its parameters."""

    text: str
    parameters: dict[str, Any]


def questions(asked: Asked, place: Place | None, limit: int) -> Iterator[list[Question]]:
    """Yield groups of queries, each to be asked when those before it had too few rows.

    The rows of a group, merged, are the next of the list.
    """
    kinds = ("post", "comment") if asked.kind == "all" else (asked.kind,)
    parameters = _parameters(asked, place, limit)
    for text in _texts(asked, place):
        named = {name: value for name, value in parameters.items() if f"@{name}" in text}
        yield [Question(text, named | {"kind": kind}) for kind in kinds]


def made_of(asked: Asked, documents: Iterable[Document], limit: int) -> Page:
    """Return the page that these documents begin; there is another one when they are more than the limit."""
    ordered = sorted(
        ((_place(document, asked.order), document) for document in documents),
        key=lambda pair: (pair[0].figure, pair[0].created_utc, pair[0].name),
        reverse=asked.order not in _ASCENDING,
    )
    return places.page(((place, cosmos_documents.scored(document)) for place, document in ordered), limit)


def _place(document: Document, order: Order) -> Place:
    figure = document[_FIGURES[order]]
    return Place(
        order=order,
        figure=_UNKNOWN if figure is None else figure,
        created_utc=int(document["created_utc"]),
        name=document["name"],
    )


def _parameters(asked: Asked, place: Place | None, limit: int) -> dict[str, Any]:
    parameters: dict[str, Any] = {"limit": limit, "since": asked.since_utc, "until": asked.until_utc}
    if asked.subreddit is not None:
        parameters["sub"] = cosmos_documents.sub(asked.subreddit)
    if asked.sentiment is not None:
        parameters["sentiment"] = asked.sentiment
    if place is not None:
        parameters |= {"figure": place.figure, "at": place.created_utc, "name": place.name}
    return parameters


def _texts(asked: Asked, place: Place | None) -> Iterator[str]:
    sign, direction = (">", "ASC") if asked.order in _ASCENDING else ("<", "DESC")
    tied = f"(c.created_utc {sign} @at OR (c.created_utc = @at AND c.name {sign} @name))"
    figure = _FIGURES[asked.order]
    if figure == "created_utc":
        yield _text(asked, ["created_utc"], direction, [tied] if place else [])
        return
    behind = f"(c.{figure} {sign} @figure OR (c.{figure} = @figure AND {tied}))"
    if asked.order != "discussed":
        yield _text(asked, [figure, "created_utc"], direction, [behind] if place else [])
        return
    if place is None or place.figure != _UNKNOWN:
        known = [f"c.{figure} >= 0", *([behind] if place else [])]
        yield _text(asked, [figure, "created_utc"], direction, known)
        place = None
    yield _text(asked, ["created_utc"], direction, [f"c.{figure} = null", *([tied] if place else [])])


def _text(asked: Asked, columns: Sequence[str], direction: str, more: Sequence[str]) -> str:
    conditions = ["c.shown = @kind", "c.created_utc >= @since", "c.created_utc < @until", *more]
    # The order names what the filter fixes, so that one composite index serves both.
    fixed = ["shown"]
    if asked.subreddit is not None:
        conditions.append("c.sub = @sub")
        fixed = ["sub", "shown"] if columns[0] == "created_utc" else fixed
    if asked.sentiment is not None:
        conditions.append("c.score.sentiment = @sentiment")
    ordered = ", ".join(f"c.{column} {direction}" for column in (*fixed, *columns, "name"))
    return f"SELECT TOP @limit * FROM c WHERE {' AND '.join(conditions)} ORDER BY {ordered}"  # noqa: S608 - literals
