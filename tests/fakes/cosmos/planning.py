"""The gateway's part in queries across partitions: which it serves itself, and the plan it gives for the others.

The gateway runs a plain filter and projection partition after partition. Whatever has to be put together (TOP,
ORDER BY, OFFSET, aggregates) it answers 400 with sub-status 1004; an SDK then asks for the plan, runs the plan's
rewritten query in each physical partition, and puts the results together itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fakes.cosmos.expressions import Compare, Every, Literal, Property, rank
from fakes.cosmos.partitions import effective
from fakes.cosmos.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fakes.cosmos.documents import Container
    from fakes.cosmos.grammar import Query
    from fakes.cosmos.partitions import Key

#: The SDK puts a condition here when it goes on in the middle of an order, and "true" otherwise.
_FILTER: Final = "{documentdb-formattableorderbyquery-filter}"
_AGGREGATES: Final = {"COUNT": "Count", "SUM": "Sum", "MIN": "Min", "MAX": "Max"}
NOT_SERVABLE: Final = 1004


def must_be_planned(query: Query) -> bool:
    """Say whether the results of several partitions need more than to be strung together."""
    more = query.top is not None or query.limit is not None or query.is_grouped
    return more or bool(query.order or query.aggregates)


def key_in(query: Query, container: Container) -> Key | None:
    """Return the one partition key that the query's conditions leave, if they do."""
    parts = query.where.parts if isinstance(query.where, Every) else (query.where,)
    said = {
        part.left.names: part.right.value
        for part in parts
        if isinstance(part, Compare) and part.sign == "=" and isinstance(part.right, Literal)
        if isinstance(part.left, Property)
    }
    if any(path not in said for path in container.key_paths):
        return None
    return tuple(rank(said[path]) for path in container.key_paths)


def plan(query: Query, container: Container, supported: str) -> dict[str, Any]:
    """Return the plan.

    Raises:
        Refused: it needs what the SDK does not say it can do.

    """
    if query.is_grouped and "GroupBy" not in supported:
        message = "Query contains 1 or more unsupported features. Upgrade your SDK: Query contained GroupBy, "
        raise Refused(400, message + "which the calling client does not support.")
    key = key_in(query, container)
    ranges = {"min": "", "max": "FF", "isMinInclusive": True, "isMaxInclusive": False}
    if key is not None:
        ranges |= {"min": effective(key), "max": effective(key), "isMaxInclusive": True}
    return {"partitionedQueryExecutionInfoVersion": 2, "queryInfo": _info(query), "queryRanges": [ranges]}


def _info(query: Query) -> Mapping[str, Any]:
    return {
        "distinctType": "None",
        "top": query.top,
        "offset": query.offset if query.limit is not None else None,
        "limit": query.limit,
        "orderBy": ["Descending" if term.descends else "Ascending" for term in query.order],
        "orderByExpressions": [term.text for term in query.order],
        "groupByExpressions": [],
        "groupByAliases": [],
        "aggregates": [_AGGREGATES[aggregate.name] for aggregate in query.aggregates],
        "groupByAliasToAggregateType": {},
        "rewrittenQuery": _rewritten(query),
        "hasSelectValue": query.is_value,
        "hasNonStreamingOrderBy": False,
    }


def _rewritten(query: Query) -> str:
    """Return the query for each partition: "" when it can stay as it is."""
    end = f" OFFSET 0 LIMIT {query.offset + query.limit}" if query.limit is not None else ""
    where = f" WHERE {query.where_text}" if query.where_text else ""
    if query.aggregates:
        if not query.is_value:
            return ""
        return f'SELECT VALUE [{{"item": {query.columns[0].text}}}] FROM {query.root}{where}'  # noqa: S608 - parsed
    if query.order:
        return _with_order(query) + end
    if not end:
        return ""
    selected = ", ".join(column.text for column in query.columns) or "*"
    return f"SELECT {'VALUE ' if query.is_value else ''}{selected} FROM {query.root}{where}{end}"  # noqa: S608 - parsed


def _with_order(query: Query) -> str:
    root = query.root
    top = f"TOP {query.top} " if query.top is not None else ""
    items = ", ".join(f'{{"item": {term.text}}}' for term in query.order)
    payload = root
    if query.columns:
        named = ", ".join(f'"{column.name}": {column.text}' for column in query.columns)
        payload = query.columns[0].text if query.is_value else f"{{{named}}}"
    where = f"({query.where_text}) AND ({_FILTER})" if query.where_text else f"({_FILTER})"
    order = ", ".join(f"{term.text} {'DESC' if term.descends else 'ASC'}" for term in query.order)
    selected = f"{root}._rid, [{items}] AS orderByItems, {payload} AS payload"
    return f"SELECT {top}{selected} FROM {root} WHERE {where} ORDER BY {order}"  # noqa: S608 - parsed
