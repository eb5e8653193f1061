"""A second opinion on the fake: the npm emulator is asked the same, and every difference is one that is known."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from fakes.cosmos import emulator as second
from fakes.cosmos.clients import client, container
from fakes.cosmos.server import FakeCosmos

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from azure.cosmos.aio import ContainerProxy

ROWS: list[dict[str, Any]] = [{"id": f"i{n}", "pk": f"k{n % 3}", "n": n, "name": f"Name {n}"} for n in range(9)]
QUERIES = {
    "equal": "SELECT VALUE c.n FROM c WHERE c.n = 4",
    "ranges": "SELECT VALUE c.n FROM c WHERE c.n > 1 AND c.n <= 5 AND c.n != 3 ORDER BY c.n",
    "either": "SELECT VALUE c.n FROM c WHERE c.n < 2 OR c.n IN (5, 7) ORDER BY c.n",
    "array contains": "SELECT VALUE c.n FROM c WHERE ARRAY_CONTAINS(@some, c.n) ORDER BY c.n",
    "starts with": "SELECT c.n, c.name FROM c WHERE STARTSWITH(c.name, 'Name 8')",
    "is defined": "SELECT VALUE c.n FROM c WHERE IS_DEFINED(c.missing)",
    "descending": "SELECT VALUE c.n FROM c ORDER BY c.n DESC",
    "top": "SELECT TOP 2 VALUE c.n FROM c ORDER BY c.name",
    "count": "SELECT VALUE COUNT(1) FROM c",
    "sum": "SELECT VALUE SUM(c.n) FROM c WHERE c.n > 3",
    "largest": "SELECT VALUE MAX(c.n) FROM c",
    "aggregate without VALUE": "SELECT COUNT(1) AS n FROM c",
    "grouped": "SELECT c.pk, COUNT(1) AS n FROM c GROUP BY c.pk",
    "offset": "SELECT VALUE c.n FROM c ORDER BY c.n OFFSET 2 LIMIT 3",
    "wrong": "SELECT VALUE c.n FROM c WHERE",
}


def _asking(query: str, **options: object) -> Callable[[ContainerProxy], Awaitable[object]]:
    async def ask(items: ContainerProxy) -> object:
        call: Any = items.query_items
        return [row async for row in call(query, parameters=[{"name": "@some", "value": [1, 3]}], **options)]

    return ask


async def _stale(items: ContainerProxy) -> object:
    return await items.replace_item("i0", ROWS[0], etag='"old"', match_condition=MatchConditions.IfNotModified)


async def _patched(items: ContainerProxy) -> object:
    return (await items.patch_item("i0", "k0", [{"op": "incr", "path": "/n", "value": 5}]))["n"]


async def _batch(items: ContainerProxy) -> object:
    done = await items.execute_item_batch([("create", ({"id": "new", "pk": "k0"},)), ("delete", ("new",))], "k0")
    return [each["statusCode"] for each in done]


async def _many(items: ContainerProxy) -> object:
    found = await items.read_items([("i1", "k1"), ("i2", "k2"), ("i4", "k1"), ("missing", "k1")])
    return sorted(each["n"] for each in found)


async def _expired(items: ContainerProxy) -> object:
    await items.create_item({"id": "short", "pk": "k0", "ttl": 1})
    # The emulator has no clock but the machine's.
    await asyncio.sleep(1.2)
    return [row async for row in items.query_items("SELECT VALUE c.id FROM c WHERE c.id = 'short'")]


PROBES: dict[str, Callable[[ContainerProxy], Awaitable[object]]] = {
    **{name: _asking(query) for name, query in QUERIES.items()},
    "one partition key": _asking("SELECT c.n FROM c", partition_key="k1"),
    "created twice": lambda items: items.create_item(ROWS[0]),
    "missing": lambda items: items.read_item("missing", "k0"),
    "missing deleted": lambda items: items.delete_item("missing", "k0"),
    "read many": _many,
    "stale": _stale,
    "patched": _patched,
    "batch": _batch,
    "batch that fails": lambda items: items.execute_item_batch([("create", (ROWS[0],))], "k0"),
    "expired": _expired,
}


async def _opinions(url: str, key: str) -> dict[str, object]:
    """Return what each probe came to: its result, or the status that it was refused with."""
    found: dict[str, object] = {}
    async with client(url, key, enable_endpoint_discovery=False) as opened:
        items = await container(opened, default_ttl=-1)
        for row in ROWS:
            await items.create_item(row)
        for name, probe in PROBES.items():
            try:
                found[name] = await probe(items)
            except HttpResponseError as refused:
                found[name] = f"refused with {refused.status_code}"
    return found


async def test_the_emulator_differs_from_the_fake_only_where_it_is_known_to_be_wrong() -> None:
    """Every answer is the same, save those that are listed, each with what the emulator says in its place."""
    if why := second.missing():
        pytest.skip(f"no second opinion: {why}")
    async with FakeCosmos() as cosmos:
        with second.emulator() as url:
            theirs, ours = await asyncio.gather(_opinions(url, second.KEY), _opinions(cosmos.url, cosmos.key))
    different = {name: theirs[name] for name in PROBES if theirs[name] != ours[name]}
    assert different == second.KNOWN_FAULTS
