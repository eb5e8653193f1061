"""A Cosmos DB account for whole systems: the strict fake in a thread of its own, switched off and on by a test."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from fakes.cosmos.server import FakeCosmos

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

#: Starting and stopping take milliseconds.
_SWITCHED_S: Final = 10.0


class CosmosService:
    """Off, nobody answers at its address; on again, it answers there with all that it had."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.fake = FakeCosmos()
        self._loop = loop

    @property
    def settings(self) -> dict[str, str]:
        """The settings of a system that keeps its items here."""
        return {"COSMOS_ENDPOINT": self.fake.url, "COSMOS_KEY": self.fake.key}

    def switch_on(self) -> None:
        """Answer."""
        self._do(self.fake.start())

    def switch_off(self) -> None:
        """Answer nobody; connections that are open are cut."""
        self._do(self.fake.stop())

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_SWITCHED_S)


@contextmanager
def cosmos_service() -> Iterator[CosmosService]:
    """Serve an empty account while inside."""
    loop = asyncio.new_event_loop()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="cosmos") as thread:
        turning = thread.submit(loop.run_forever)
        service = CosmosService(loop)
        service.switch_on()
        try:
            yield service
        finally:
            service.switch_off()
            loop.call_soon_threadsafe(loop.stop)
            turning.result(_SWITCHED_S)
            loop.close()
