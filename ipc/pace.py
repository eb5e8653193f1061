"""The pace: what is done now and then is done at whole multiples of its interval: whatever wakes, wakes together.

A process at rest pays for waking, not for the little it does then. The kernel's monotonic clock is the same for all
processes of a machine, so their beats come together too. Pure, but for :func:`tick`.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

#: So much after the multiple: a timer that comes a hair early would be before it, and wait once more.
_HAIR_S: Final = 0.001


def until_tick_s(every_s: float, now_s: float) -> float:
    """Return how long it is from ``now_s`` (monotonic) to the next whole multiple of ``every_s``."""
    return every_s - now_s % every_s + _HAIR_S


def is_another_tick(every_s: float, before_s: float, now_s: float) -> bool:
    """Return whether such a multiple lies between the two moments."""
    return before_s // every_s != now_s // every_s


async def tick(every_s: float) -> None:
    """Sleep until then."""
    await asyncio.sleep(until_tick_s(every_s, time.monotonic()))
