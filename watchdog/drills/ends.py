"""Drills that end in another process: crash, hang, leak, oom. Each must be detected, acted on, recovered from and told.

How each fault is made is :mod:`watchdog.drills.faults`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from watchdog.drills import faults
from watchdog.drills.course import Failed, Refused
from watchdog.drills.exercise import Exercise, held

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from ipc.messages import Incident, ProcessReport
    from watchdog.sample import Process

    Fault = Callable[[Exercise, Process], AbstractAsyncContextManager[None]]


async def crash(exercise: Exercise) -> str:
    """SIGKILL: nothing is said, nothing is closed."""
    return await _replaced(exercise, "crashed", faults.killed)


async def hang(exercise: Exercise) -> str:
    """SIGSTOP: it is there, its memory is fine, and nothing moves."""
    return await _replaced(exercise, "hung", faults.stopped)


async def leak(exercise: Exercise) -> str:
    """It grows over its limit within seconds, and a relief gives nothing back."""
    return await _replaced(exercise, "memory", faults.leaking)


async def oom(exercise: Exercise) -> str:
    """It asks for memory and is given none."""
    return await _replaced(exercise, "crashed", faults.starved)


async def watchdog(exercise: Exercise) -> str:
    """SIGKILL of the watchdog: it is back, knows what it knew, and touches nobody."""
    before = await exercise.scene.report()
    await _replaced(exercise, "crashed", faults.killed)
    await exercise.scene.until(exercise.scene.is_ready, "the new watchdog has heard from everybody")
    exercise.course.note("ready again", "all four")
    after = await exercise.scene.report()
    if lost := {each.id for each in before.incidents} - {each.id for each in after.incidents}:
        raise Failed(f"the new watchdog has forgotten {', '.join(sorted(lost))}")
    if changed := [old.process for old, new in _pairs(before.processes, after.processes) if _is_touched(old, new)]:
        raise Failed(f"also restarted, or its restarts forgotten: {', '.join(changed)}")
    return "another watchdog, which remembers every incident and restart, and nobody else was touched"


async def _replaced(exercise: Exercise, kind: str, fault: Fault) -> str:
    """Make the fault; see that its incident is opened, another process gets ready, and the operator is told."""
    scene, name = exercise.scene, exercise.process
    known = await _known(exercise, kind)
    pid = await exercise.pid()
    with held(pid) as process:
        async with fault(exercise, process):
            incident = await scene.until(lambda: scene.incident(name, kind, known), f"an incident {name}, {kind}")
            exercise.course.note("detected", incident.reason)

            async def other() -> int | None:
                now = await scene.of(name)
                return now.pid if now.pid != pid and process.died.is_set() else None

            new_pid = await scene.until(other, f"another process than {pid}")
            exercise.course.note("acted", f"process {new_pid} in the place of {pid}")
    await _ready_again(exercise, new_pid)
    words = await _told(exercise, incident)
    told = "but nobody was told, because alerts go nowhere" if words.startswith("nowhere") else "and told"
    return f"{name}: {kind}, replaced, ready again, {told}"


async def _known(exercise: Exercise, kind: str) -> set[str]:
    """Return the ids of all incidents of before; refuse where the drill would not be an incident of its own."""
    name, settings = exercise.process, exercise.scene.settings.watchdog
    incidents = (await exercise.scene.report()).incidents
    if old := [each for each in incidents if (each.process, each.kind, each.closed_utc) == (name, kind, None)]:
        raise Refused(
            f"{old[0].id} is still open, and the same fault again would be no new incident and no new mail:"
            f" it ends when {name} has been well for {settings.restart_period_s:g} s; take another --process until then"
        )
    if name != "watchdog" and exercise.scene.ends(name) + 1 >= settings.restart_intensity:
        raise Refused(f"one more restart within {settings.restart_period_s:g} s, and {name} would be quarantined")
    return {each.id for each in incidents}


async def _ready_again(exercise: Exercise, pid: int) -> None:
    async def is_ready() -> bool:
        now = await exercise.scene.of(exercise.process)
        return now.pid == pid and now.beat is not None and now.beat.pid == pid and now.beat.state == "ready"

    await exercise.scene.until(is_ready, f"process {pid} is ready")
    exercise.course.note("ready again", f"process {pid} says so")


async def _told(exercise: Exercise, incident: Incident) -> str:
    scene = exercise.scene
    try:
        words = await scene.until(lambda: scene.told(incident), "the operator is told")
    except Failed as failure:
        raise Failed(f"{failure}; alerts: {(await scene.report()).alerts}") from failure
    exercise.course.note("told", words)
    return words


def _pairs(
    before: tuple[ProcessReport, ...], after: tuple[ProcessReport, ...]
) -> list[tuple[ProcessReport, ProcessReport]]:
    now = {each.process: each for each in after}
    return [(each, now[each.process]) for each in before if each.process != "watchdog"]


def _is_touched(old: ProcessReport, new: ProcessReport) -> bool:
    return (old.pid, old.restarts) != (new.pid, new.restarts)
