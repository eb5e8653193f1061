"""The fake Cosmos DB's queries through the real SDK: what is found, in pages, across partitions; what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from azure.cosmos import exceptions
from fakes.cosmos.answers import answer
from fakes.cosmos.clients import client, container
from fakes.cosmos.refusal import Refused
from fakes.cosmos.requests import Asked
from fakes.cosmos.server import FakeCosmos

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from azure.cosmos.aio import ContainerProxy

Row = dict[str, Any]
INDEX = {
    "includedPaths": [{"path": path} for path in ("/n/?", "/name/?", "/half/?", "/kind/?", "/in/*", "/tags/[]/?")],
    "excludedPaths": [{"path": "/*"}],
    "compositeIndexes": [[{"path": "/half", "order": "descending"}, {"path": "/n", "order": "ascending"}]],
}
ROWS: list[Row] = [
    {"id": f"i{n}", "pk": f"key {n % 5}", "n": n, "half": n // 2, "name": f"Name {n:02}", "hidden": n, "in": {"x": n}}
    | ({"kind": ("post", "comment", None, 7)[n % 4]} if n % 3 else {})
    | {"tags": ["even", n] if n % 2 == 0 else [n]}
    for n in range(23)
]
PARAMETERS: list[dict[str, object]] = [
    {"name": "@kinds", "value": ["post", 7]},
    {"name": "@n", "value": 9},
    {"name": "@odd", "value": "it's"},
]


@pytest.fixture
async def cosmos() -> AsyncIterator[FakeCosmos]:
    """Return a fake with three physical partitions a container."""
    async with FakeCosmos(ranges=3) as running:
        yield running


@pytest.fixture
async def items(cosmos: FakeCosmos) -> AsyncIterator[ContainerProxy]:
    """Return a container that holds the rows."""
    async with client(cosmos.url, cosmos.key) as opened:
        held = await container(opened, indexing_policy=INDEX)
        for row in ROWS:
            cosmos.account.container("sentiment", "items").create(_key(row), row)
        cosmos.meter.reset()
        yield held


def _key(row: Row) -> tuple[tuple[int, Any], ...]:
    return ((5, row["pk"]),)


async def ask(items: ContainerProxy, query: str, **options: Any) -> list[Any]:  # noqa: ANN401 - the SDK's
    """Return all results of a query."""
    return [row async for row in items.query_items(query, parameters=PARAMETERS, **options)]


CONDITIONS: list[tuple[str, Callable[[Row], bool]]] = [
    ("c.n = @n", lambda row: row["n"] == 9),
    ("c.n != 9", lambda row: row["n"] != 9),
    ("c.n < 4 OR c.n >= 20", lambda row: row["n"] < 4 or row["n"] >= 20),
    ("(c.n < 4 OR c.n > 20) AND c.n <= 21", lambda row: row["n"] < 4 or row["n"] == 21),
    ("c.n IN (1, 3, @n, 99)", lambda row: row["n"] in {1, 3, 9}),
    ("c.n NOT IN (1, 3)", lambda row: row["n"] not in {1, 3}),
    ("ARRAY_CONTAINS(@kinds, c.kind)", lambda row: row.get("kind") in {"post", 7}),
    ("ARRAY_CONTAINS(c.tags, 'even')", lambda row: "even" in row["tags"]),
    ("IS_DEFINED(c.kind)", lambda row: "kind" in row),
    ("IS_DEFINED(c.kind) = false", lambda row: "kind" not in row),
    ("NOT IS_DEFINED(c.kind)", lambda row: "kind" not in row),
    ("c.kind = null", lambda row: "kind" in row and row["kind"] is None),
    ("c.kind > 'a'", lambda row: isinstance(row.get("kind"), str)),
    ("c.kind != 'post'", lambda row: row.get("kind") == "comment"),
    ("STARTSWITH(c.name, 'Name 1')", lambda row: row["name"].startswith("Name 1")),
    ('STARTSWITH(c.name, "nAmE 2", true)', lambda row: row["name"].startswith("Name 2")),
    ("c['in'].x = 5 OR c.missing = 1", lambda row: row["n"] == 5),
    ("c.name = @odd OR c.name = 'it\\'s'", lambda _row: False),
    ("c.hidden > 18", lambda row: row["hidden"] > 18),
    ("true", lambda _row: True),
]


@pytest.mark.parametrize(("condition", "holds"), CONDITIONS, ids=[text for text, _ in CONDITIONS])
async def test_a_condition_keeps_what_it_says(
    items: ContainerProxy, condition: str, holds: Callable[[Row], bool]
) -> None:
    """Across partitions and within one partition key, in pages of two, the rows that Python keeps."""
    query = f"SELECT VALUE c.n FROM c WHERE {condition}"  # noqa: S608 - the example itself
    expected = [row["n"] for row in ROWS if holds(row)]
    assert sorted(await ask(items, query, max_item_count=2)) == expected
    assert await ask(items, f"{query} ORDER BY c.n DESC", max_item_count=2) == expected[::-1]
    within = [row["n"] for row in ROWS if holds(row) and row["pk"] == "key 3"]
    assert await ask(items, query, partition_key="key 3", max_item_count=2) == within
    assert await ask(items, f"{query} ORDER BY c.n", partition_key="key 3", max_item_count=2) == within
    assert await ask(items, query.replace("VALUE c.n", "VALUE COUNT(1)")) == [len(expected)]


SELECTED: list[tuple[str, list[Any]]] = [
    ("SELECT TOP 3 c.n, c.name FROM c ORDER BY c.n", [{"n": n, "name": f"Name {n:02}"} for n in range(3)]),
    ("SELECT TOP @n VALUE c.n FROM c ORDER BY c.n DESC", [*range(22, 13, -1)]),
    ("SELECT c FROM c WHERE c.n > 50", []),
    ("SELECT c.n, c.kind, c.in.x AS inner FROM c WHERE c.n = 3", [{"n": 3, "inner": 3}]),
    ("SELECT VALUE c.n FROM c ORDER BY c.n OFFSET 5 LIMIT 4", [5, 6, 7, 8]),
    ("SELECT VALUE c.n FROM c ORDER BY c.half DESC, c.n ASC OFFSET 0 LIMIT 4", [22, 20, 21, 18]),
    ("SELECT VALUE c.n FROM c ORDER BY c.half ASC, c.n DESC OFFSET 1 LIMIT 3", [0, 3, 2]),
    ("select value root.n from root where root.n < 2 order by root.name", [0, 1]),
    ("SELECT VALUE COUNT(1) FROM c", [23]),
    ("SELECT VALUE COUNT(c.kind) FROM c", [15]),
    ("SELECT VALUE SUM(c.n) FROM c WHERE c.n > @n", [208]),
    ("SELECT VALUE MAX(c.n) FROM c", [22]),
    ("SELECT VALUE MIN(c.n) FROM c WHERE c.n >= 4", [4]),
    ("SELECT VALUE COUNT(1) FROM c WHERE c.n > 100", [0]),
    ("SELECT VALUE c.kind FROM c WHERE c.n IN (0, 4)", ["post"]),
]


@pytest.mark.parametrize(("query", "expected"), SELECTED, ids=[text for text, _ in SELECTED])
@pytest.mark.parametrize("page", [1, 2, 1000])
async def test_what_is_selected_is_put_together_across_partitions(
    items: ContainerProxy, query: str, expected: list[Any], page: int
) -> None:
    """Orders are merged, tops and offsets cut and aggregates added up, however small the pages."""
    assert await ask(items, query, max_item_count=page) == expected


async def test_one_partition_key_serves_any_aggregate(items: ContainerProxy) -> None:
    """Within one key there is nothing to put together."""
    query = "SELECT COUNT(1) AS items, MAX(c.n) FROM c"
    assert await ask(items, query, partition_key="key 1") == [{"items": 5, "$1": 21}]
    assert await ask(items, "SELECT TOP 2 VALUE c.n FROM c", partition_key="key 1", max_item_count=1) == [1, 6]
    skipped = "SELECT VALUE c.n FROM c OFFSET 1 LIMIT 3"
    assert await ask(items, skipped, partition_key="key 1", max_item_count=2) == [6, 11, 16]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT COUNT(1) FROM c",
        "SELECT COUNT(1) AS items, SUM(c.n) AS total FROM c",
        "SELECT c.kind, COUNT(1) AS items FROM c GROUP BY c.kind",
        "SELECT VALUE COUNT(1) FROM c GROUP BY c.kind",
        "SELECT DISTINCT c.kind FROM c",
        "SELECT VALUE AVG(c.n) FROM c",
        "SELECT c.n FROM c JOIN t IN c.tags",
        "SELECT c.n FROM c WHERE c.name LIKE 'Name%'",
        "SELECT c.n FROM c WHERE c.n BETWEEN 1 AND 2",
        "SELECT c.n FROM c WHERE LOWER(c.name) = 'a'",
        "SELECT c.n FROM c WHERE c.n = @missing",
        "SELECT c.n FROM c WHERE c.n = 'unclosed",
        "SELECT c.n FROM c WHERE",
        "SELECT TOP -1 c.n FROM c",
        "SELECT VALUE c.n FROM c ORDER BY c.n LIMIT 3",
        "SELECT VALUE c.n FROM c ORDER BY c.hidden",
        "SELECT VALUE c.n FROM c ORDER BY c.half DESC, c.n DESC",
        "SELECT VALUE c.n FROM c ORDER BY c.n, c.half",
        "SELECT c.n, COUNT(1) FROM c",
        "DELETE FROM c",
    ],
)
async def test_what_the_service_or_the_subset_does_not_know_is_refused(items: ContainerProxy, query: str) -> None:
    """Among them: grouping and aggregates without VALUE across partitions, orders that no index serves."""
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        await ask(items, query)
    assert refused.value.status_code == 400


async def test_a_query_goes_on_from_its_continuation_token(cosmos: FakeCosmos, items: ContainerProxy) -> None:
    """By another iteration, past what was written meanwhile: nothing comes twice, and nothing is left out."""
    query: Any = {"query": "SELECT VALUE c.n FROM c ORDER BY c.n DESC", "partition_key": "key 2", "max_item_count": 2}
    pages: Any = items.query_items(**query).by_page()
    first: list[Any] = [row async for row in await anext(pages)]
    late = ROWS[0] | {"id": "late", "pk": "key 2", "n": 100}
    cosmos.account.container("sentiment", "items").create(_key(late), late)
    rest = items.query_items(**query).by_page(pages.continuation_token)
    assert first + [row async for page in rest async for row in page] == [22, 17, 12, 7, 2]
    for token in (pages.continuation_token, "nonsense"):
        other = items.query_items("SELECT VALUE c.n FROM c", partition_key="key 2").by_page(token)
        with pytest.raises(exceptions.CosmosHttpResponseError, match="Continuation"):
            await anext(other)


async def test_a_query_of_many_partitions_must_say_so(cosmos: FakeCosmos, items: ContainerProxy) -> None:
    """The SDK says it always; the service refuses who does not, and a range that is not there."""
    assert items.id == "items"
    segments = ("dbs", "sentiment", "colls", "items", "docs")
    headers = {"x-ms-documentdb-isquery": "true"}
    for more, status in (({}, 400), ({"x-ms-documentdb-partitionkeyrangeid": "9"}, 410)):
        asked = Asked("POST", segments, headers | more, b'{"query": "SELECT * FROM c"}')
        with pytest.raises(Refused) as refused:
            answer(cosmos.account, cosmos.url, "Session", asked)
        assert refused.value.status == status


async def test_the_gateway_serves_plain_queries_one_partition_after_another(
    cosmos: FakeCosmos, items: ContainerProxy
) -> None:
    """Without a plan; some of its pages are empty, and more follow."""
    assert await ask(items, "SELECT VALUE c.n FROM c WHERE c.n = 22", max_item_count=2) == [22]
    assert cosmos.meter.requests["query_plan"] == 0
    assert cosmos.meter.requests["query"] == 3


async def test_a_query_that_names_its_partition_key_asks_one_partition(
    cosmos: FakeCosmos, items: ContainerProxy
) -> None:
    """Whether an option or a condition names it, which the gateway reads out of the query."""
    assert await ask(items, "SELECT VALUE c.n FROM c WHERE c.pk = 'key 2' AND c.n > 15") == [17, 22]
    assert await ask(items, "SELECT VALUE c.n FROM c WHERE c.n > 15", partition_key="key 2") == [17, 22]
    assert cosmos.meter.requests["query"] == 2
    assert cosmos.meter.scans == 0


async def test_a_scan_is_counted_and_costs_more_than_an_index(cosmos: FakeCosmos, items: ContainerProxy) -> None:
    """A condition on a path that the policy excludes is answered, after every document was loaded."""
    charges = []
    for query in ("SELECT VALUE c.n FROM c WHERE c.n = 3", "SELECT VALUE c.n FROM c WHERE c.hidden = 3"):
        cosmos.meter.reset()
        assert await ask(items, query) == [3]
        charges.append((cosmos.meter.scans, cosmos.meter.total_ru))
    assert [scans for scans, _ in charges] == [0, 3]
    assert charges[0][1] == pytest.approx(3 * 2.3 + 0.05, abs=0.02)
    assert charges[1][1] > charges[0][1] + 22 * 0.05


async def test_read_items_finds_what_is_there_across_partitions(items: ContainerProxy) -> None:
    """Of many ids, some missing, some of one key and some of several."""
    wanted = [(row["id"], row["pk"]) for row in ROWS] + [("missing", "key 1")]
    assert sorted(row["n"] for row in await items.read_items(wanted)) == [*range(23)]
    of_one = [(f"i{number}", "key 1") for number in range(23)]
    assert [row["n"] for row in await items.read_items(of_one)] == [1, 6, 11, 16, 21]
