"""This watchdog, under supervisord as it is shipped; only the limit and the silence are the stage's."""

from __future__ import annotations

import asyncio
import time
from importlib.metadata import version
from typing import TYPE_CHECKING

from ipc.channel import ask
from ipc.errors import SentimentAgentError
from ipc.messages import Status, StatusReport
from watchers.stage import LIMIT_MB, SILENCE_S, Launch
from watchers.supervisord import BIN, program, write

if TYPE_CHECKING:
    from watchers.stage import Seat, Stage


class Ours:
    """It listens to beats, reads the memory itself, and hears of deaths."""

    name = "this watchdog"
    how_to_get = "install the project into this Python"
    cycle_s = 1.0
    is_on_supervisord = True

    def version(self) -> str | None:
        """Return the project's."""
        return version("sentimentagent")

    def launch(self, stage: Stage) -> Launch:
        """Configure watchdog and victims; the number of restarts must not become the reason to stop."""
        conf = write(stage, program(stage, "watchdog", [str(BIN / "sentimentagent-watchdog")]))
        settings = {
            "SENTIMENTAGENT_HOME": str(stage.folder),
            "WATCHDOG_HANG_AFTER_S": str(SILENCE_S),
            "RESTART_INTENSITY": "1000",
        }
        for process in ("", "ANALYZER_"):
            settings[f"{process}MEMORY_LIMIT_MB"] = str(LIMIT_MB)
            settings[f"{process}MEMORY_WARNING_MB"] = str(LIMIT_MB * 0.8)
        return Launch([str(BIN / "supervisord"), "-c", str(conf)], settings)

    def heard_s(self, stage: Stage, seat: Seat) -> float | None:
        """Ask the watchdog how old that victim's last beat is."""
        asked_s = time.monotonic()
        try:
            report = asyncio.run(ask(stage.folder / "run" / "watchdog.sock", Status(), 2))
        except SentimentAgentError:
            return None
        if not isinstance(report, StatusReport):
            return None
        age_s = next(each.beat_age_s for each in report.processes if each.process == seat.name)
        return None if age_s is None else asked_s - age_s
