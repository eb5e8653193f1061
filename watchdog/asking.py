"""Asking a process, at its control door, to give memory back or to drain itself; the answer in words.

A process that does not answer is nobody's reason to wait: what was meant to follow follows, and the
words say that it was not answered.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from ipc.channel import ask
from ipc.errors import Unavailable, WireError
from ipc.messages import Drain, Drained, Relieve, Relieved

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ipc.messages import AnyMessage

#: A relief pauses the process for this long at most. Chosen, not measured: collecting garbage in a process of
#: a GB takes 0.2 to 0.5 s.
RELIEVE_S: Final = 2.0
#: The answer's own way, beside the deadline.
_ANSWER_S: Final = 1.0
#: How often a drain under way is looked at. Chosen: at 200 MB a second that is 20 MB.
_LOOK_EVERY_S: Final = 0.1


async def relieve(door: Path) -> str:
    """Have the process behind ``door`` give memory back."""
    answer = await _answer(door, Relieve(deadline_s=RELIEVE_S), RELIEVE_S)
    if not isinstance(answer, Relieved):
        return f"not relieved: {answer}"
    if answer.before_mb is None or answer.after_mb is None:
        return "relieved, by how much was not measured"
    return f"relieved: {answer.before_mb:.0f} MB before, {answer.after_mb:.0f} MB after"


async def drain(door: Path, drain_s: float, is_urgent: Callable[[], bool]) -> str:
    """Have the process behind ``door`` finish what it holds; leave it alone as soon as ``is_urgent``."""
    began_s = time.monotonic()
    asking = asyncio.create_task(_answer(door, Drain(deadline_s=drain_s), drain_s))
    try:
        while not asking.done() and not is_urgent():
            await asyncio.wait({asking}, timeout=_LOOK_EVERY_S)
        if not asking.done():
            return f"not drained: there was no time for it after {time.monotonic() - began_s:.1f} s"
    finally:
        asking.cancel()
    answer = asking.result()
    if not isinstance(answer, Drained):
        return f"not drained: {answer}"
    taken, done = answer.items_in, answer.items_out
    took_s = time.monotonic() - began_s
    return f"drained in {took_s:.2f} s: {taken} items in, {done} items out, difference {taken - done}"


async def _answer(door: Path, question: AnyMessage, deadline_s: float) -> AnyMessage | str:
    try:
        return await ask(door, question, deadline_s + _ANSWER_S)
    except (Unavailable, WireError) as error:
        return str(error)
