"""Which store the settings lead to, and what is said when what it takes is not installed."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Self

import pytest
from fakes.cosmos_store import account
from fakes.examples import example_settings
from fakes.stored import scored

from agent.store.choose import open_reader, open_writer
from ipc.errors import SettingsError, StoreUnavailable

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = "https://a.documents.azure.com:443/"


async def test_an_endpoint_leads_to_cosmos_and_none_to_sqlite(short_path: Path) -> None:
    """The same two doors, and what one side writes the other reads."""
    async with account() as cosmos:
        for engine, environ in {
            "sqlite": {},
            "cosmos": {"COSMOS_ENDPOINT": cosmos.url, "COSMOS_KEY": cosmos.key},
        }.items():
            settings = example_settings(short_path / engine, **environ)
            async with open_writer(settings) as writer, open_reader(settings) as reader:
                assert reader.engine == engine
                assert await writer.write([scored()], [], []) == 1
                assert (await reader.contents()).items == 1
            assert settings.folders.store.exists() == (engine == "sqlite")


def test_without_the_library_the_extra_is_named(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain installation with COSMOS_ENDPOINT set ends with the command that mends it."""
    settings = example_settings(short_path, COSMOS_ENDPOINT=ACCOUNT, COSMOS_KEY="a2V5")
    for name in [name for name in sys.modules if name.startswith("agent.store.cosmos_")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "azure.core", None)
    for opening in (open_reader, open_writer):
        with pytest.raises(SettingsError, match=r"sentimentagent\[cosmos\]"):
            opening(settings)


def test_without_a_key_and_without_identity_both_ways_are_named(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Either set the key, or install what signs in without one."""
    settings = example_settings(short_path, COSMOS_ENDPOINT=ACCOUNT)
    monkeypatch.setitem(sys.modules, "azure.identity.aio", None)
    with pytest.raises(SettingsError, match=r"COSMOS_KEY.*sentimentagent\[entra\]"):
        open_reader(settings)


class Identity:
    """Stands where azure-identity's credential would, and gives no token."""

    closed = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        type(self).closed += 1

    async def close(self) -> None: ...

    async def get_token(self, *_: str, **__: object) -> None: ...


async def test_an_identity_is_asked_for_and_closed_again(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key the credential of azure-identity is used. Over plain HTTP Azure's SDK refuses it, in our words."""
    monkeypatch.setitem(sys.modules, "azure.identity.aio", SimpleNamespace(DefaultAzureCredential=Identity))
    async with account() as cosmos:
        settings = example_settings(short_path, COSMOS_ENDPOINT=cosmos.url)
        async with open_reader(settings) as reader:
            with pytest.raises(StoreUnavailable, match="can't be reached"):
                await reader.contents()
    assert Identity.closed == 1
