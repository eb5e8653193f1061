"""Which store the settings ask for: the only place that knows all of them. SQLite is the one there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.store.sqlite_reader import SqliteReader
from agent.store.sqlite_writer import SqliteWriter

if TYPE_CHECKING:
    from agent.store.protocol import Reading, Writing
    from ipc.settings import Settings


def open_reader(settings: Settings) -> Reading:
    """Return the reader's side; it opens when it is entered."""
    return SqliteReader(settings.folders.store, settings.store)


def open_writer(settings: Settings) -> Writing:
    """Return the writer's side; it opens when it is entered."""
    return SqliteWriter(settings.folders.store, settings.store)
