"""The drill of supervisord's own death: no process may outlive it, and systemd must start all of it again.

Without systemd nobody starts it again: then only the first half can be shown, and the copy is down afterwards.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from ipc.errors import Unavailable
from watchdog.drills.course import Failed, Refused
from watchdog.drills.exercise import held
from watchdog.start_command import supervisor_socket
from watchdog.supervisor import Supervisor

if TYPE_CHECKING:
    from ipc.settings import Settings
    from watchdog.drills.exercise import Exercise


async def supervisor(exercise: Exercise) -> str:
    """SIGKILL of supervisord."""
    pid = await _pid(exercise.scene.settings)
    is_kept = is_under_systemd(pid)
    family = {each.pid: each.create_time() for each in psutil.Process(pid).children(recursive=True)}
    with held(pid) as process:
        exercise.course.note("injected", f"SIGKILL to supervisord, process {pid}, which has {len(family)} processes")
        process.signal(signal.SIGKILL)

        async def is_alone() -> bool:
            return process.died.is_set() and not _living(family)

        try:
            await exercise.scene.until(is_alone, "all of its processes have ended")
        except Failed as failure:
            raise Failed(f"{failure}; orphans: {_living(family)}") from failure
    exercise.course.note("acted", "all of its processes have ended: no orphan is left")
    if not is_kept:
        return "no orphan is left; the copy is down now, because no systemd keeps it: start it again"
    await exercise.scene.until(exercise.scene.is_ready, "systemd has started all of it again")
    exercise.course.note(
        "ready again", f"supervisord is process {await _pid(exercise.scene.settings)}, and all are ready"
    )
    return "no orphan was left, and systemd started all of it again"


def is_under_systemd(pid: int) -> bool:
    """Tell whether supervisord, process ``pid``, is the main process of a service that systemd keeps.

    Its parent is a systemd, and its control group a service's. What everybody may read is asked: of a sandboxed
    service even its own user may not read the environment.
    """
    try:
        parent = psutil.Process(pid).parent()
        groups = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").splitlines()
    except (OSError, psutil.Error):
        return False
    return parent is not None and parent.name() == "systemd" and any(each.endswith(".service") for each in groups)


async def refuse_without_systemd(settings: Settings) -> None:
    """Refuse to end a copy that nobody would start again.

    Raises:
        Refused: no systemd keeps it.

    """
    if not is_under_systemd(await _pid(settings)):
        raise Refused(
            "no systemd keeps this copy: after the drill it would be down, and nobody would start it again;"
            " --yes says that you mean that"
        )


async def _pid(settings: Settings) -> int:
    try:
        return await Supervisor(os.fspath(supervisor_socket(settings))).pid()
    except Unavailable as error:
        raise Refused(str(error)) from error


def _living(family: dict[int, float]) -> list[int]:
    """Return those of ``family`` that live, zombies aside; by pid and time of creation."""
    living = []
    for pid, created in family.items():
        try:
            each = psutil.Process(pid)
            if each.create_time() == created and each.status() != psutil.STATUS_ZOMBIE:
                living.append(pid)
        except psutil.NoSuchProcess:
            continue
    return living
