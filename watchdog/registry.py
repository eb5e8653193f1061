"""The beats: what each process said last, and whether it is believed.

A beat is believed when it names a process of the system and carries the pid that this process is
known to have. So neither a late beat of a predecessor nor a copy started by hand speaks for the
process that is watched; such beats are counted. A beat of a pid that is *not yet* known is kept
until supervisord has been asked again: a new process may speak before it is heard of.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from ipc.messages import PROCESSES, Beat

if TYPE_CHECKING:
    from collections.abc import Callable


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """A beat and when it arrived, on the watchdog's clock."""

    beat: Beat
    at_s: float
    #: When the progress counter was last seen to grow; when the process was first heard of, where it never was.
    progress_at_s: float | None = None


class Registry:
    """The last believed beat of each process. ``now_s`` is the watchdog's clock."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self.now_s = now_s
        self._pids: dict[str, int] = {}
        self._heard: dict[str, Heard] = {}
        self._strangers: dict[str, Heard] = {}
        #: The pid of each process that said last that it was asked to end.
        self._asked: dict[str, int] = {}
        self._news = asyncio.Event()
        #: Beats that were not believed.
        self.ignored = 0

    def take(self, beat: Beat) -> None:
        """Take a beat as it arrives."""
        if beat.process not in PROCESSES:
            self.ignored += 1
            return
        heard = self._hear(beat)
        if beat.state == "draining":
            self._asked[beat.process] = beat.pid
        elif self._asked.get(beat.process) == beat.pid:  # it had been drained, was not stopped, and works again
            del self._asked[beat.process]
        if self._pids.get(beat.process) == beat.pid:
            self._believe(heard)
        else:
            self._drop_stranger(beat.process)
            self._strangers[beat.process] = heard

    @property
    def has_strangers(self) -> bool:
        """Whether somebody spoke whose pid is not known: supervisord should be asked."""
        return bool(self._strangers)

    def know(self, process: str, pid: int | None) -> None:
        """Say which pid the process has by now; whoever said to be it and is not is dropped."""
        if pid != self._pids.get(process):
            self._heard.pop(process, None)
            self._pids.pop(process, None)
            self._spread()
        if pid is not None:
            self._pids[process] = pid
        if (stranger := self._strangers.get(process)) and stranger.beat.pid == pid:
            self._believe(self._strangers.pop(process))
        else:
            self._drop_stranger(process)

    def last(self, process: str) -> Heard | None:
        """Return the last believed beat of the living process."""
        return self._heard.get(process)

    async def comes_up(self, process: str, pid: int) -> bool:
        """Wait until process ``pid`` says that it is ready (True), or has been replaced itself (False)."""
        before = self._pids.get(process)
        while True:
            heard, known = self._heard.get(process), self._pids.get(process)
            if heard and heard.beat.pid == pid and heard.beat.state == "ready":
                return True
            if known not in {before, pid}:
                return False
            before = pid if known == pid else before
            await self._news.wait()

    def was_asked(self, process: str, pid: int) -> bool:
        """Return whether process ``pid`` said, before it ended, that somebody had asked it to."""
        return self._asked.get(process) == pid

    def claimed_pid(self, process: str) -> int | None:
        """Return the pid that the latest beat claims, believed or not: all there is without a supervisord to ask."""
        heard = self._strangers.get(process) or self._heard.get(process)
        return heard.beat.pid if heard else None

    def _hear(self, beat: Beat) -> Heard:
        at_s, before = self.now_s(), self._heard.get(beat.process)
        is_same = before is not None and (before.beat.pid, before.beat.progress) == (beat.pid, beat.progress)
        return Heard(beat=beat, at_s=at_s, progress_at_s=before.progress_at_s if before and is_same else at_s)

    def _believe(self, heard: Heard) -> None:
        self._heard[heard.beat.process] = heard
        self._spread()

    def _spread(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _drop_stranger(self, process: str) -> None:
        if self._strangers.pop(process, None):
            self.ignored += 1
