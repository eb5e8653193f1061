"""Drills in which nobody may be restarted: slow, database, disk. What is away or late is waited for."""

from __future__ import annotations

import asyncio
import fcntl
import os
import resource
import signal
import time
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Final

from ipc.channel import ask
from ipc.messages import Collect
from watchdog import health
from watchdog.drills.course import Failed, Refused
from watchdog.drills.exercise import Exercise, held
from watchdog.drills.guard import Resume, Unlimit
from watchdog.start_command import address

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from watchdog.sample import Process

#: The longest silence between two beats, and the time between two silences, as shares of what would be a hang. Chosen.
_SILENT: Final = 0.75
_RUNS: Final = 0.2
_TIMES: Final = 3
#: SQLite's file format: the locks of a write-ahead log lie in the bytes 120 to 127 of the -shm file; nobody may
#: read or write without one of them. https://www.sqlite.org/walformat.html#wal_locks
_LOCKS_BEGIN: Final = 120
_LOCKS_BYTES: Final = 8
_LOCK_S: Final = 5.0
#: How long what is away stays away once that was seen. Chosen, not measured.
_AWAY_S: Final = 3.0
_HEALTH_S: Final = 10.0
_ANSWER_S: Final = 5.0


async def slow(exercise: Exercise) -> str:
    """A process that gets next to no CPU: SIGSTOP and SIGCONT by turns, each silence shorter than a hang."""
    # The last beat may be an interval old when it is stopped.
    still_s = exercise.hang_after_s * _SILENT - exercise.scene.settings.life.beat_interval_s
    if still_s <= 0:
        raise Refused("WATCHDOG_HANG_AFTER_S is so near BEAT_INTERVAL_S that any slowness is a hang")
    longest_s = 0.0
    async with _nobody_is_restarted(exercise):
        with held(await exercise.pid()) as process:
            exercise.guard.will(Resume(identity=process.identity))
            words = f"{_TIMES} times SIGSTOP for {still_s:.1f} s to {exercise.process}, process {process.pid}"
            exercise.course.note("injected", words)
            for _ in range(_TIMES):
                longest_s = max(longest_s, await _stand_still(exercise, process, still_s))
                await asyncio.sleep(exercise.hang_after_s * _RUNS)
        if longest_s < still_s * _SILENT:
            raise Failed(f"no silence was seen: the longest between two beats was {longest_s:.1f} s")
        exercise.course.note(
            "ended", f"the longest silence was {longest_s:.1f} s, a hang is {exercise.hang_after_s:g} s"
        )
        await _all_ready(exercise)
    return f"{exercise.process} was slow, was seen to be, and nobody was restarted for it"


async def _stand_still(exercise: Exercise, process: Process, still_s: float) -> float:
    """Stop it for ``still_s``; return how long it was silent by the watchdog's word."""
    process.signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(still_s)
        return (await exercise.scene.of(exercise.process)).beat_age_s or 0.0
    finally:
        process.signal(signal.SIGCONT)


async def database(exercise: Exercise) -> str:
    """Lock the database against its readers and its writer, as another program might; the lock ends with the drill."""
    _refuse_cosmos(exercise)
    async with _nobody_is_restarted(exercise):
        with _locked(exercise.scene.settings.folders.store):
            exercise.course.note("injected", "another process, this one, holds every lock of the database")
            error = await exercise.scene.until(
                lambda: _database_error(exercise), "health says that the database is away"
            )
            exercise.course.note("detected", f"health is unhealthy (503): {error}")
            await asyncio.sleep(_AWAY_S)
        exercise.course.note("ended", "the locks are released")
        await exercise.scene.until(lambda: _is_back(exercise), "health says that the database is back")
        exercise.course.note("ready again", "health says that the database is connected")
        await _all_ready(exercise)
    return "503 while the database was away, then back by itself, and nobody was restarted for it"


