"""The part of the service's SQL that the fake understands; whatever else is sent is answered 400.

    SELECT [TOP n] (* | VALUE expression | expression [[AS] name], ...) FROM c
    [WHERE condition] [GROUP BY ...] [ORDER BY c.x [ASC|DESC], ...] [OFFSET n LIMIT m]

    condition   AND, OR, NOT, ( ), = != <> < <= > >=, [NOT] IN (...)
    expression  c.a.b, c["a"], @parameter, 1.5, 'text', "text", true, false, null, undefined, [...], {"a": ...},
                IS_DEFINED, STARTSWITH, ARRAY_CONTAINS; in SELECT also COUNT, SUM, MIN, MAX

GROUP BY is read only to be refused in the right words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from fakes.cosmos.expressions import Aggregate, Expression, Literal, Property, Value
from fakes.cosmos.reading import Reader
from fakes.cosmos.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping


class Column(NamedTuple):
    """One thing that is selected, and how it was written."""

    name: str
    expression: Expression
    text: str


class Order(NamedTuple):
    """One term of ORDER BY, and how its expression was written."""

    property: Property
    descends: bool
    text: str


@dataclass(frozen=True)
class Query:
    """A query that was understood; no columns are ``*``."""

    text: str
    root: str
    columns: tuple[Column, ...]
    is_value: bool
    top: int | None
    where: Expression | None
    where_text: str
    order: tuple[Order, ...]
    offset: int
    limit: int | None
    is_grouped: bool

    @property
    def aggregates(self) -> list[Aggregate]:
        """All aggregates that are selected."""
        return [aggregate for column in self.columns for aggregate in column.expression.aggregates()]


def parse(body: Mapping[str, Value]) -> Query:
    """Read a query as it is posted: ``{"query": ..., "parameters": [{"name": ..., "value": ...}]}``.

    Raises:
        Refused: it is wrong, or outside what is described above.

    """
    parameters = {each["name"]: each["value"] for each in body.get("parameters") or []}
    return _Statement(str(body["query"]), parameters).query()


def parse_condition(text: str) -> Expression:
    """Read the condition of a patch: ``FROM c WHERE ...``."""
    query = _Statement(f"SELECT * {text}", {}).query()
    if query.where is None:
        raise Refused(400, "A patch's condition needs WHERE")
    return query.where


class _Statement(Reader):
    def __init__(self, text: str, parameters: Mapping[str, Value]) -> None:
        super().__init__(text, parameters)
        self._unnamed = 0

    def query(self) -> Query:
        self.need("SELECT")
        top = self._count() if self.take("TOP") else None
        is_value = self.take("VALUE")
        columns = () if not is_value and self.take("*") else self.several(self._column)
        self.need("FROM", self.root.upper())
        start = self.next.end
        where = self.either() if self.take("WHERE") else None
        where_text = self.since(start).strip() if where else ""
        is_grouped = self.take("GROUP", "BY") and bool(self.several(self.value))
        order = self.several(self._order) if self.take("ORDER", "BY") else ()
        offset, limit = (self._count(), self._limit()) if self.take("OFFSET") else (0, None)
        if self.next.kind != "end" or (is_value and len(columns) > 1) or (top is not None and limit is not None):
            raise self.wrong(self.next.start)
        query = Query(self.text, self.root, columns, is_value, top, where, where_text, order, offset, limit, is_grouped)
        return self._checked(query)

    @staticmethod
    def _checked(query: Query) -> Query:
        bare = [column for column in query.columns if not [*column.expression.aggregates()]]
        if query.aggregates and not query.is_grouped and (query.order or any([*c.expression.paths()] for c in bare)):
            raise Refused(400, "Property reference is invalid in the select list beside an aggregate (SC2103)")
        return query

    def _count(self) -> int:
        token = self.next
        value = self.value()
        if not isinstance(value, Literal) or not isinstance(value.value, int) or value.value < 0:
            raise self.wrong(token.start)
        return value.value

    def _limit(self) -> int:
        self.need("LIMIT")
        return self._count()

    def _column(self) -> Column:
        start = self.next.start
        expression = self.value(may_aggregate=True)
        text = self.since(start)
        if self.take("AS") or (self.next.kind == "word" and self.next.text.upper() != "FROM"):
            return Column(self.word(), expression, text)
        if isinstance(expression, Property):
            return Column((self.root, *expression.names)[-1], expression, text)
        self._unnamed += 1
        return Column(f"${self._unnamed}", expression, text)

    def _order(self) -> Order:
        start = self.next.start
        expression = self.value()
        if not isinstance(expression, Property) or not expression.names:
            raise Refused(400, "Unsupported ORDER BY clause. ORDER BY item expression could not be mapped to a path")
        text = self.since(start)
        descends = self.take("DESC")
        if not descends:
            self.take("ASC")
        return Order(expression, descends, text)
