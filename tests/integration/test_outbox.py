from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING

import msgspec
import pytest
from fakes.limits import files_of_at_most

from agent.outbox import BATCH_ITEMS, MAX_TEXT_CHARACTERS, Outbox
from agent.sources.protocol import Page
from ipc.errors import SettingsError, Unavailable
from ipc.framing import frame
from ipc.messages import Cycle, Item, encode

if TYPE_CHECKING:
    from pathlib import Path


def item(number: int, **changes: str) -> Item:
    """Return an item that differs from its neighbours by its name."""
    made = Item(
        name=f"t3_{number}",
        subreddit="aws",
        author="someone",
        title=f"title {number}",
        content="",
        url="",
        created_utc=number,
        collected_utc=number,
        source="sample",
    )
    return msgspec.structs.replace(made, **changes)


def page(*numbers: int, cursor: str | None = None) -> Page:
    """Return a page of items."""
    return Page(items=tuple(item(number) for number in numbers), cursor=cursor)


CYCLE = Cycle(
    id="c1",
    source="sample",
    started_utc=1.0,
    finished_utc=2.0,
    outcome="succeeded",
    posts=1,
    comments=0,
    new=1,
    memory_delta_mb=0.0,
)


async def test_items_and_cursor_survive_a_restart(short_path: Path) -> None:
    """Opened again, the outbox holds what it held, and the source goes on where it stood."""
    path = short_path / "outbox.db"
    async with Outbox(path, 100) as outbox:
        assert await outbox.put("sample", "all", page(1, 2, cursor="two")) == 2
    async with Outbox(path, 100) as outbox:
        assert outbox.depth == 2
        assert await outbox.cursor("sample", "all") == "two"
        assert [each.name for each in (await outbox.next_batch(0)).items] == ["t3_1", "t3_2"]


async def test_a_kill_in_the_middle_of_a_page_keeps_all_or_nothing(short_path: Path) -> None:
    """Whoever opens the file sees whole pages only: cursor and items are one transaction."""
    path = short_path / "outbox.db"
    async with Outbox(path, 100) as outbox:
        await outbox.put("sample", "all", page(1, cursor="one"))
        with pytest.raises(sqlite3.Error):
            await outbox.put("sample", "all", Page(items=(item(2),), cursor=object()))  # type: ignore[arg-type]
        assert outbox.depth == 1
        assert await outbox.cursor("sample", "all") == "one"


async def test_what_waits_already_is_kept_once(short_path: Path) -> None:
    """An interrupted read is repeated; its items must not double."""
    async with Outbox(short_path / "outbox.db", 100) as outbox:
        assert await outbox.put("sample", "all", page(1, 2)) == 2
        assert await outbox.put("sample", "all", page(1, 2, 3)) == 1
        assert outbox.depth == 3


async def test_batches_are_bounded_and_in_order(short_path: Path) -> None:
    """By items; the next one begins where the last one ended."""
    async with Outbox(short_path / "outbox.db", 1000) as outbox:
        await outbox.put("sample", "all", page(*range(1, 2 * BATCH_ITEMS + 2)))
        seqs, after = [], 0
        for expected in (BATCH_ITEMS, BATCH_ITEMS, 1):
            batch = await outbox.next_batch(after)
            assert len(batch.items) == expected
            after = batch.seq
            seqs.append(after)
        assert seqs == [64, 128, 129]


async def test_a_batch_always_fits_into_a_frame(short_path: Path) -> None:
    """Whatever the texts: a post of ten million four-byte characters too."""
    async with Outbox(short_path / "outbox.db", 1000) as outbox:
        huge = item(1, title="\U0001f600" * 10_000_000, content="\U0001f600" * 10_000_000)
        await outbox.put("sample", "all", Page(items=(huge, item(2))))
        batch = await outbox.next_batch(0)
        assert len(frame(encode(batch))) > MAX_TEXT_CHARACTERS
        assert [each.name for each in batch.items] == ["t3_1"]
        assert [each.name for each in (await outbox.next_batch(batch.seq)).items] == ["t3_2"]


