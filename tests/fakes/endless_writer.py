"""A process that writes ten items a batch until it is killed, and says on stdout how many are durable."""

from __future__ import annotations

import asyncio
import itertools
import logging
import sys
from pathlib import Path

import structlog
from fakes.stored import item, scored

from agent.store.sqlite_writer import SqliteWriter
from ipc.settings import StoreSettings


async def main(path: Path) -> None:
    """Write into ``path`` for ever."""
    async with SqliteWriter(path, StoreSettings()) as writer:
        for n in itertools.count(1):
            await writer.write([scored(item(f"t3_{n}_{k}")) for k in range(10)], [], [])
            print(n * 10, flush=True)  # noqa: T201 - that is what it is for


if __name__ == "__main__":
    # stdout belongs to the figures.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    asyncio.run(main(Path(sys.argv[1])))
