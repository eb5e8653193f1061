"""The fake Cosmos DB as the real SDK meets it: the account, documents, batches, patches, time to live, charges."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
from azure.core import MatchConditions
from azure.cosmos import PartitionKey, exceptions
from fakes.cosmos.clients import client, container
from fakes.cosmos.documents import weigh
from fakes.cosmos.server import FakeCosmos

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from azure.cosmos.aio import ContainerProxy, CosmosClient

#: aiohttp warns of bodies over 1 MiB, which the SDK sends in one piece.
LARGE_BODY = "ignore:Sending a large body directly:ResourceWarning"
WRONG_KEY = "d3Jvbmc="
INDEX = {"indexingMode": "consistent", "includedPaths": [{"path": "/n/?"}], "excludedPaths": [{"path": "/*"}]}


class Clock:
    """A wall clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_750_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Return the fake's clock."""
    return Clock()


@pytest.fixture
async def cosmos(clock: Clock) -> AsyncIterator[FakeCosmos]:
    """Return a fake."""
    async with FakeCosmos(now=clock) as running:
        yield running


@pytest.fixture
async def sdk(cosmos: FakeCosmos) -> AsyncIterator[CosmosClient]:
    """Return a client of it."""
    async with client(cosmos.url, cosmos.key) as opened:
        yield opened


@pytest.fixture
async def items(sdk: CosmosClient) -> ContainerProxy:
    """Return an empty container, of which ``n`` is indexed and nothing else."""
    return await container(sdk, indexing_policy=INDEX)


def document(name: str, key: str = "aws|2026-11-24", **fields: object) -> dict[str, Any]:
    """Return a document to write."""
    return {"id": name, "pk": key, **fields}


async def test_a_wrong_key_is_answered_401(cosmos: FakeCosmos) -> None:
    """The signature is checked: entering a client with another key fails at once."""
    async with AsyncExitStack() as open_:
        with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
            await open_.enter_async_context(client(cosmos.url, WRONG_KEY))
    assert refused.value.status_code == 401


async def test_a_database_and_a_container_are_made_once_and_keep_their_settings(sdk: CosmosClient) -> None:
    """Made if missing, found the second time; the settings come back as the service completes them."""
    for _ in range(2):
        made = await container(sdk, indexing_policy=INDEX, default_ttl=3600)
    settings = await made.read()
    assert settings["defaultTtl"] == 3600
    assert settings["partitionKey"]["paths"] == ["/pk"]
    assert settings["indexingPolicy"]["includedPaths"] == [{"path": "/n/?"}]
    assert {"path": '/"_etag"/?'} in settings["indexingPolicy"]["excludedPaths"]
    database: Any = sdk.get_database_client("sentiment")
    await database.replace_container("items", PartitionKey("/pk"), indexing_policy=INDEX, default_ttl=60)
    assert [each["defaultTtl"] async for each in database.list_containers()] == [60]
    with pytest.raises(exceptions.CosmosHttpResponseError, match="partition key"):
        await database.replace_container("items", PartitionKey("/other"))
    assert [each["id"] async for each in sdk.list_databases()] == ["sentiment"]
    with pytest.raises(exceptions.CosmosResourceExistsError):
        await sdk.create_database("sentiment")


@pytest.mark.parametrize(
    "policy",
    [
        {"includedPaths": [{"path": "/n/?"}], "excludedPaths": []},
        {"includedPaths": [{"path": "/*"}, {"path": "/n"}]},
        {"includedPaths": [{"path": "/*"}], "compositeIndexes": [[{"path": "/n", "order": "ascending"}]]},
    ],
)
async def test_an_indexing_policy_that_the_service_would_not_take_is_refused(
    sdk: CosmosClient, policy: dict[str, Any]
) -> None:
    """Without ``/*``, with a path that does not end in a mark, with a composite index of one."""
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        await container(sdk, indexing_policy=policy)
    assert refused.value.status_code == 400


async def test_a_container_that_was_dropped_and_made_again_is_found_again(
    cosmos: FakeCosmos, items: ContainerProxy
) -> None:
    """A client that knows the old one is told so by its resource id, and goes on with the new one and its key."""
    await items.create_item(document("a"))
    async with client(cosmos.url, cosmos.key) as other:
        database = other.get_database_client("sentiment")
        await database.delete_container("items")
        await database.create_container("items", PartitionKey("/other"))
    await items.upsert_item({"id": "b", "other": "a key"})
    assert [each["id"] for each in cosmos.documents("sentiment", "items")] == ["b"]


