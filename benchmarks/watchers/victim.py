"""The one process that all watchers watch: it lives like ours, answers HTTP, and fails at a signal.

    python -P victim.py NAME FOLDER HTTP_PORT BEAT_PORT LIMIT_MB

It beats to our watchdog where there is one, and over UDP for whoever listens there. Everything comes from its
event loop, so all of it stops when the loop is blocked. At SIGRTMIN it leaks: up to 20 MB below the limit at once,
then 20 MB a second. At SIGRTMIN+1 it blocks its event loop. What it does stands in FOLDER/events/NAME, a line each:
the word, its pid, the monotonic clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psutil

from ipc import life

if TYPE_CHECKING:
    from ipc.life import Pulse
    from ipc.settings import Settings

_MB = 1024 * 1024
_HEAD_START_MB = 20
_STEP_S = 0.05
_STEP_MB = 1
#: It leaks no further than this: a watcher that never notices must not fill the machine.
_MOST_MB = 1000
_BEAT_S = 1.0
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"


class Victim:
    """The service of such a process."""

    def __init__(self, events: Path, port: int, beat_port: int, limit_mb: int) -> None:
        self._events = events
        self._port = port
        self._beat_to = ("127.0.0.1", beat_port)
        self._limit_mb = limit_mb
        self._leaks = asyncio.Event()
        self._taken: list[bytearray] = []

    async def __aenter__(self) -> Self:
        """Listen to the signals and to HTTP."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGRTMIN, self._leaks.set)
        loop.add_signal_handler(signal.SIGRTMIN + 1, self._hang)
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", self._port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Listen no more."""
        self._server.close()
        self._socket.close()

    async def work(self, stop: asyncio.Event) -> None:
        """Beat, and leak where asked to, until ``stop`` is set."""
        self._tell("ready")
        sides = [asyncio.create_task(self._beat()), asyncio.create_task(self._leak())]
        await stop.wait()
        for side in sides:
            side.cancel()

    async def _beat(self) -> None:
        while True:
            with contextlib.suppress(OSError):  # nobody listens there
                self._socket.sendto(f"{os.getpid()};{time.time()}".encode(), self._beat_to)
            self._tell("beat")
            await asyncio.sleep(_BEAT_S)

    async def _leak(self) -> None:
        await self._leaks.wait()
        me = psutil.Process()
        self._take(self._limit_mb - _HEAD_START_MB - me.memory_info().rss // _MB)
        is_over, due_s = False, time.monotonic()
        while (rss_mb := me.memory_info().rss / _MB) < _MOST_MB:
            if rss_mb > self._limit_mb and not is_over:
                is_over = True
                self._tell("over")
            due_s += _STEP_S
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            self._take(_STEP_MB)

    def _take(self, size_mb: int) -> None:
        self._taken.append(bytearray(b"x") * (size_mb * _MB))

    def _hang(self) -> None:
        self._tell("hung")
        time.sleep(600)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(_ANSWER)
        await writer.drain()
        writer.close()

    def _tell(self, word: str) -> None:
        with self._events.open("a") as events:
            events.write(f"{word} {os.getpid()} {time.monotonic():.6f}\n")


def main(name: str, folder: str, port: str, beat_port: str, limit_mb: str) -> int:
    """Live as ``name``."""
    # Set here, since some watchers start their children with an environment of their own.
    os.environ |= {"SENTIMENTAGENT_HOME": folder, "BEAT_INTERVAL_S": "1"}

    def build(_settings: Settings, _pulse: Pulse) -> Victim:
        return Victim(Path(folder) / "events" / name, int(port), int(beat_port), int(limit_mb))

    return life.run(name, build)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
