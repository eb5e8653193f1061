"""The fake Cosmos DB's faults through the real SDK with its tuned settings: which error surfaces, and how soon."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import AzureError, ServiceRequestError, ServiceResponseError
from azure.cosmos import exceptions
from fakes.cosmos.charges import Budget
from fakes.cosmos.clients import client, container
from fakes.cosmos.faults import GONE, RETRY_WITH, UNAVAILABLE, Drop, Fault, Hang, Slow, throttle
from fakes.cosmos.server import FakeCosmos

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from azure.cosmos.aio import ContainerProxy
    from fakes.cosmos.requests import Kind

#: In place of the tuned 4 s, so that a test of a hang is short. All else is as tuned.
READ_TIMEOUT_S = 0.3
#: Above what the SDK's retries take: 0.5 s after each 503, four times in a query.
BOUND_S = 1.9


@pytest.fixture
async def cosmos() -> AsyncIterator[FakeCosmos]:
    """Return a fake."""
    async with FakeCosmos() as running:
        yield running


@pytest.fixture
async def items(cosmos: FakeCosmos) -> AsyncIterator[ContainerProxy]:
    """Return a container with one document."""
    async with client(cosmos.url, cosmos.key, read_timeout=READ_TIMEOUT_S) as opened:
        held = await container(opened)
        await held.create_item({"id": "there", "pk": "key"})
        # Once, so that what the SDK reads about the container is known to it before a fault.
        assert await query(held) == ["there"]
        yield held


async def query(items: ContainerProxy) -> list[Any]:
    """Return the ids, from every partition."""
    return [row async for row in items.query_items("SELECT VALUE c.id FROM c ORDER BY c.id")]


def call(items: ContainerProxy, kind: Kind) -> Awaitable[Any]:
    """Begin a call of this kind."""
    new = {"id": "new", "pk": "key"}
    match kind:
        case "create":
            return items.create_item(new)
        case "upsert":
            return items.upsert_item(new)
        case "read":
            return items.read_item("there", "key")
        case "patch":
            return items.patch_item("there", "key", [{"op": "incr", "path": "/n", "value": 1}])
        case "batch":
            return items.execute_item_batch([("create", (new,))], "key")
        case _:
            return query(items)


HTTP = exceptions.CosmosHttpResponseError
PERSISTENT: dict[str, tuple[Fault, type[AzureError], int | None]] = {
    "429": (throttle(20), HTTP, 429),
    "503": (UNAVAILABLE, HTTP, 503),
    "449": (RETRY_WITH, HTTP, 449),
    "410": (GONE, HTTP, 410),
    "drop": (Drop(), ServiceRequestError, None),
    "hang": (Hang(), ServiceResponseError, None),
}


@pytest.mark.parametrize("kind", ["create", "read", "batch", "query"])
@pytest.mark.parametrize("name", PERSISTENT)
async def test_a_fault_that_stays_surfaces_as_the_sdks_error_in_bounded_time(
    cosmos: FakeCosmos, items: ContainerProxy, kind: Kind, name: str
) -> None:
    """Each fault on each kind of call, after the SDK's retries; when it goes, the same client goes on."""
    fault, error, status = PERSISTENT[name]
    cosmos.faults.inject(fault, kind, times=None)
    began = time.monotonic()
    with pytest.raises(error) as surfaced:
        await call(items, kind)
    assert time.monotonic() - began < BOUND_S
    assert getattr(surfaced.value, "status_code", None) == status
    assert cosmos.faults.happened >= 1
    cosmos.faults.clear()
    await call(items, kind)


@pytest.mark.parametrize("fault", [throttle(20), UNAVAILABLE, Drop()], ids=["429", "503", "drop"])
@pytest.mark.parametrize("kind", ["create", "query"])
async def test_a_fault_that_passes_is_not_seen(
    cosmos: FakeCosmos, items: ContainerProxy, kind: Kind, fault: Fault
) -> None:
    """The SDK tries again, once a 429 said when, and the call succeeds."""
    cosmos.faults.inject(fault, kind)
    await call(items, kind)
    assert cosmos.faults.happened == 1


async def test_a_query_outlives_a_partition_that_has_moved(cosmos: FakeCosmos, items: ContainerProxy) -> None:
    """After a 410 the SDK reads the ranges again."""
    before = cosmos.meter.requests["pkranges"]
    cosmos.faults.inject(GONE, "query")
    assert await query(items) == ["there"]
    assert cosmos.meter.requests["pkranges"] > before


