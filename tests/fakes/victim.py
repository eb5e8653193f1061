"""A process that beats like ours and fails on command: what the watchdog's tests let it watch.

``python victim.py NAME FOLDER``: NAME is the process it plays; the word in the file FOLDER/NAME says
what it does, and may change at any time.

    well        beats, and waits for nothing
    leak        takes 10 MB of memory every 50 ms, up to 400
    drip        takes half a MB every 50 ms
    busy        leaks, and has three items in hand for 30 ms, again and again
    garbage     makes 100 MB of garbage at once that only a collection of it would find
    deaf        leaks, and does not end before its grace is over
    hang        blocks its event loop
    stuck       holds a unit that is past its deadline; the loop turns
    crash       ends with status 3
    misconfigured   ends with status 78
    end         ends with status 0
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ipc import life

if TYPE_CHECKING:
    from ipc.life import Pulse
    from ipc.settings import Settings

_STATUS = {"crash": 3, "misconfigured": 78, "end": 0}
_TEN_MB = 10 * 1024 * 1024


class Victim:
    """The service of such a process."""

    def __init__(self, command: Path, pulse: Pulse) -> None:
        self._command = command
        self._pulse = pulse
        self._taken: list[bytearray] = []

    async def __aenter__(self) -> Self:
        """Nothing to open."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing to close."""

    async def work(self, stop: asyncio.Event) -> None:
        """Do what the command says until ``stop`` is set."""
        while not stop.is_set():
            word = self._command.read_text().strip() if self._command.exists() else "well"
            if word in _STATUS:
                os._exit(_STATUS[word])
            if word in {"leak", "busy", "deaf"} and len(self._taken) < 40:
                self._taken.append(bytearray(b"x") * _TEN_MB)
            if word == "drip":
                self._taken.append(bytearray(b"x") * (_TEN_MB // 20))
            if word == "busy":
                await self._work()
            if word == "garbage":
                self._litter()
            if word == "hang":
                time.sleep(600)  # noqa: ASYNC251 - that is the fault
            if word == "stuck":
                with self._pulse.unit("a batch of 32", deadline_s=0.1):
                    await stop.wait()
            await asyncio.sleep(0.05)
            if stop.is_set() and word == "deaf":
                await asyncio.Event().wait()

    async def _work(self) -> None:
        async with self._pulse.intake.unit():
            self._pulse.intake.items_in += 3
            await asyncio.sleep(0.03)
            self._pulse.intake.items_out += 3

    def _litter(self) -> None:
        if gc.isenabled():
            gc.disable()
            for _ in range(10):
                cycle: list[object] = [bytearray(b"x") * _TEN_MB]
                cycle.append(cycle)


def main(process: str, folder: str) -> int:
    """Live as ``process``."""

    def build(_settings: Settings, pulse: Pulse) -> Victim:
        return Victim(Path(folder) / process, pulse)

    return life.run(process, build)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
