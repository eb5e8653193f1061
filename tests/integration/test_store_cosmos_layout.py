"""What the store makes in an account, and what it says of one that is not as it must be."""

from __future__ import annotations

import pytest
from fakes.cosmos.server import FakeCosmos
from fakes.cosmos_store import prepare, settings_for
from fakes.stored import TEN_O_CLOCK

from agent.store import cosmos_init, cosmos_layout
from agent.store.cosmos_client import CosmosDatabase
from agent.store.cosmos_reader import CosmosReader
from agent.store.cosmos_writer import CosmosWriter
from ipc.errors import SettingsError, StoreUnavailable

HOUR = 3600
DAY = 24 * HOUR
END = TEN_O_CLOCK + 100 * DAY


async def test_an_account_without_the_containers_names_the_command() -> None:
    """Both sides say what to run; once it was run, they go on by themselves."""
    async with FakeCosmos() as cosmos:
        settings = settings_for(cosmos)
        async with CosmosReader(settings) as reader:
            with pytest.raises(StoreUnavailable, match="sentimentagent store init"):
                await reader.contents()
            with pytest.raises(StoreUnavailable, match="sentimentagent store init"):
                await CosmosWriter(settings).__aenter__()
            await prepare(settings)
            assert (await reader.contents()).items == 0


async def test_a_plan_says_what_it_would_do_and_nothing_the_second_time() -> None:
    """Making the plan changes nothing; carrying it out leaves nothing to do."""
    async with FakeCosmos() as cosmos, CosmosDatabase(settings_for(cosmos)) as database:
        steps = await cosmos_init.plan(database, "sentiment_analysis")
        text = cosmos_init.described(steps)
        assert "create the container items in the database sentiment_analysis, partitioned by /pk" in text
        assert cosmos.account.databases == {}
        await cosmos_init.create(database, steps)
        await cosmos_init.create(database, steps)
        assert await cosmos_init.plan(database, "sentiment_analysis") == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"defaultTtl": None}, "time to live"),
        ({"defaultTtl": 5}, "time to live 5"),
        ({"indexingPolicy": {"indexingMode": "consistent", "automatic": True}}, "another indexing policy"),
    ],
    ids=["no ttl", "a ttl", "policy"],
)
async def test_a_container_that_was_changed_is_told_and_mended(
    cosmos: FakeCosmos, change: dict[str, object], words: str
) -> None:
    """Somebody's hand in the portal is noticed at the next start; ``store init`` puts it right."""
    settings = settings_for(cosmos)
    container = cosmos.account.container(settings.cosmos_database, cosmos_layout.ITEMS)
    container.configure({key: value for key, value in (container.settings | change).items() if value is not None})
    with pytest.raises(StoreUnavailable, match=words):
        await CosmosWriter(settings).__aenter__()
    await prepare(settings)
    async with CosmosWriter(settings):
        pass


async def test_a_container_of_another_partition_key_is_left_alone() -> None:
    """It is somebody else's, and nothing but another name helps: the process need not try again."""
    async with FakeCosmos() as cosmos:
        settings = settings_for(cosmos)
        cosmos.account.create_database({"id": settings.cosmos_database})
        foreign = {"id": cosmos_layout.ITEMS, "partitionKey": {"paths": ["/id"], "kind": "Hash"}}
        cosmos.account.create_container(settings.cosmos_database, foreign)
        with pytest.raises(SettingsError, match="partitioned by /id and not by /pk.*COSMOS_DATABASE"):
            await CosmosWriter(settings).__aenter__()
        async with CosmosReader(settings) as reader:
            with pytest.raises(StoreUnavailable, match="partitioned by /id"):
                await reader.contents()


async def test_a_newer_layout_is_left_alone(cosmos: FakeCosmos) -> None:
    """What a newer version has made is not written to."""
    settings = settings_for(cosmos)
    async with CosmosDatabase(settings) as database:
        mark = await database.read(cosmos_layout.META, cosmos_layout.LAYOUT, "version")
        assert mark is not None
        assert await database.replace(cosmos_layout.META, mark | {"version": cosmos_layout.VERSION + 1})
    with pytest.raises(SettingsError, match="newer version"):
        await CosmosWriter(settings).__aenter__()
