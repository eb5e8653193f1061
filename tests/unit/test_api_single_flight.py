"""Work that several ask for at once: done once, for those who may have it, whoever goes away meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from api.single_flight import SingleFlight, StateLooks
from ipc.errors import StoreUnavailable


class Work:
    """Work that ends when it is let go, and counts how often it was begun."""

    def __init__(self) -> None:
        self.begun = 0
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> str:
        self.begun += 1
        await self.go.wait()
        if self.error is not None:
            raise self.error
        return f"done {self.begun}"


async def turns(count: int = 5) -> None:
    """Let every task that can go on do so."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_those_who_ask_meanwhile_share_it_and_those_after_do_not() -> None:
    """One run for three who wait at once, by key; another run for the next."""
    flight: SingleFlight[str] = SingleFlight()
    work, other = Work(), Work()
    asking = [asyncio.create_task(flight.run("key", work)) for _ in range(3)]
    elsewhere = asyncio.create_task(flight.run("other", other))
    await turns()
    assert (work.begun, other.begun) == (1, 1)
    work.go.set()
    other.go.set()
    assert await asyncio.gather(*asking) == ["done 1"] * 3
    assert await elsewhere == "done 1"
    assert await flight.run("key", work) == "done 2"


async def test_an_error_is_that_of_all_who_wait() -> None:
    """And of nobody who asks later. With nobody else waiting it is raised once and not logged as lost."""
    flight: SingleFlight[str] = SingleFlight()
    work = Work()
    work.error = StoreUnavailable("away")
    asking = [asyncio.create_task(flight.run("key", work)) for _ in range(3)]
    await turns()
    work.go.set()
    assert all(isinstance(each, StoreUnavailable) for each in await asyncio.gather(*asking, return_exceptions=True))
    with pytest.raises(StoreUnavailable):
        await flight.run("key", work)
    work.error = None
    assert await flight.run("key", work) == "done 3"


async def test_when_the_first_goes_away_the_next_does_it() -> None:
    """A client that breaks off costs those who wait for the same nothing; so does one of those who wait."""
    flight: SingleFlight[str] = SingleFlight()
    work = Work()
    asking = [asyncio.create_task(flight.run("key", work)) for _ in range(4)]
    await turns()
    asking[0].cancel()
    asking[3].cancel()
    await turns()
    assert work.begun == 2
    work.go.set()
    assert await asyncio.gather(*asking[1:3]) == ["done 2"] * 2


class Store:
    """A store whose state is what the test says, told when it is let go."""

    def __init__(self) -> None:
        self.looks = 0
        self.now: str | None = "a"
        self.go = asyncio.Event()
        self.go.set()

    async def state(self) -> str | None:
        self.looks += 1
        seen = self.now
        await self.go.wait()
        if seen == "away":
            raise StoreUnavailable("away")
        return seen


def looks_at(store: Store) -> StateLooks:
    """Return looks at it; of a reader nothing but the state is asked."""
    return StateLooks(store)  # type: ignore[arg-type] # see above


async def test_all_who_come_during_a_look_share_the_next() -> None:
    """Fifty at once ask the store twice."""
    store = Store()
    store.go.clear()
    looks = looks_at(store)
    asking = [asyncio.create_task(looks.state()) for _ in range(50)]
    await turns()
    store.go.set()
    assert await asyncio.gather(*asking) == ["a"] * 50
    assert store.looks == 2


async def test_who_comes_during_a_look_gets_a_later_one() -> None:
    """What was written before a request began is in its answer: a look that began before it won't do."""
    store = Store()
    store.go.clear()
    looks = looks_at(store)
    first = asyncio.create_task(looks.state())
    await turns()
    store.now = "b"
    second = asyncio.create_task(looks.state())
    await turns()
    store.go.set()
    assert (await first, await second) == ("a", "b")


async def test_a_store_that_does_not_say_is_not_waited_for() -> None:
    """Away, or too slow: the state is not known, and nobody fails for that."""
    store = Store()
    looks = looks_at(store)
    store.now = "away"
    assert await looks.state() is None
    store.now = "a"
    store.go.clear()
    first, second = await asyncio.gather(looks.state(), looks.state())
    assert (first, second) == (None, None)
    store.go.set()
    assert await looks.state() == "a"


async def test_a_look_whose_asker_goes_away_leaves_the_others_an_answer() -> None:
    """Cancelled before or during the look, the others go on without a state; the next look is whole."""
    for after in (0, 1, 3):
        store = Store()
        store.go.clear()
        looks = looks_at(store)
        first, second = (asyncio.create_task(looks.state()) for _ in range(2))
        await turns(after)
        first.cancel()
        await turns()
        store.go.set()
        assert await asyncio.wait_for(second, 2) in (None, "a")
        assert await looks.state() == "a"