def _refuse_cosmos(exercise: Exercise) -> None:
    if exercise.scene.settings.store.cosmos_endpoint:
        raise Refused("the items are in Cosmos DB: only the database of this machine, SQLite, can be kept away here")


@contextmanager
def _locked(store: Path) -> Iterator[None]:
    """Hold every lock of the write-ahead log while inside. The kernel releases them when this process ends."""
    shared = store.with_name(f"{store.name}-shm")
    try:
        file = os.open(shared, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise Refused(f"{shared} can't be opened ({error.strerror}): is the database in use?") from error
    try:
        _take(file)
        yield
    finally:
        os.close(file)


def _take(file: int) -> None:
    until_s = time.monotonic() + _LOCK_S
    while True:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, _LOCKS_BYTES, _LOCKS_BEGIN)
        except BlockingIOError as error:  # somebody reads or writes: that takes milliseconds
            if time.monotonic() > until_s:
                raise Refused(f"the database is never free within {_LOCK_S:g} s") from error
            time.sleep(0.002)
        else:
            return


async def disk(exercise: Exercise) -> str:
    """Let the analyzer write no byte to any file (RLIMIT_FSIZE), and give it something to write."""
    _refuse_cosmos(exercise)
    limit = resource.RLIMIT_FSIZE
    async with _nobody_is_restarted(exercise):
        with held(await exercise.pid()) as process:
            soft, hard = resource.prlimit(process.pid, limit)
            step = Unlimit(identity=process.identity, kind=limit, soft=soft, hard=hard)
            exercise.guard.will(step)
            exercise.course.note("injected", f"{exercise.process}, process {process.pid}, can write no byte to a file")
            resource.prlimit(process.pid, limit, (0, hard))
            try:
                await ask(exercise.scene.settings.folders.socket("collector"), Collect(), _ANSWER_S)
                await exercise.scene.until(lambda: _waits(exercise, "store"), "the analyzer waits for its store")
                exercise.course.note(
                    "detected", "the analyzer says that it waits for its store; nothing is acknowledged"
                )
                await asyncio.sleep(_AWAY_S)
            finally:
                resource.prlimit(process.pid, limit, (soft, hard))
            exercise.course.note("ended", "it can write again")
            await exercise.scene.until(lambda: _waits(exercise, "items"), "the analyzer has stored it all")
        exercise.course.note("ready again", "what waited is stored")
        await _all_ready(exercise)
    return "nothing was acknowledged while the disk took nothing, then all was stored, and nobody was restarted for it"


async def _waits(exercise: Exercise, what: str) -> bool:
    beat = (await exercise.scene.of("analyzer")).beat
    return beat is not None and beat.waiting_for == what


@asynccontextmanager
async def _nobody_is_restarted(exercise: Exercise) -> AsyncIterator[None]:
    """Fail where anybody is another process at the end; note the incidents that were opened meanwhile."""
    before = await exercise.scene.report()
    yield
    after = await exercise.scene.report()
    pids = {each.process: each.pid for each in after.processes}
    if changed := [each.process for each in before.processes if each.pid != pids[each.process]]:
        raise Failed(f"restarted, and should not have been: {', '.join(changed)}")
    if new := {each.id for each in after.incidents} - {each.id for each in before.incidents}:
        exercise.course.note("noted", f"incidents of this time: {', '.join(sorted(new))}")


async def _all_ready(exercise: Exercise) -> None:
    await exercise.scene.until(exercise.scene.is_ready, "all are ready")
    exercise.course.note("ready again", "all four")


async def _database_error(exercise: Exercise) -> str | None:
    answer = await asyncio.to_thread(_health, exercise)
    return answer.database.error if answer.status == "unhealthy" and answer.database.connected is False else None


async def _is_back(exercise: Exercise) -> bool:
    return (await asyncio.to_thread(_health, exercise)).database.connected is True


def _health(exercise: Exercise) -> health.Health:
    return health.ask(address(exercise.scene.settings.api), _HEALTH_S)
