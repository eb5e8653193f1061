"""The life of a process: start, heartbeat, work, stop. All four processes live this one.

A signal sets one event, nothing else. The service opens everything in ``__aenter__`` (and binds
its socket last), works in ``work`` until the event is set, drains what it holds, and closes in
reverse order. A side task that dies ends the process, so that supervisord starts it again.
"""

from __future__ import annotations

import asyncio
import ctypes
import faulthandler
import itertools
import os
import signal
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol, Self

from msgspec.structs import replace

from ipc import logs, stacks
from ipc.channel import Connection, connections
from ipc.control_door import ControlDoor
from ipc.environment import load
from ipc.errors import SentimentAgentError, SettingsError, WireError
from ipc.intake import Intake
from ipc.messages import MAX_REASON_CHARACTERS, MAX_SUBJECT_CHARACTERS, MAX_TROUBLES, Beat, State, Trouble
from ipc.pace import until_tick_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

    from ipc.settings import Folders, Settings

_log = logs.log(__name__)

#: sysexits.h: the settings are wrong, and starting again will not mend them.
EX_CONFIG: Final = 78
#: An end sooner than supervisord's startsecs (1 s) is a failed start to it: it tries five times whatever the status.
_LEAST_LIFE_S: Final = 1.5
_PR_SET_PDEATHSIG: Final = 1
_BEGAN_S: Final = time.monotonic()


