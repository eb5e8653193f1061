"""The drill hook of a process: memory that it takes because a drill asks, and gives back by itself.

Inert until a :class:`~ipc.messages.Burden` comes through the control door, which admits this user and root alone: both
could end the process anyway. It is bounded in size and in time, names the process that it is meant for, and stays out
of reach of a relief, as a leak does. Memory that can't be had ends the process, as it would anywhere else in it.
"""

from __future__ import annotations

import asyncio
import mmap
import os
from typing import TYPE_CHECKING, Final

from ipc import logs
from ipc.errors import WireError

if TYPE_CHECKING:
    from ipc.messages import Burden

_log = logs.log(__name__)

#: Above every sensible memory limit of ours, and what a small server can spare. Chosen, not measured.
MAX_MB: Final = 4096
#: Nobody who asked is awaited longer. Chosen, not measured.
MAX_HOLD_S: Final = 60.0
#: The most that one request adds: filling it holds the event loop for some 10 ms.
MAX_STEP_MB: Final = 64
_BLOCK_MB: Final = 4
_MB: Final = 1024 * 1024


class Ballast:
    """Holds what was asked for until its time is over. Belongs to the event loop."""

    def __init__(self) -> None:
        self._blocks: list[mmap.mmap] = []
        self._release: asyncio.TimerHandle | None = None

    def take(self, burden: Burden) -> None:
        """Hold ``burden.mb`` in all from now on, for ``burden.hold_s``; asked again, the new time counts.

        Raises:
            WireError: it is meant for another process, or beyond the bounds.
            MemoryError: the system does not give that much.

        """
        if burden.pid != os.getpid():
            raise WireError(f"a burden for process {burden.pid}, and this is {os.getpid()}")
        held_mb = len(self._blocks) * _BLOCK_MB
        is_bounded = 0 < burden.mb <= min(MAX_MB, held_mb + MAX_STEP_MB) and 0 < burden.hold_s <= MAX_HOLD_S
        if not is_bounded:
            raise WireError(
                f"a burden of {burden.mb} MB for {burden.hold_s:g} s on top of {held_mb} MB is out of bounds"
            )
        if not self._blocks:
            _log.warning("A drill takes memory", mb=burden.mb, hold_s=burden.hold_s)
        while len(self._blocks) * _BLOCK_MB < burden.mb:
            self._blocks.append(_block())
        if self._release:
            self._release.cancel()
        self._release = asyncio.get_running_loop().call_later(burden.hold_s, self.drop)

    def drop(self) -> None:
        """Give all of it back; holding nothing, does nothing."""
        if self._release:
            self._release.cancel()
        self._release = None
        for block in self._blocks:
            block.close()
        self._blocks.clear()


def _block() -> mmap.mmap:
    """Return memory of its own mapping: closed, it is the kernel's again at once, whatever the heap looks like.

    Raises:
        MemoryError: there is none.

    """
    try:
        block = mmap.mmap(-1, _BLOCK_MB * _MB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"no {_BLOCK_MB} MB to be had") from error
    block[:: mmap.PAGESIZE] = b"\x01" * (len(block) // mmap.PAGESIZE)  # every page written to, hence resident
    return block
