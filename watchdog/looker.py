"""Asking supervisord: whom does it run, and how does it call their states. Attaches to who lives.

Where no supervisord is (under honcho, by hand), the pids in the beats are all there is: then the
watchdog watches and tells, and restarts nobody.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from ipc import logs
from ipc.errors import Unavailable
from watchdog.supervisor import SHUTDOWN_STATE, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from watchdog.registry import Registry
    from watchdog.supervisor import Program, Supervisor
    from watchdog.watched import Watched

_log = logs.log(__name__)


class Looker:
    """Brings supervisord's word to each of ``watched``. ``on_death`` is called when one of them dies."""

    def __init__(
        self,
        supervisor: Supervisor | None,
        registry: Registry,
        watched: Collection[Watched],
        on_death: Callable[[], None],
    ) -> None:
        self._supervisor = supervisor
        self._registry = registry
        self._watched = watched
        self._on_death = on_death
        self._supervisor_pid: int | None = None
        self._trouble: str | None = None
        #: When supervisord was asked last, in monotonic seconds; what happened after is not in its answer.
        self.looked_at_s = 0.0
        self.answers = False
        self.is_shutting_down = False

    async def look(self) -> None:
        """Ask once. Not answered, everybody's state is None, and whoever is held stays held."""
        self.looked_at_s = time.monotonic()
        state, programs = await self._ask()
        for each in self._watched:
            program = (programs or {}).get(each.name)
            each.told("ABSENT" if programs is not None else state, program)
            if each.name == "watchdog":
                self._attach(each, os.getpid(), None)
            elif programs is not None:
                self._attach(each, program.pid if program else None, self._supervisor_pid)
            elif self._supervisor is None:
                self._attach(each, self._registry.claimed_pid(each.name), None)

    def _attach(self, each: Watched, pid: int | None, parent: int | None) -> None:
        if not each.holds(pid or 0):
            if each.process:
                each.part(self._registry.now_s(), self._registry.last(each.name))
            each.attach(pid or 0, self._on_death, parent)
        self._registry.know(each.name, pid or None)

    async def _ask(self) -> tuple[str | None, dict[str, Program] | None]:
        """Return the programs, or None and what is to be said of all states instead."""
        if self._supervisor is None:
            return None, None
        try:
            programs = await self._supervisor.programs()
            self._supervisor_pid = self._supervisor_pid or await self._supervisor.pid()
        except Refused as refusal:
            self._note(str(refusal), is_shutting_down=refusal.code == SHUTDOWN_STATE)
            return "SHUTDOWN" if self.is_shutting_down else None, None
        except Unavailable as error:
            self._note(str(error), is_shutting_down=False)
            return None, None
        self._note(None, is_shutting_down=False)
        return None, programs

    def _note(self, trouble: str | None, *, is_shutting_down: bool) -> None:
        self.answers, self.is_shutting_down = trouble is None, is_shutting_down
        if trouble:
            self._supervisor_pid = None  # another one may answer next time
        if trouble != self._trouble:
            self._trouble = trouble
            _log.warning("supervisord does not tell", reason=trouble) if trouble else _log.info("supervisord answers")
