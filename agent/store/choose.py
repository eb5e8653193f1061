"""Which store the settings ask for: the only place that knows all of them.

With COSMOS_ENDPOINT it is Azure Cosmos DB, else SQLite. Azure's SDK is imported only when it is asked for: it need not
be installed, and takes 32 MB.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from agent.store.sqlite_reader import SqliteReader
from agent.store.sqlite_writer import SqliteWriter
from ipc.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.store.protocol import Reading, Writing
    from ipc.settings import Settings


def open_reader(settings: Settings) -> Reading:
    """Return the reader's side; it opens when it is entered.

    Raises:
        SettingsError: what the settings ask for is not installed.

    """
    if not settings.store.cosmos_endpoint:
        return SqliteReader(settings.folders.store, settings.store)
    with _needing_azure():
        from agent.store.cosmos_reader import CosmosReader  # noqa: PLC0415 - see the module's docstring
    return CosmosReader(settings.store)


def open_writer(settings: Settings) -> Writing:
    """Return the writer's side; it opens when it is entered.

    Raises:
        SettingsError: what the settings ask for is not installed.

    """
    if not settings.store.cosmos_endpoint:
        return SqliteWriter(settings.folders.store, settings.store)
    with _needing_azure():
        from agent.store.cosmos_writer import CosmosWriter  # noqa: PLC0415 - see the module's docstring
    return CosmosWriter(settings.store)


@contextmanager
def _needing_azure() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "azure":
            raise
        raise SettingsError(
            "COSMOS_ENDPOINT is set, but what speaks to Azure Cosmos DB is not installed:"
            " pip install 'sentimentagent[cosmos]', or leave COSMOS_ENDPOINT empty for SQLite"
        ) from error
