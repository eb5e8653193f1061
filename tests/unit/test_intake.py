from __future__ import annotations

import asyncio

import pytest

from ipc.intake import Intake


async def test_a_closed_intake_lets_what_is_in_hand_end_and_nothing_begin() -> None:
    """Whoever closes it waits for the unit in hand; the next one waits for the opening."""
    intake = Intake()
    begun = asyncio.Event()

    async def next_unit() -> None:
        async with intake.unit():
            begun.set()

    async with intake.unit():
        intake.close("draining", 60)
        assert not await intake.idle_within(0.01)
        later = asyncio.create_task(next_unit())
    assert await intake.idle_within(1)
    assert not begun.is_set()
    intake.open()
    await later
    assert begun.is_set()


async def test_a_closed_intake_opens_by_itself() -> None:
    """dask#5999: a worker over its memory limit pauses until it is under it again; with a leak that is for ever.

    Paused for ever is what becomes of a pause whose end somebody else must tell.
    """
    intake = Intake()
    intake.close("paused", 0.02)
    async with asyncio.timeout(1):
        await intake.opened()
    assert intake.closed is None


async def test_the_last_close_has_the_word() -> None:
    """A drain asked for during a relief is not ended by the relief's own end."""
    intake = Intake()
    intake.close("paused", 0.01)
    intake.close("draining", 60)
    await asyncio.sleep(0.03)
    assert intake.closed == "draining"


async def test_a_unit_that_fails_is_not_in_hand_for_ever() -> None:
    """An error in a unit leaves the intake idle."""
    intake = Intake()
    with pytest.raises(ZeroDivisionError):
        async with intake.unit():
            raise ZeroDivisionError
    assert await intake.idle_within(0)
