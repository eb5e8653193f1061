"""A migration that is broken off, and one whose new store throttles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from fakes.stored import TEN_O_CLOCK, item, scored

from agent.store.migration import Progress, migrate
from agent.store.sqlite_reader import SqliteReader
from agent.store.sqlite_writer import SqliteWriter
from ipc.errors import StoreUnavailable
from ipc.settings import StoreSettings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agent.records import Scored, SetAside
    from ipc.messages import Cycle


class Shaky(SqliteWriter):
    """A writer that is away at some of its calls."""

    def __init__(self, path: Path, *, away: Sequence[int]) -> None:
        super().__init__(path, StoreSettings())
        self.away = set(away)
        self.calls = 0

    async def write(self, scored: Sequence[Scored], set_aside: Sequence[SetAside], cycles: Sequence[Cycle]) -> int:
        self.calls += 1
        if self.calls in self.away:
            raise StoreUnavailable("throttled", 0.01)
        return await super().write(scored, set_aside, cycles)


@pytest.fixture
async def old(tmp_path: Path) -> Path:
    """Return an old store of 250 items."""
    path = tmp_path / "old.db"
    async with SqliteWriter(path, StoreSettings()) as writer:
        await writer.write([scored(item(f"t3_{n:03}", created_utc=TEN_O_CLOCK + n)) for n in range(250)], [], [])
    return path


async def test_a_migration_goes_on_where_it_was_broken_off(old: Path, tmp_path: Path) -> None:
    """What was moved is not read again, and its count goes on."""
    place, seen = tmp_path / "place.json", list[int]()
    new = tmp_path / "new.db"
    async with SqliteReader(old, StoreSettings()) as source, SqliteReader(new, StoreSettings()) as target:
        async with Shaky(new, away=[3]) as writer:
            with pytest.raises(StoreUnavailable):
                await migrate(source, writer, target, place, lambda p: seen.append(p.read), at_once=100, tries=1)
        assert seen == [100, 200]
        assert place.exists()
        async with Shaky(new, away=[]) as writer:
            done = await migrate(source, writer, target, place, lambda p: seen.append(p.read), at_once=100)
            assert writer.calls == 1
    assert seen == [100, 200, 250]
    assert (done.read, done.new, done.items_after, done.hours_short) == (250, 250, 250, 0)
    assert not place.exists()


async def test_a_store_that_throttles_slows_a_migration_down_and_loses_nothing(old: Path, tmp_path: Path) -> None:
    """Each batch is tried again after the time that was asked for."""
    new = tmp_path / "new.db"
    async with (
        SqliteReader(old, StoreSettings()) as source,
        SqliteReader(new, StoreSettings()) as target,
        Shaky(new, away=[1, 2, 4]) as writer,
    ):
        done = await migrate(source, writer, target, tmp_path / "place.json", lambda _: None, at_once=100)
        assert writer.calls == 6
    assert (done.new, done.items_after) == (250, 250)


async def test_a_place_that_can_not_be_read_begins_anew(old: Path, tmp_path: Path) -> None:
    """Everything is sent again, and is stored once."""
    place, new = tmp_path / "place.json", tmp_path / "new.db"
    async with (
        SqliteReader(old, StoreSettings()) as source,
        SqliteReader(new, StoreSettings()) as target,
        SqliteWriter(new, StoreSettings()) as writer,
    ):
        await migrate(source, writer, target, place, lambda _: None)
        place.write_text("half a li")
        done = await migrate(source, writer, target, place, lambda _: None)
    assert (done.read, done.new, done.items_after, done.is_whole) == (250, 0, 250, True)


async def test_a_hole_is_found_by_the_count(old: Path, tmp_path: Path) -> None:
    """A place that is ahead of what was moved: the hour counts less there, and the migration is not whole."""
    place, new = tmp_path / "place.json", tmp_path / "new.db"
    async with (
        SqliteReader(old, StoreSettings()) as source,
        SqliteReader(new, StoreSettings()) as target,
        SqliteWriter(new, StoreSettings()) as writer,
    ):
        ahead = Progress(after=(await source.scan(None, 100))[-1].place, read=100, new=100)
        place.write_bytes(msgspec.json.encode(ahead))
        done = await migrate(source, writer, target, place, lambda _: None)
    assert (done.items_after, done.hours_short, done.is_whole) == (150, 1, False)
