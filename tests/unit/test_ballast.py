from __future__ import annotations

import asyncio
import os

import pytest

from ipc.ballast import MAX_HOLD_S, MAX_STEP_MB, Ballast
from ipc.control_door import rss_mb
from ipc.errors import WireError
from ipc.messages import Burden


async def test_a_burden_is_resident_and_is_given_back_when_its_time_is_over() -> None:
    """A drill that was killed leaves no process with its memory."""
    before_mb = rss_mb()
    assert before_mb is not None
    ballast = Ballast()
    ballast.take(Burden(pid=os.getpid(), mb=64, hold_s=0.05))
    assert (rss_mb() or 0) - before_mb > 50
    async with asyncio.timeout(2):
        while (rss_mb() or 0) - before_mb > 20:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "burden",
    [
        Burden(pid=os.getpid() + 1, mb=8, hold_s=1),
        Burden(pid=os.getpid(), mb=MAX_STEP_MB + 1, hold_s=1),
        Burden(pid=os.getpid(), mb=0, hold_s=1),
        Burden(pid=os.getpid(), mb=8, hold_s=MAX_HOLD_S + 1),
        Burden(pid=os.getpid(), mb=8, hold_s=0),
        Burden(pid=os.getpid(), mb=8, hold_s=float("nan")),
    ],
    ids=["another process", "too much at once", "nothing", "too long", "no time", "not a number"],
)
async def test_a_burden_out_of_bounds_is_refused(burden: Burden) -> None:
    """The hook is for drills, and a drill is bounded."""
    with pytest.raises(WireError):
        Ballast().take(burden)
