"""The hands: what a verdict does to a process, through supervisord. Decides nothing.

How a restart is done, and why so. The process is signalled *directly*, by its pidfd: exactly the
one that was judged, nobody who got its pid since. For supervisord it then has ended by itself, so
supervisord itself starts the next one, and a call makes it do so at once instead of at its next
tick. ``stopProcess`` followed by ``startProcess`` would be the other way, but between the two the
program is STOPPED: were the watchdog to die there, nobody would ever start it again (superlance#43),
and nobody could tell it from an operator's stop. With a signal there is no such moment: after it,
the start is supervisord's own. Where its configuration does not start what ended as expected
(EXITED), this module, or the next watchdog, starts it.

A quarantine is the one stop that is meant; that it is ours is on disk before it is done.
"""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Final

import msgspec

from ipc.errors import Unavailable
from watchdog.commands import supervisorctl_of
from watchdog.policy import EX_CONFIG
from watchdog.supervisor import ALREADY_STARTED, NOT_RUNNING, Program, Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from watchdog.sample import Process
    from watchdog.supervisor import Supervisor

#: After SIGKILL only the kernel can still hold a process (a dead disk). Chosen, not measured.
_KILL_S: Final = 5.0
#: The next process is there within 13 to 20 ms (measured); supervisord's own delays after a failed start grow by 1 s.
_REPLACE_S: Final = 10.0
#: supervisord's stopwaitsecs (12 in our configuration) and its tick.
_STOP_S: Final = 15.0
#: EXITED is passed through on the way to the next start; this long, it is final. Chosen: ten turns of its loop.
_EXITED_S: Final = 0.3
#: Pokes come fast at first and then ever slower: 1.2 ms of supervisord's time each.
_FIRST_POKE_S: Final = 0.005
_SLOWEST_POKE_S: Final = 0.25


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an action."""

    is_done: bool
    #: What was done and how long it took, for the mail.
    words: str
    #: The process that lives now, where one does.
    new_pid: int | None = None


class Control:
    """Carries out verdicts on the programs of one supervisord."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    @property
    def supervisorctl(self) -> str:
        """The command with which an operator reaches the same supervisord."""
        return supervisorctl_of(self._supervisor.socket)

    async def restart(self, name: str, process: Process, grace_s: float) -> Outcome:
        """End ``process``, gracefully while ``grace_s`` lasts, and see that another takes its place.

        Left alone when supervisord means to do something else with it by now (an operator's stop), or
        when it has been replaced already (by another watcher, or an operator's restart).
        """
        return await _said(self._restart(name, process, grace_s))

    async def replacement(self, name: str, old_pid: int) -> Outcome:
        """See that a process that has ended is replaced; start it where supervisord does not."""
        return await _said(self._replacement(name, old_pid))

    async def start(self, name: str) -> Outcome:
        """Start what does not run."""
        return await _said(self._start(name))

    async def stop(self, name: str) -> Outcome:
        """Stop a process and keep it stopped, against supervisord's own restarts too."""
        return await _said(self._stop(name))

    async def _restart(self, name: str, process: Process, grace_s: float) -> Outcome:
        program = await self._supervisor.program(name)
        if program.statename != "RUNNING" or program.pid != process.pid:
            return Outcome(is_done=False, words=f"left alone: supervisord says {program.statename}, pid {program.pid}")
        began_s = _now_s()
        ended = await _end(process, grace_s)
        if not process.died.is_set():
            return Outcome(is_done=False, words=f"{ended}; process {process.pid} did not end")
        ended = f"{ended}; process {process.pid} ended after {_now_s() - began_s:.2f} s"
        outcome = await self._replacement(name, process.pid)
        return msgspec.structs.replace(outcome, words=f"{ended}; {outcome.words}")

    async def _replacement(self, name: str, old_pid: int) -> Outcome:
        began_s = _now_s()
        has_exited = _Lasting("EXITED")

        def is_decided(program: Program) -> bool:
            lives_anew = program.statename in {"STARTING", "RUNNING"} and program.pid not in {0, old_pid}
            return has_exited.since(program) or lives_anew or program.statename in {"STOPPED", "FATAL"}

        program = await self._until(name, is_decided, _REPLACE_S)
        if program.statename == "EXITED" and program.exitstatus != EX_CONFIG:
            return await self._start(name)
        if program.statename in {"STARTING", "RUNNING"} and program.pid != old_pid:
            took_s = _now_s() - began_s
            return Outcome(is_done=True, new_pid=program.pid, words=f"new process {program.pid} {took_s:.2f} s later")
        return Outcome(is_done=False, words=f"no new process: supervisord says {program.statename}")

    async def _start(self, name: str) -> Outcome:
        try:
            await self._supervisor.start(name)
        except Refused as refusal:
            if refusal.code != ALREADY_STARTED:
                raise
        program = await self._supervisor.program(name)
        is_done = program.statename in {"STARTING", "RUNNING"} and program.pid != 0
        words = f"started as process {program.pid}" if is_done else f"it did not start: {program.statename}"
        return Outcome(is_done=is_done, new_pid=program.pid or None, words=words)

    async def _stop(self, name: str) -> Outcome:
        async def ask_again(program: Program) -> None:
            if program.statename in {"STARTING", "RUNNING", "BACKOFF"}:
                await _unless(NOT_RUNNING, self._supervisor.stop(name))

        began_s = _now_s()
        has_exited = _Lasting("EXITED")

        def is_down(program: Program) -> bool:
            return has_exited.since(program) or program.statename in {"STOPPED", "FATAL"}

        program = await self._until(name, is_down, _STOP_S, ask_again)
        is_done = program.statename in {"STOPPED", "FATAL", "EXITED"}
        words = f"stopped after {_now_s() - began_s:.2f} s" if is_done else f"it did not stop: {program.statename}"
        return Outcome(is_done=is_done, words=words)

    async def _until(
        self,
        name: str,
        is_decided: Callable[[Program], bool],
        limit_s: float,
        between: Callable[[Program], Awaitable[None]] | None = None,
    ) -> Program:
        """Ask, and thereby poke, until ``is_decided``; return the last answer in any case."""
        until_s, delay_s = _now_s() + limit_s, _FIRST_POKE_S
        while not is_decided(program := await self._supervisor.program(name)) and _now_s() < until_s:
            if between:
                await between(program)
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 1.5, _SLOWEST_POKE_S)
        return program