async def test_a_create_whose_answer_was_lost_conflicts_with_itself(cosmos: FakeCosmos, items: ContainerProxy) -> None:
    """The SDK sends it again, and is told that it is there; it was written once."""
    cosmos.faults.inject(Drop(is_applied=True), "create")
    with pytest.raises(exceptions.CosmosResourceExistsError):
        await call(items, "create")
    assert await query(items) == ["new", "there"]
    cosmos.faults.inject(Drop(is_applied=True), "batch")
    with pytest.raises(exceptions.CosmosBatchOperationError):
        await items.execute_item_batch([("create", ({"id": "other", "pk": "key"},))], "key")
    assert await query(items) == ["new", "other", "there"]


async def test_a_hang_after_the_write_leaves_the_write(cosmos: FakeCosmos, items: ContainerProxy) -> None:
    """An error does not say that nothing was done."""
    cosmos.faults.inject(Hang(is_applied=True), "upsert")
    with pytest.raises(ServiceResponseError):
        await call(items, "upsert")
    assert await query(items) == ["new", "there"]


async def test_a_slow_answer_is_an_answer(cosmos: FakeCosmos, items: ContainerProxy) -> None:
    """Within the read timeout nothing but time is lost."""
    cosmos.faults.inject(Slow(0.1), "read")
    began = time.monotonic()
    assert (await call(items, "read"))["id"] == "there"
    assert time.monotonic() - began >= 0.1


async def test_a_hang_lets_go_by_itself(cosmos: FakeCosmos, items: ContainerProxy) -> None:
    """At its limit the connection is closed, before the client's own timeout."""
    cosmos.faults.inject(Hang(limit_s=0.05), "read", times=None)
    with pytest.raises(ServiceRequestError):
        await call(items, "read")


async def test_entering_a_client_of_a_database_that_hangs_ends_at_our_own_limit(cosmos: FakeCosmos) -> None:
    """Nothing in the SDK's settings bounds the account read: ``asyncio.timeout`` does."""
    cosmos.faults.inject(Hang(), times=None)
    began = time.monotonic()
    async with AsyncExitStack() as open_:
        with pytest.raises(TimeoutError):
            await open_.enter_async_context(client(cosmos.url, cosmos.key, enter_s=0.2))
    assert time.monotonic() - began < 1.0


async def test_a_provisioned_budget_throttles_by_itself(cosmos: FakeCosmos, items: ContainerProxy) -> None:
    """Writes beyond the request units a second wait their time, and none is lost."""
    cosmos.meter.reset()
    cosmos.budget = Budget(100.0)
    began = time.monotonic()
    for number in range(26):
        await items.upsert_item({"id": str(number), "pk": "key"})
    took_s = time.monotonic() - began
    throttled = cosmos.meter.statuses["upsert", 429]
    assert throttled > 0
    assert cosmos.meter.statuses["upsert", 201] == 26
    # 26 times 5.35 RU with 100 in hand, at 100 a second; the last is let in while anything is left.
    assert took_s >= (26 * 5.35 - 100 - 5.35) / 100
    assert len(await query(items)) == 27


async def test_the_sdk_sleeps_as_long_as_a_429_says(cosmos: FakeCosmos, items: ContainerProxy) -> None:
    """Its bound on waiting is looked at before a wait and not for its length: only a limit of ours ends it."""
    cosmos.faults.inject(throttle(30_000), "read")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await call(items, "read")


async def test_a_database_that_went_away_comes_back_with_its_data(cosmos: FakeCosmos, items: ContainerProxy) -> None:
    """At the same address, for the same client, which meanwhile fails at once and hangs on nothing."""
    url = cosmos.url
    cosmos.faults.inject(Hang(), "read")
    hanging = asyncio.ensure_future(call(items, "read"))
    async with asyncio.timeout(1.0):
        while not cosmos.faults.happened:
            await asyncio.sleep(0.005)
    await cosmos.stop()
    await cosmos.stop()
    kinds: tuple[Kind, ...] = ("read", "create", "query")
    for kind in kinds:
        began = time.monotonic()
        with pytest.raises(ServiceRequestError):
            await call(items, kind)
        assert time.monotonic() - began < BOUND_S
    with pytest.raises(AzureError):
        await hanging
    await cosmos.start()
    assert cosmos.url == url
    assert await query(items) == ["there"]
    await call(items, "create")


async def test_faults_come_in_the_order_they_were_injected(cosmos: FakeCosmos, items: ContainerProxy) -> None:
    """Each as often as was said, on the kinds that were named, and no more."""
    cosmos.faults.inject(RETRY_WITH, "read", times=2)
    cosmos.faults.inject(GONE, "read", "create")
    statuses = []
    kinds: tuple[Kind, ...] = ("read", "upsert", "read", "create", "read")
    for kind in kinds:
        try:
            await call(items, kind)
        except HTTP as error:
            statuses.append((kind, error.status_code))
    assert statuses == [("read", 449), ("read", 449), ("create", 410)]
