"""One drill under way: whom it hits, with which eyes, under which guard, and what was seen. A value, handed around."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from watchdog.drills.course import Course, Refused
from watchdog.sample import Process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from watchdog.drills.guard import Guard
    from watchdog.drills.scene import Scene


class Exercise(NamedTuple):
    """What every drill is given."""

    process: str
    scene: Scene
    guard: Guard
    course: Course

    async def pid(self) -> int:
        """Return the pid of the process now.

        Raises:
            Refused: it has none.

        """
        pid = (await self.scene.of(self.process)).pid
        if pid is None:
            raise Refused(f"{self.process} does not run")
        return pid

    @property
    def hang_after_s(self) -> float:
        """How long a silence is a hang."""
        return self.scene.settings.watchdog.watchdog_hang_after_s


@contextmanager
def held(pid: int) -> Iterator[Process]:
    """Hold the process, so that nobody who gets its pid later is meant.

    Raises:
        Refused: it has ended meanwhile, or is not ours to look at.

    """
    process = Process.open(pid, lambda: None)
    if process is None:
        raise Refused(f"process {pid} can't be held: it has just ended, or this user may not")
    try:
        yield process
    finally:
        process.close()