async def test_a_key_lives_in_the_partition_that_the_sdk_computes(cosmos: FakeCosmos, items: ContainerProxy) -> None:
    """The SDK's own hash of a key names a range that holds its documents, whatever the key's type."""
    keys: list[Any] = ["aws|2026-11-24", "", "\u00e9\U0001f600", "x" * 200, 1, 1.5, True, False, None]
    for number, key in enumerate(keys):
        await items.create_item({"id": str(number), "pk": key})
    for number, key in enumerate(keys):
        where = await items.feed_range_from_partition_key(key)
        assert [each["id"] async for each in items.query_items("SELECT * FROM c", feed_range=where)] == [str(number)]
    held = cosmos.account.container("sentiment", "items")
    assert all(held.all(each.id) for each in held.ranges)


async def test_documents_come_back_as_they_were_written(items: ContainerProxy) -> None:
    """Hostile text, half an emoji, deep values; the system's properties are added."""
    sent = document("a b|\u00e9", text="'); DROP --\x00\ud83d", deep={"list": [1, 2.5, None, True, {"x": "y"}]})
    await items.create_item(sent)
    read = await items.read_item("a b|\u00e9", "aws|2026-11-24")
    assert {name: read[name] for name in sent} == sent
    assert read["_ts"] == 1_750_000_000
    assert read["_etag"].startswith('"')


async def test_what_is_there_or_missing_is_refused_as_the_service_does(items: ContainerProxy) -> None:
    """Creating twice is 409; reading, replacing, patching and deleting what is not there are 404."""
    await items.create_item(document("a"))
    with pytest.raises(exceptions.CosmosResourceExistsError):
        await items.create_item(document("a"))
    await items.create_item(document("a", "another key"))
    for call in (
        items.read_item("b", "aws|2026-11-24"),
        items.replace_item("b", document("b")),
        items.patch_item("b", "aws|2026-11-24", [{"op": "set", "path": "/n", "value": 1}]),
        items.delete_item("b", "aws|2026-11-24"),
    ):
        with pytest.raises(exceptions.CosmosResourceNotFoundError):
            await call


async def test_a_stale_etag_is_refused_with_412(items: ContainerProxy) -> None:
    """Replace, upsert, patch and delete go through for the version that was read, and for no other."""
    first = await items.create_item(document("a", n=1))
    second = await items.replace_item(
        "a", document("a", n=2), etag=first["_etag"], match_condition=MatchConditions.IfNotModified
    )
    stale = {"etag": first["_etag"], "match_condition": MatchConditions.IfNotModified}
    changes = [{"op": "incr", "path": "/n", "value": 1}]
    for call in (
        items.replace_item(first, document("a", n=3), **stale),
        items.upsert_item(document("a", n=3), **stale),
        items.patch_item("a", "aws|2026-11-24", changes, **stale),
        items.delete_item("a", "aws|2026-11-24", **stale),
    ):
        with pytest.raises(exceptions.CosmosAccessConditionFailedError):
            await call
    await items.delete_item("a", "aws|2026-11-24", etag=second["_etag"], match_condition=MatchConditions.IfNotModified)


@pytest.mark.filterwarnings(LARGE_BODY)
async def test_a_document_over_2_mb_is_refused_with_413(items: ContainerProxy) -> None:
    """Just under it is stored."""
    await items.create_item(document("a", text="x" * (2 * 1024 * 1024 - 100)))
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        await items.create_item(document("b", text="x" * (2 * 1024 * 1024)))
    assert refused.value.status_code == 413


async def test_documents_expire_by_the_clock_and_a_write_renews_them(clock: Clock, sdk: CosmosClient) -> None:
    """The container's time to live, an item's own and none at all, each counted from the last write."""
    held = await container(sdk, default_ttl=100)
    for sent in (document("default"), document("short", ttl=10), document("never", ttl=-1), document("renewed")):
        await held.create_item(sent)
    clock.now += 60
    await held.upsert_item(document("renewed"))
    assert [each["id"] async for each in held.read_all_items()] == ["default", "never", "renewed"]
    clock.now += 60
    assert [each["id"] async for each in held.read_all_items()] == ["never", "renewed"]
    await held.create_item(document("default"))
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        await held.create_item(document("wrong", ttl=0))
    assert refused.value.status_code == 400