class _Lasting:
    """Tells a state that stays from one that is passed through."""

    def __init__(self, statename: str) -> None:
        self._statename = statename
        self._since_s: float | None = None

    def since(self, program: Program) -> bool:
        """Return whether the state has been seen, and nothing else, for :data:`_EXITED_S`."""
        if program.statename != self._statename:
            self._since_s = None
            return False
        self._since_s = _now_s() if self._since_s is None else self._since_s
        return _now_s() - self._since_s > _EXITED_S


async def _end(process: Process, grace_s: float) -> str:
    """Ask, wait, insist; return what was done in words."""
    if grace_s > 0:
        process.signal(signal.SIGTERM)
        if await process.ends_within(grace_s):
            return "SIGTERM"
    process.signal(signal.SIGKILL)
    await process.ends_within(_KILL_S)
    return f"SIGTERM, and SIGKILL after {grace_s:g} s" if grace_s > 0 else "SIGKILL"


async def _said(action: Awaitable[Outcome]) -> Outcome:
    """Turn a supervisord that does not answer, or refuses, into words."""
    try:
        return await action
    except (Unavailable, Refused) as error:
        return Outcome(is_done=False, words=str(error))


async def _unless(code: int, call: Awaitable[None]) -> None:
    try:
        await call
    except Refused as refusal:
        if refusal.code != code:
            raise


def _now_s() -> float:
    return asyncio.get_running_loop().time()
