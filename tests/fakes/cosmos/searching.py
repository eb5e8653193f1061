"""Runs a query over the documents of one physical partition, or of one partition key, a page at a time.

Conditions on indexed paths find documents without loading them; whatever else is asked is asked of the loaded ones.
A query none of whose conditions an index serves loads everything: it is counted as a scan, and costs like one.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fakes.cosmos import charges
from fakes.cosmos.documents import weigh
from fakes.cosmos.expressions import UNDEFINED, Every, rank
from fakes.cosmos.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fakes.cosmos.documents import Body, Document
    from fakes.cosmos.expressions import Expression, Value
    from fakes.cosmos.grammar import Query
    from fakes.cosmos.indexing import IndexingPolicy, Path

#: The service's bound on a page, and its default where a request names no number.
PAGE_BYTES: Final = 4 * 1024 * 1024
PAGE_ITEMS: Final = 100


@dataclass(frozen=True)
class Page:
    """Some results, and where the next page begins; None when there is none."""

    rows: list[Value]
    continuation: str | None
    charge_ru: float
    is_scan: bool


@dataclass(frozen=True)
class Paging:
    """How many results a page may have, and where it begins."""

    items: int
    token: str | None


@functools.total_ordering
@dataclass(frozen=True)
class _Backwards:
    """A rank that sorts the other way round."""

    rank: tuple[int, Value]

    def __lt__(self, other: _Backwards) -> bool:
        return other.rank < self.rank


def run(
    query: Query, policy: IndexingPolicy, documents: Sequence[Document], free_paths: set[Path], paging: Paging
) -> Page:
    """Return a page. ``free_paths``: what the documents were chosen by already.

    Raises:
        Refused: no index serves its order, or the token is another query's.

    """
    if query.is_grouped:
        raise Refused(400, "GROUP BY is outside the fake's subset")
    if query.order and not policy.orders([(term.property.names, term.descends) for term in query.order]):
        single = "The index path corresponding to the specified order-by item is excluded."
        several = "The order by query does not have a corresponding composite index that it can be served from."
        raise Refused(400, single if len(query.order) == 1 else several)
    served, is_scan = _served(query.where, policy, free_paths)
    candidates = [each for each in documents if all(part.of(each.body) is True for part in served)]
    if query.aggregates:
        matching = [each.body for each in candidates if _keeps(query, each.body)]
        charge = charges.query(len(candidates), sum(each.size_bytes for each in candidates))
        return Page([*_project(query, matching)], None, charge, is_scan)
    return _Walk(query, candidates, paging).page(is_scan=is_scan)


def _served(where: Expression | None, policy: IndexingPolicy, free: set[Path]) -> tuple[list[Expression], bool]:
    """Return the conditions that an index serves, and whether there are only others."""
    if where is None:
        return [], False
    parts = where.parts if isinstance(where, Every) else (where,)
    served = [part for part in parts if all(path in free or policy.covers(path) for path in part.paths())]
    asked = [part for part in parts if any(path not in free for path in part.paths())]
    return served, bool(asked) and not any(part in served for part in asked)


def _keeps(query: Query, body: Body) -> bool:
    return query.where is None or query.where.of(body) is True


def _project(query: Query, source: Value) -> Iterator[Value]:
    """Yield what is selected from a document, or for aggregates from a list of them: nothing if it is undefined."""
    if not query.columns:
        yield source
    elif not query.is_value:
        values = ((column.name, column.expression.of(source)) for column in query.columns)
        yield {name: value for name, value in values if value is not UNDEFINED}
    elif (value := query.columns[0].expression.of(source)) is not UNDEFINED:
        yield value


class _Walk:
    """One walk through the candidates, in the query's order, from where the token says."""

    def __init__(self, query: Query, candidates: list[Document], paging: Paging) -> None:
        self._query = query
        self._stamp = zlib.crc32(query.text.encode())
        most = query.top if query.top is not None else query.limit
        state: dict[str, Any] = {"after": None, "skip": query.offset, "left": most}
        if paging.token is not None:
            state = self._decode(paging.token)
        self._skip: int = state["skip"]
        self._left: int | None = state["left"]
        self._page_items = paging.items if self._left is None else min(paging.items, self._left)
        self._ahead = sorted(((self._place(each), each) for each in candidates), key=lambda pair: pair[0])
        if state["after"] is not None:
            after = self._sided([tuple(each) for each in state["after"][:-1]], state["after"][-1])
            self._ahead = [pair for pair in self._ahead if pair[0] > after]

    def page(self, *, is_scan: bool) -> Page:
        rows: list[Value] = []
        loaded = loaded_bytes = row_bytes = walked = 0
        for _, document in self._ahead:
            if len(rows) >= self._page_items or row_bytes >= PAGE_BYTES:
                break
            walked += 1
            loaded, loaded_bytes = loaded + 1, loaded_bytes + document.size_bytes
            for row in self._rows(document):
                rows.append(row)
                row_bytes += weigh(row)
        left = None if self._left is None else self._left - len(rows)
        more = walked < len(self._ahead) and left != 0
        continuation = self._encode(self._ahead[walked - 1][1] if walked else None, left) if more else None
        return Page(rows, continuation, charges.query(loaded, loaded_bytes), is_scan)

    def _rows(self, document: Document) -> Iterator[Value]:
        if not _keeps(self._query, document.body):
            return
        if self._skip:
            self._skip -= 1
            return
        yield from _project(self._query, document.body)

    def _place(self, document: Document) -> tuple[Any, ...]:
        return self._sided([rank(term.property.of(document.body)) for term in self._query.order], document.number)

    def _sided(self, ranks: list[tuple[int, Value]], number: int) -> tuple[Any, ...]:
        """Return what sorts as the query wants it; equals by age."""
        pairs = zip(self._query.order, ranks, strict=True)
        return (*(_Backwards(each) if term.descends else each for term, each in pairs), number)

    def _encode(self, last: Document | None, left: int | None) -> str:
        after = None
        if last is not None:
            after = [*(rank(term.property.of(last.body)) for term in self._query.order), last.number]
        state = {"query": self._stamp, "after": after, "skip": self._skip, "left": left}
        return base64.b64encode(json.dumps(state).encode()).decode()

    def _decode(self, token: str) -> dict[str, Any]:
        try:
            state: dict[str, Any] = json.loads(base64.b64decode(token, validate=True))
        except (binascii.Error, ValueError) as error:
            raise Refused(400, "Invalid Continuation Token") from error
        if state.get("query") != self._stamp:
            raise Refused(400, "Invalid Continuation Token: it is another query's")
        return state