async def test_a_batch_is_done_whole_or_not_at_all(cosmos: FakeCosmos, items: ContainerProxy) -> None:
    """A failure names its operation, fails the others with 424, and leaves all as it was."""
    key = "aws|2026-11-24"
    await items.create_item(document("hour", n=1))
    await items.create_item(document("gone"))
    before = cosmos.documents("sentiment", "items")
    changes = [{"op": "incr", "path": "/n", "value": 5}]
    operations: list[Any] = [
        ("create", (document("a"),)),
        ("patch", ("hour", changes)),
        ("upsert", (document("gone", n=9),)),
        ("delete", ("gone",)),
        ("replace", ("a", document("a", n=2))),
        ("create", (document("hour"),)),
        ("read", ("hour",)),
    ]
    with pytest.raises(exceptions.CosmosBatchOperationError) as failed:
        await items.execute_item_batch(operations, key)
    assert (failed.value.error_index, failed.value.status_code) == (5, 409)
    assert [each["statusCode"] for each in failed.value.operation_responses] == [424] * 5 + [409, 424]
    assert cosmos.documents("sentiment", "items") == before
    del operations[5]
    done = await items.execute_item_batch(operations, key)
    assert [each["statusCode"] for each in done] == [201, 200, 200, 204, 200, 200]
    assert done[-1]["resourceBody"]["n"] == 6


@pytest.mark.filterwarnings(LARGE_BODY)
@pytest.mark.parametrize(
    ("operations", "status"),
    [
        ([("create", (document(str(number)),)) for number in range(101)], 400),
        ([("create", (document(str(number), text="x" * 700_000),)) for number in range(3)], 413),
        ([("create", (document("a"),)), ("create", (document("b", "another key"),))], 400),
        ([("patch", ("a", [{"op": "set", "path": "/n", "value": 1}] * 11))], 404),
        ([("replace", ("a", document("a")), {"if_match_etag": '"old"'})], 404),
    ],
    ids=["101 operations", "over 2 MB", "two partition keys", "a missing document", "a missing version"],
)  # fmt: skip
async def test_a_batch_that_the_service_refuses_changes_nothing(
    cosmos: FakeCosmos, items: ContainerProxy, operations: list[Any], status: int
) -> None:
    """Whether the whole request is refused or one of its operations fails."""
    with pytest.raises((exceptions.CosmosHttpResponseError, exceptions.CosmosBatchOperationError)) as refused:
        await items.execute_item_batch(operations, "aws|2026-11-24")
    assert refused.value.status_code == status
    assert cosmos.documents("sentiment", "items") == []


async def test_batches_of_creates_and_one_increment_count_exactly_under_replays(items: ContainerProxy) -> None:
    """Three writers with the same 60 items: each item and its count are written once, whoever was first."""
    key = "aws|2026-11-24"
    await items.create_item(document("hour", n=0))

    async def write(names: list[str]) -> None:
        while names:
            operations: list[Any] = [("create", (document(name),)) for name in names]
            operations.append(("patch", ("hour", [{"op": "incr", "path": "/n", "value": len(names)}])))
            try:
                await items.execute_item_batch(operations, key)
            except exceptions.CosmosBatchOperationError:
                known = {each["id"] for each in await items.read_items([(name, key) for name in names])}
                names = [name for name in names if name not in known]
            else:
                return

    await asyncio.gather(*(write([f"t3_{number}" for number in range(start, 60)]) for start in (0, 10, 20)))
    assert (await items.read_item("hour", key))["n"] == 60


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([{"op": "add", "path": "/new", "value": 1}], {"new": 1}),
        ([{"op": "set", "path": "/deep/x", "value": None}], {"deep": {"x": None, "list": [1, 2]}}),
        ([{"op": "replace", "path": "/n", "value": "text"}], {"n": "text"}),
        ([{"op": "incr", "path": "/n", "value": -1.5}], {"n": -0.5}),
        ([{"op": "incr", "path": "/count", "value": 3}], {"count": 3}),
        ([{"op": "remove", "path": "/deep/x"}], {"deep": {"list": [1, 2]}}),
        ([{"op": "add", "path": "/deep/list/0", "value": 0}], {"deep": {"x": 1, "list": [0, 1, 2]}}),
        ([{"op": "add", "path": "/deep/list/-", "value": 3}], {"deep": {"x": 1, "list": [1, 2, 3]}}),
        ([{"op": "remove", "path": "/deep/list/1"}], {"deep": {"x": 1, "list": [1]}}),
    ],
)
async def test_a_patch_changes_what_it_names(
    items: ContainerProxy, changes: list[dict[str, Any]], expected: dict[str, Any]
) -> None:
    """Each operation, at the root, inside and in a list."""
    sent = document("a", n=1, deep={"x": 1, "list": [1, 2]})
    await items.create_item(sent)
    await items.patch_item("a", sent["pk"], changes)
    read = await items.read_item("a", sent["pk"])
    assert {name: value for name, value in read.items() if not name.startswith("_")} == sent | expected


