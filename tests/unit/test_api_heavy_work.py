from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest
from aiohttp import web

from api.heavy_work import KEPT_S, KEPT_UNKNOWN_S, HeavyWork
from ipc.errors import Unavailable

if TYPE_CHECKING:
    from agent.store.protocol import Reading


class World:
    """A store that says its state, and a clock; the work counts how often it is done."""

    def __init__(self, state: str | None = "a") -> None:
        self.said = state
        self.now_s = 1000.0
        self.takes_s = 0.0
        self.done = 0

    async def state(self) -> str | None:
        return self.said

    def clock_s(self) -> float:
        return self.now_s

    async def work(self) -> int:
        await asyncio.sleep(0)
        self.now_s += self.takes_s
        self.done += 1
        return self.done


def heavy_work(world: World, patience_s: float = 5.0, longest_s: float = 60.0) -> HeavyWork:
    """Return the work over this world, of whose store only the state is asked."""
    return HeavyWork(cast("Reading", world), world.clock_s, patience_s, longest_s)


async def test_many_who_ask_share_one_computation() -> None:
    """Fifty clients with one question cost one answer; another question is another answer."""
    world = World()
    work = heavy_work(world)
    assert await asyncio.gather(*(work.once("themes", world.work) for _ in range(50))) == [1] * 50
    assert await work.once("shifts", world.work) == 2
    assert await work.once("themes", world.work) == 1


async def test_new_data_make_a_new_answer() -> None:
    """An answer stands as long as the store's state."""
    world = World()
    work = heavy_work(world)
    assert await work.once("themes", world.work) == 1
    world.said = "b"
    assert await work.once("themes", world.work) == 2


@pytest.mark.parametrize(("state", "kept_s"), [("a", KEPT_S), (None, KEPT_UNKNOWN_S)])
async def test_an_answer_on_the_same_data_stands_for_a_while(state: str | None, kept_s: float) -> None:
    """The window moves with the clock; where the database can't say its state, reading it costs more than a minute."""
    world = World(state)
    work = heavy_work(world)
    assert await work.once("themes", world.work) == 1
    world.now_s += kept_s - 1
    assert await work.once("themes", world.work) == 1
    world.now_s += 2
    assert await work.once("themes", world.work) == 2


async def test_what_took_long_rests_while_data_stream_in() -> None:
    """Half a second of work stands for five, whatever is written meanwhile: a tenth of a core, never all of it."""
    world = World()
    work = heavy_work(world)
    world.takes_s = 0.5
    assert await work.once("themes", world.work) == 1
    for second in range(4):
        world.said = f"b{second}"
        world.now_s += 1
        assert await work.once("themes", world.work) == 1
    world.now_s += 1.5
    assert await work.once("themes", world.work) == 2


async def test_work_that_failed_is_done_again() -> None:
    """An error is nobody's answer but the one's who asked."""
    world = World()
    work = heavy_work(world)

    async def fail() -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await work.once("themes", fail)
    assert await work.once("themes", world.work) == 1


async def test_a_store_that_hangs_is_not_waited_for() -> None:
    """Whoever waits behind it is told when to come again, and others have their turn when it is given up."""
    world = World()
    work = heavy_work(world, patience_s=0.05, longest_s=0.07)

    async def hang() -> int:
        await asyncio.Event().wait()
        return 0

    found = await asyncio.gather(*(work.once("themes", hang) for _ in range(3)), return_exceptions=True)
    assert {type(each) for each in found} == {Unavailable}
    assert await work.once("themes", world.work) == 1


async def test_work_above_everybodys_patience_is_kept_for_the_next() -> None:
    """It goes on when its asker is told to come again, and is not begun twice."""
    world = World()
    work = heavy_work(world, patience_s=0.05)
    go = asyncio.Event()

    async def long() -> int:
        await go.wait()
        return await world.work()

    for _ in range(2):
        with pytest.raises(Unavailable):
            await work.once("themes", long)
    go.set()
    assert [await work.once("themes", world.work) for _ in range(2)] == [1, 1]


async def test_work_that_nobody_waits_for_ends_with_the_server() -> None:
    """What is computed asks a store that is closed next."""
    work = heavy_work(World(), patience_s=0.05)
    ended = asyncio.Event()

    async def hang() -> int:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return 0

    with pytest.raises(Unavailable):
        await work.once("themes", hang)
    await work.close(web.Application())
    assert ended.is_set()


async def test_few_answers_are_kept() -> None:
    """Who asks for a hundred windows makes the process no larger; the last ones are still there."""
    world = World()
    work = heavy_work(world)
    for number in range(100):
        await work.once(number, world.work)
    assert await work.once(99, world.work) == 100
    assert await work.once(0, world.work) == 101
