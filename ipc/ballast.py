"""The drill hook of a process: memory that it takes because a drill asks, and gives back by itself.

Inert until a :class:`~ipc.messages.Burden` comes through the control door, which admits this user and root alone: both
could end the process anyway. It is bounded in size and in time, names the process that it is meant for, and stays out
of reach of a relief, as a leak does. Memory that can't be had ends the process, as it would anywhere else in it.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Final

from ipc.errors import WireError

if TYPE_CHECKING:
    from ipc.messages import Burden

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
        self._blocks: list[bytearray] = []
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
        while len(self._blocks) * _BLOCK_MB < burden.mb:
            self._blocks.append(bytearray(b"\x01") * (_BLOCK_MB * _MB))  # written to, hence resident
        if self._release:
            self._release.cancel()
        self._release = asyncio.get_running_loop().call_later(burden.hold_s, self.drop)

    def drop(self) -> None:
        """Give all of it back; holding nothing, does nothing."""
        if self._release:
            self._release.cancel()
        self._release = None
        self._blocks.clear()