@pytest.mark.parametrize(
    "changes",
    [
        [{"op": "set", "path": f"/{number}", "value": 1} for number in range(11)],
        [],
        [{"op": "set", "path": "/pk", "value": "other"}],
        [{"op": "set", "path": "/id", "value": "other"}],
        [{"op": "replace", "path": "/missing", "value": 1}],
        [{"op": "remove", "path": "/missing"}],
        [{"op": "set", "path": "/missing/x", "value": 1}],
        [{"op": "incr", "path": "/text", "value": 1}],
        [{"op": "move", "path": "/text", "from": "/n"}],
    ],
)
async def test_a_patch_that_the_service_refuses_changes_nothing(
    cosmos: FakeCosmos, items: ContainerProxy, changes: list[dict[str, Any]]
) -> None:
    """Too many operations or none, the id or the key, what is missing, what is no number."""
    sent = await items.create_item(document("a", n=1, text="x"))
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        await items.patch_item("a", sent["pk"], changes)
    assert refused.value.status_code == 400
    assert cosmos.documents("sentiment", "items") == [dict(sent)]


async def test_a_patch_asks_its_condition_first(items: ContainerProxy) -> None:
    """It is done where the condition holds, and is 412 where it does not."""
    sent = await items.create_item(document("a", n=1))
    changes = [{"op": "incr", "path": "/n", "value": 1}]
    await items.patch_item("a", sent["pk"], changes, filter_predicate="FROM c WHERE c.n = 1")
    with pytest.raises(exceptions.CosmosAccessConditionFailedError):
        await items.patch_item("a", sent["pk"], changes, filter_predicate="FROM c WHERE c.n = 1")
    assert (await items.read_item("a", sent["pk"]))["n"] == 2


async def test_request_units_follow_the_documented_rule(cosmos: FakeCosmos, items: ContainerProxy) -> None:
    """A KB is read for 1 and written for 4.95 and its index entries; the meter adds what the answers say."""
    charged: list[float] = []

    def note(headers: Any, _body: object) -> None:  # noqa: ANN401 - the SDK's
        charged.append(float(headers["x-ms-request-charge"]))

    cosmos.meter.reset()
    sent = document("a", n=1, text="x" * 400)
    await items.create_item(sent, response_hook=note)
    await items.read_item("a", sent["pk"], response_hook=note)
    await items.upsert_item(sent | {"text": "x" * 9000}, response_hook=note)
    await items.read_item("a", sent["pk"], response_hook=note)
    assert weigh(cosmos.documents("sentiment", "items")[0]) > 8 * 1024
    # Indexed are n, and id and _ts always.
    assert charged[:2] == [5.25, 1.0]
    assert charged[2] > 2 * 7.04
    assert 1.33 < charged[3] < 1.67
    assert cosmos.meter.charges_ru["read"] == pytest.approx(charged[1] + charged[3], abs=0.01)
    assert (cosmos.meter.requests["create"], cosmos.meter.requests["read"]) == (1, 2)
    assert cosmos.meter.total_ru == pytest.approx(sum(charged), abs=0.05)
