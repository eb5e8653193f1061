from __future__ import annotations

import asyncio
import time

import pytest

from ipc.pace import is_another_tick, tick, until_tick_s


@pytest.mark.parametrize(
    ("every_s", "now_s", "left_s"), [(1, 12.25, 0.75), (1, 12.0, 1.0), (5, 12.0, 3.0), (0.25, 12.3, 0.2), (2, 0.0, 2.0)]
)
def test_the_next_tick_is_a_whole_multiple(every_s: float, now_s: float, left_s: float) -> None:
    """Whoever waits for the same interval is due at the same moment, in every process of a machine."""
    assert until_tick_s(every_s, now_s) == pytest.approx(left_s + 0.001)


@pytest.mark.parametrize(
    ("before_s", "now_s", "is_another"), [(4.999, 5.001, True), (5.001, 9.999, False), (0.0, 5.0, True), (5, 20, True)]
)
def test_a_tick_is_due_once_its_multiple_is_passed(before_s: float, now_s: float, *, is_another: bool) -> None:
    """However long ago the last one was: a little late each time must not make every second one be left out."""
    assert is_another_tick(5.0, before_s, now_s) is is_another


async def test_those_that_tick_wake_together() -> None:
    """However they began; and a tick never comes before its multiple."""

    async def woken_s(after_s: float) -> float:
        await asyncio.sleep(after_s)
        await tick(0.1)
        return time.monotonic()

    await tick(0.1)
    first_s, second_s = await asyncio.gather(woken_s(0.01), woken_s(0.05))
    assert first_s // 0.1 == second_s // 0.1
    assert second_s - first_s < 0.02
