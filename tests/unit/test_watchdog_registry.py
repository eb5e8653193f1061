from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from ipc.messages import Beat
from watchdog.registry import Registry

if TYPE_CHECKING:
    from ipc.messages import State


def beat(process: str, pid: int, state: State = "ready") -> Beat:
    """Return a beat."""
    return Beat(process=process, pid=pid, state=state, uptime_s=1.0, loop_lag_s=0.0, progress=0)


@pytest.fixture
def registry() -> Registry:
    """Return a registry that knows the API as process 100."""
    registry = Registry(lambda: 5.0)
    registry.know("api", 100)
    return registry


def test_a_beat_of_the_known_process_is_believed(registry: Registry) -> None:
    """Its arrival is stamped with the watchdog's clock."""
    registry.take(beat("api", 100))
    heard = registry.last("api")
    assert heard is not None
    assert (heard.beat.pid, heard.at_s) == (100, 5.0)
    assert registry.ignored == 0


def test_progress_has_an_age_of_its_own() -> None:
    """Beats that go on while the counter stands still make it older; a new process begins anew."""
    now_s = 10.0
    registry = Registry(lambda: now_s)
    registry.know("api", 100)
    ages_s = []
    for at_s, pid, progress in ((10.0, 100, 3), (11.0, 100, 3), (12.0, 100, 4), (14.0, 100, 4), (15.0, 101, 4)):
        now_s = at_s
        registry.know("api", pid)
        registry.take(replace(beat("api", pid), progress=progress))
        heard = registry.last("api")
        assert heard is not None
        assert heard.progress_at_s is not None
        ages_s.append(now_s - heard.progress_at_s)
    assert ages_s == [0.0, 1.0, 0.0, 2.0, 0.0]


def test_a_late_beat_of_the_old_process_speaks_for_nobody(registry: Registry) -> None:
    """It is counted, and the beat of the living one stays."""
    registry.take(beat("api", 100))
    registry.take(beat("api", 99))
    assert registry.has_strangers
    registry.know("api", 100)
    heard = registry.last("api")
    assert heard is not None
    assert heard.beat.pid == 100
    assert (registry.ignored, registry.has_strangers) == (1, False)


def test_a_new_process_may_speak_before_it_is_heard_of(registry: Registry) -> None:
    """Its beat is kept until supervisord has been asked, and then believed."""
    registry.take(beat("api", 101))
    assert registry.last("api") is None
    registry.know("api", 101)
    heard = registry.last("api")
    assert heard is not None
    assert heard.beat.pid == 101
    assert registry.ignored == 0


def test_the_old_beats_are_forgotten_with_the_old_process(registry: Registry) -> None:
    """A replaced process is silent until it has spoken itself."""
    registry.take(beat("api", 100))
    registry.know("api", 101)
    assert registry.last("api") is None


def test_a_stranger_of_no_process_of_ours_is_ignored(registry: Registry) -> None:
    """Names are those of the system, whatever arrives at the door."""
    registry.take(beat("\x1b[2Jevil", 100))
    assert (registry.ignored, registry.has_strangers) == (1, False)


def test_strangers_do_not_pile_up(registry: Registry) -> None:
    """Of many, the last one is kept."""
    for pid in range(200, 300):
        registry.take(beat("api", pid))
    assert registry.ignored == 99
    assert registry.claimed_pid("api") == 299


def test_who_was_asked_to_end_is_remembered_after_its_end(registry: Registry) -> None:
    """By pid: the successor was not asked."""
    registry.take(beat("api", 100, "draining"))
    registry.know("api", 101)
    assert registry.was_asked("api", 100)
    assert not registry.was_asked("api", 101)


def test_who_was_drained_and_goes_on_was_not_asked_to_end(registry: Registry) -> None:
    """Its next end is a crash like any other."""
    registry.take(beat("api", 100, "draining"))
    registry.take(beat("api", 100))
    assert not registry.was_asked("api", 100)


async def test_readiness_is_waited_for(registry: Registry) -> None:
    """Of this pid, and of no other."""
    waiter = asyncio.create_task(registry.comes_up("api", 101))
    registry.take(beat("api", 100))
    registry.know("api", 101)
    registry.take(beat("api", 101, "starting"))
    await asyncio.sleep(0)
    assert not waiter.done()
    registry.take(beat("api", 101))
    assert await asyncio.wait_for(waiter, 1)


@pytest.mark.parametrize("pids", [(101, None), (101, 102), (102,)])
async def test_nobody_waits_for_a_process_that_has_been_replaced(
    registry: Registry, pids: tuple[int | None, ...]
) -> None:
    """In a crash loop the first mail must not wait for who is gone."""
    waiter = asyncio.create_task(registry.comes_up("api", 101))
    for pid in pids:
        await asyncio.sleep(0)
        registry.know("api", pid)
    assert not await asyncio.wait_for(waiter, 1)
