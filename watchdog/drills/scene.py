"""The eyes of a drill: what the watchdog reports, what its files say, what health answers. Changes nothing.

Looked at 20 times a second, so every time of a drill is up to 0.05 s late.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, TypeVar

from ipc.channel import ask
from ipc.errors import Unavailable, WireError
from ipc.messages import PROCESSES, Incident, ProcessReport, Status, StatusReport
from watchdog import ledger
from watchdog.drills.course import Failed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ipc.settings import Settings

T = TypeVar("T")

LOOK_EVERY_S: Final = 0.05
_ANSWER_S: Final = 2.0


class Scene:
    """A running copy. Nothing is waited for any longer than ``within_s`` from now on."""

    def __init__(self, settings: Settings, within_s: float) -> None:
        self.settings = settings
        self._within_s = within_s
        self._until_s = time.monotonic() + within_s

    async def report(self) -> StatusReport:
        """Return what the watchdog knows.

        Raises:
            Unavailable: it does not answer.

        """
        try:
            answer = await ask(self.settings.folders.socket("watchdog"), Status(), _ANSWER_S)
        except WireError as error:
            raise Unavailable(f"the watchdog does not speak our language: {error}") from error
        if not isinstance(answer, StatusReport):
            raise Unavailable("the watchdog answered with something else than its report")
        return answer

    async def of(self, process: str) -> ProcessReport:
        """Return what the watchdog knows of one process. Raises as :meth:`report`."""
        return next(each for each in (await self.report()).processes if each.process == process)

    async def is_ready(self) -> bool:
        """Tell whether everybody is ready. Raises as :meth:`report`."""
        processes = (await self.report()).processes
        ready = {each.process for each in processes if each.beat is not None and each.beat.state == "ready"}
        return ready >= set(PROCESSES)

    async def until(self, look: Callable[[], Awaitable[T | None]], what: str) -> T:
        """Look until there is something to see, and return it; a watchdog that is away has nothing to show.

        Raises:
            Failed: there was nothing within the time.

        """
        while True:
            try:
                found = await look()
            except Unavailable:
                found = None
            if found:
                return found
            if time.monotonic() > self._until_s:
                raise Failed(f"not within {self._within_s:g} s: {what}")
            await asyncio.sleep(LOOK_EVERY_S)

    async def incident(self, process: str, kind: str, known: set[str]) -> Incident | None:
        """Return the incident of this process and kind that is not among those ``known`` already; None when none is.

        Raises:
            Failed: the process was put into quarantine instead.

        """
        new = [each for each in (await self.report()).incidents if each.process == process and each.id not in known]
        if quarantine := next((each for each in new if each.kind == "quarantine"), None):
            raise Failed(f"{process} was put into quarantine: {quarantine.reason}")
        # A leak that comes within an hour of another is told as a restart that did not help.
        kinds = {kind, "unhelped"} if kind == "memory" else {kind}
        return next((each for each in new if each.kind in kinds), None)

    async def told(self, incident: Incident) -> str | None:
        """Return how the operator was told of ``incident``, None while he was not.

        The watchdog takes an incident off its list once its alert is in the spool, and the alert off the spool once
        somebody has taken it.
        """
        folders = self.settings.folders
        book = ledger.read(folders.state / "watchdog.json")
        if incident.id in book.untold or incident.id not in {each.id for each in book.incidents}:
            return None
        if any((folders.state / "alerts").rglob(f"{incident.id}*.json")):
            return None
        return (await self.report()).alerts

    def ends(self, process: str) -> int:
        """Return how many restarts and crashes of ``process`` count at the moment."""
        book = ledger.read(self.settings.folders.state / "watchdog.json")
        remembered = book.processes.get(process)
        ages_s = remembered.end_ages_s if remembered else ()
        return sum(age_s + ledger.away_s(book) < self.settings.watchdog.restart_period_s for age_s in ages_s)
