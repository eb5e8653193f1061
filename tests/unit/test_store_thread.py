"""The thread behind the event loop: one thing after the other, told to whoever waits and to nobody else."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import pytest

from agent.store.thread import Thread


async def test_it_does_one_thing_after_the_other_in_a_thread_of_its_own() -> None:
    """In the order in which it was asked; the loop goes on meanwhile."""
    thread = Thread("store-test")
    done: list[int] = []

    def work(number: int) -> str:
        done.append(number)
        return threading.current_thread().name

    names = await asyncio.gather(*(thread.run(lambda number=number: work(number)) for number in range(20)))  # type: ignore[misc] # mypy infers no lambda with a default
    assert done == list(range(20))
    assert set(names) == {"store-test"}
    thread.end()


async def test_what_it_raises_is_raised_where_it_is_waited_for() -> None:
    """And the next thing is done as if nothing had been."""
    thread = Thread("store-test")
    with pytest.raises(ValueError, match="wrong"):
        await thread.run(_fail)
    assert await thread.run(lambda: 7) == 7
    thread.end()


def _fail() -> None:
    raise ValueError("wrong")


async def test_what_nobody_waits_for_any_more_is_not_begun() -> None:
    """What is under way goes on, and tells nobody."""
    thread = Thread("store-test")
    begun, go = threading.Event(), threading.Event()
    done: list[str] = []

    def hold() -> None:
        begun.set()
        go.wait(5)
        done.append("first")

    first = asyncio.create_task(thread.run(hold))
    second = asyncio.create_task(thread.run(lambda: done.append("second")))
    await asyncio.to_thread(begun.wait, 5)
    first.cancel()
    second.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    go.set()
    await thread.run(lambda: done.append("third"))
    assert done == ["first", "third"]
    thread.end()


async def test_it_ends_after_what_it_was_given() -> None:
    """Nothing that was handed over before is lost."""
    thread = Thread("store-test")
    waiting = asyncio.create_task(thread.run(threading.current_thread))
    await asyncio.sleep(0)
    thread.end()
    worker = await waiting
    await asyncio.to_thread(worker.join, 5)
    assert not worker.is_alive()


async def test_an_answer_that_is_told_is_not_held() -> None:
    """A large one must not live until somebody asks for the next."""

    class Large:
        """Something that can be referred to weakly."""

    thread = Thread("store-test")
    told = await thread.run(Large)
    held = weakref.ref(told)
    del told
    async with asyncio.timeout(5):
        while held() is not None:
            gc.collect()
            await asyncio.sleep(0.005)
    thread.end()


def test_a_loop_that_was_closed_meanwhile_is_told_nothing() -> None:
    """And the thread serves the next one."""
    thread = Thread("store-test")
    begun, go = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        go.wait(5)

    async def leave() -> None:
        task = asyncio.create_task(thread.run(hold))
        await asyncio.to_thread(begun.wait, 5)
        task.cancel()

    asyncio.run(leave())
    go.set()
    assert asyncio.run(thread.run(lambda: 7)) == 7
    thread.end()