class Service(Protocol):
    """What a process does between its start and its stop."""

    async def __aenter__(self) -> Self:
        """Open everything; bind the socket last."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Close in reverse order of opening."""

    async def work(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set, then drain what is held and return."""


class Pulse:
    """What a process currently says of itself; written by its service, sent as a :class:`Beat`.

    Belongs to the event loop: other threads change it through ``call_soon_threadsafe``.
    """

    def __init__(self, process: str) -> None:
        self.process = process
        self.state: State = "starting"
        self.progress = 0
        self.waiting_for: str | None = None
        self.gauges: dict[str, float] = {}
        self.facts: dict[str, str] = {}
        self._troubles: dict[str, tuple[Trouble, ...]] = {}
        self.intake = Intake()
        self._started_s = time.monotonic()
        self._unit: str | None = None
        self._unit_due_s = 0.0

    @contextmanager
    def unit(self, name: str, deadline_s: float) -> Iterator[None]:
        """Hold a unit of work that should end within ``deadline_s``; its end is progress, however it ended."""
        before = self.waiting_for
        self._unit, self._unit_due_s, self.waiting_for = name, time.monotonic() + deadline_s, None
        try:
            yield
        finally:
            self._unit, self.waiting_for = None, before
            self.progress += 1

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Say that the process waits for ``what`` and not for itself."""
        before, self.waiting_for = self.waiting_for, what
        try:
            yield
        finally:
            self.waiting_for = before

    def see(self, kind: str, troubles: Iterable[Trouble] | None) -> None:
        """Say what is wrong of one kind by now; nothing, where nothing is; None, where that can't be told any more.

        Names and words may be anybody's.
        """
        if troubles is None:
            self._troubles.pop(kind, None)
            return
        self._troubles[kind] = tuple(_clean(each) for each in itertools.islice(troubles, MAX_TROUBLES))

    def beat(self, loop_lag_s: float) -> Beat:
        """Return the beat of this moment."""
        now_s = time.monotonic()
        return Beat(
            process=self.process,
            pid=os.getpid(),
            state=(self.intake.closed or "ready") if self.state == "ready" else self.state,
            uptime_s=now_s - self._started_s,
            loop_lag_s=loop_lag_s,
            progress=self.progress,
            waiting_for=self.waiting_for,
            unit=self._unit,
            unit_due_s=self._unit_due_s - now_s if self._unit else None,
            gauges=dict(self.gauges),
            facts=dict(self.facts),
            troubles=tuple(itertools.chain.from_iterable(self._troubles.values())),
            looked_for=tuple(self._troubles),
        )


def _clean(trouble: Trouble) -> Trouble:
    """Return it bounded, and on one line."""
    return replace(
        trouble,
        subject=logs.harmless(trouble.subject, MAX_SUBJECT_CHARACTERS),
        cause=logs.harmless(trouble.cause, MAX_SUBJECT_CHARACTERS),
        reason=logs.harmless(trouble.reason, MAX_REASON_CHARACTERS),
    )


def run(process: str, build: Callable[[Settings, Pulse], Service], *, is_busy: bool = True) -> int:
    """Live the whole life of ``process`` and return its exit status.

    0 after a stop that was asked for, 78 when the settings are wrong, 1 otherwise. One that is not busy, with a few
    messages a second, goes without uvloop: that takes 2 MB and would save it nothing (measured).
    Under supervisord 78 comes only after its startsecs, so that it is taken for what it says.
    """
    status = _lived(process, build, is_busy=is_busy)
    if status == EX_CONFIG and os.environ.get("SUPERVISOR_ENABLED"):
        time.sleep(max(0.0, _BEGAN_S + _LEAST_LIFE_S - time.monotonic()))
    return status


def _lived(process: str, build: Callable[[Settings, Pulse], Service], *, is_busy: bool) -> int:
    _die_with_supervisord()
    os.umask(0o077)  # supervisord's own umask counts only where it goes into the background
    faulthandler.enable()
    try:
        settings = load()
        logs.configure(process, settings.log, settings.folders.logs)
        for folder in (settings.folders.run, settings.folders.state, settings.folders.logs):
            _private(folder)
    except SettingsError as error:
        print(f"{process}: {logs.harmless(str(error))}", file=sys.stderr)  # noqa: T201 - logs are not there yet
        return EX_CONFIG
    try:
        stacks.arm(settings.folders.state, process)
    except OSError as error:
        _log.warning("No stacks will be there when this process hangs", reason=str(error))
    for warning in settings.warnings:
        _log.warning(warning)
    return _run(process, settings, build, _fastest_loop() if is_busy else None)


def _run(
    process: str,
    settings: Settings,
    build: Callable[[Settings, Pulse], Service],
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None,
) -> int:
    status = 0
    pulse = Pulse(process)
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(live(build(settings, pulse), pulse, settings))
    except* SettingsError as group:
        status = EX_CONFIG
        _tell(group)
    except* SentimentAgentError as group:
        status = 1
        _tell(group)
    except* Exception:  # noqa: BLE001 - the last place of all: whatever it was, the process ends and says so
        status = 1
        _log.exception("The process ends: unexpected error")
    else:
        _log.info("Stopped")
    return status


async def live(service: Service, pulse: Pulse, settings: Settings) -> None:
    """Run ``service`` until a signal asks it to stop; raise what ended it otherwise."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    async with asyncio.TaskGroup() as tasks:
        work = tasks.create_task(_serve(service, pulse, stop, settings.folders), name="work")
        side = [
            tasks.create_task(
                _beat_every(settings.life.beat_interval_s, pulse, stop, settings.folders.socket("watchdog")),
                name="heartbeat",
            ),
            tasks.create_task(_deadline(work, pulse, stop, settings.life.shutdown_grace_s), name="deadline"),
        ]
        await asyncio.wait({work})
        for task in side:
            task.cancel()


async def _serve(service: Service, pulse: Pulse, stop: asyncio.Event, folders: Folders) -> None:
    began_s = time.monotonic()
    async with service, ControlDoor(folders.control_socket(pulse.process), pulse.intake):
        pulse.state = "ready"
        _log.info("Ready", after_s=round(time.monotonic() - began_s, 3), pid=os.getpid())
        await service.work(stop)


async def _deadline(work: asyncio.Task[None], pulse: Pulse, stop: asyncio.Event, grace_s: float) -> None:
    await stop.wait()
    pulse.state = "draining"
    _log.info("Stopping", grace_s=grace_s)
    await asyncio.sleep(grace_s)
    _log.warning(
        "The grace is over: work in hand is left, to be done again after the next start", unit=pulse.beat(0).unit
    )
    work.cancel()


async def _beat_every(interval_s: float, pulse: Pulse, stop: asyncio.Event, door: Path) -> None:
    """Send a beat on the interval while the watchdog is there; one that can't be sent is dropped: the next is newer."""
    async for connection in connections(door):
        try:
            await _beat_on(connection, interval_s, pulse, stop)
        except (WireError, OSError):
            await connection.close()


async def _beat_on(connection: Connection, interval_s: float, pulse: Pulse, stop: asyncio.Event) -> None:
    lag_s = 0.0
    while True:
        await connection.send(pulse.beat(lag_s))
        now_s = time.monotonic()
        pause_s = until_tick_s(interval_s, now_s)
        due_s = now_s + pause_s
        if stop.is_set():
            await asyncio.sleep(pause_s)
        elif await _comes_within(stop, pause_s):
            # Told at once: so the watchdog knows an end that was asked for from a crash, however soon it comes.
            pulse.state = "draining"
        lag_s = max(0.0, time.monotonic() - due_s)


async def _comes_within(event: asyncio.Event, limit_s: float) -> bool:
    try:
        async with asyncio.timeout(limit_s):
            return await event.wait()
    except TimeoutError:
        return False


def _private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(f"{folder} is not writable by this user")
    except OSError as error:
        raise SettingsError(f"the folder {folder} can't be used: {error}") from error


def _fastest_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's factory where uvloop is installed (1.4 to 4.5 times the messages a second), else None."""
    try:
        import uvloop  # noqa: PLC0415 - optional, and only a process needs it
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _die_with_supervisord() -> None:
    """Ask Linux for SIGTERM when supervisord dies: a SIGKILLed one must leave no orphan that holds the port."""
    if sys.platform == "linux" and os.environ.get("SUPERVISOR_ENABLED"):
        parent = os.getppid()
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            raise SystemExit(1)


def _tell(group: BaseExceptionGroup[SentimentAgentError]) -> None:
    for error in leaves(group):
        _log.error("The process ends", error=str(error), kind=type(error).__name__)


def leaves(group: BaseExceptionGroup[SentimentAgentError]) -> Iterator[SentimentAgentError]:
    """Yield the errors in a group of groups."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from leaves(error)
        else:
            yield error
