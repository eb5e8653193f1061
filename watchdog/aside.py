"""A blocking call of somebody else's code, bounded in time, one at a time.

While one hangs the next is refused, so that hung threads do not pile up in a process that lives long.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from ipc.errors import Unavailable
from watchdog import daemon_thread

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Aside:
    """Makes one call after the other, each within ``limit_s``."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._under_way: asyncio.Future[Any] | None = None

    async def call(self, work: Callable[[], T]) -> T:
        """Return what ``work`` returns, or raise what it raises.

        Raises:
            Unavailable: it did not end in time, or the one before has not ended yet.

        """
        if self._under_way and not self._under_way.done():
            raise Unavailable("the last try still hangs")
        future = daemon_thread.begin(work, "aside")
        self._under_way = future
        await asyncio.wait({future}, timeout=self._limit_s)
        if not future.done():
            future.add_done_callback(lambda late: late.exception())  # heard by nobody, and not worth a traceback
            raise Unavailable(f"no answer within {self._limit_s:g} s")
        return future.result()