async def test_full_it_waits_until_something_is_acknowledged(short_path: Path) -> None:
    """Backpressure: the source is not read further."""
    async with Outbox(short_path / "outbox.db", 3) as outbox:
        await outbox.put("sample", "all", page(1, 2, 3))
        assert not await outbox.has_room(1)
        waiting = asyncio.create_task(outbox.put("sample", "all", page(4)))
        batch = await outbox.next_batch(0)
        assert not waiting.done()
        await outbox.settle(batch.seq)
        async with asyncio.timeout(1):
            assert await waiting == 1
        assert outbox.depth == 1


async def test_a_page_larger_than_the_bound_passes_when_nothing_waits(short_path: Path) -> None:
    """A small bound must not stop collection for ever."""
    async with Outbox(short_path / "outbox.db", 2) as outbox:
        async with asyncio.timeout(1):
            assert await outbox.put("sample", "all", page(1, 2, 3)) == 3


async def test_a_cycle_travels_with_the_items(short_path: Path) -> None:
    """The record of a cycle waits for its acknowledgement like an item, also when the outbox is full."""
    async with Outbox(short_path / "outbox.db", 1) as outbox:
        await outbox.put("sample", "all", page(1))
        await outbox.put_cycle(CYCLE)
        batch = await outbox.next_batch(0)
        assert batch.cycles == (CYCLE,)
        await outbox.settle(batch.seq)
        assert outbox.depth == 0


async def test_a_seq_never_comes_again(short_path: Path) -> None:
    """An old acknowledgement must not settle a new item: seq grows also after everything was settled."""
    path = short_path / "outbox.db"
    async with Outbox(path, 10) as outbox:
        await outbox.put("sample", "all", page(1, 2))
        await outbox.settle(2)
    async with Outbox(path, 10) as outbox:
        await outbox.put("sample", "all", page(3))
        assert (await outbox.next_batch(0)).seq == 3


async def test_a_damaged_file_is_refused_in_words_and_left_alone(short_path: Path) -> None:
    """It may hold what exists nowhere else any more."""
    path = short_path / "outbox.db"
    path.write_bytes(b"not a database, but long enough to be taken for one" * 100)
    before = path.read_bytes()
    with pytest.raises(SettingsError, match="move it away"):
        async with Outbox(path, 10):
            pass
    assert path.read_bytes() == before


async def test_a_full_disk_is_told_as_such_and_passes(short_path: Path) -> None:
    """What could not be kept is kept at the next try; nobody is told to move the file away."""
    path = short_path / "outbox.db"
    async with Outbox(path, 10_000) as outbox:
        await outbox.put("sample", "all", page(1, cursor="one"))
        many = page(*range(2, 3000), cursor="two")
        with files_of_at_most(64 * 1024), pytest.raises(Unavailable, match="disk"):
            await outbox.put("sample", "all", many)
        assert (outbox.depth, await outbox.cursor("sample", "all")) == (1, "one")
        assert await outbox.put("sample", "all", many) == 2998


async def test_an_outbox_that_cannot_be_opened_for_now_is_no_wrong_setting(short_path: Path) -> None:
    """Another program holds it: the process ends with 1, is started again, and loses nothing."""
    path = short_path / "outbox.db"
    path.mkdir()
    with pytest.raises(Unavailable, match="unable to open") as caught:
        async with Outbox(path, 10):
            pass
    assert "move it away" not in str(caught.value)


async def test_a_foreign_database_is_refused(short_path: Path) -> None:
    """Somebody else's tables are not ours to extend."""
    path = short_path / "outbox.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE entries (something TEXT)")
    db.close()
    with pytest.raises(SettingsError, match="not an outbox"):
        async with Outbox(path, 10):
            pass
