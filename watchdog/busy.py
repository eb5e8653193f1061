"""Processes that need a core for minutes on end. Pure but for what it remembers.

A warning and no incident: the analyzer of a backlog does just that, and whoever burns a core for nothing is found hung
or stuck. It stands in the digest.
"""

from __future__ import annotations

from typing import Final

#: Sustained is so long without a break. Chosen, not measured.
SUSTAINED_S: Final = 300.0
_MINUTE_S: Final = 60.0


class Busy:
    """Remembers since when each process is above ``warning_percent`` of a core."""

    def __init__(self, warning_percent: float) -> None:
        self._warning_percent = warning_percent
        self._since_s: dict[str, float] = {}
        self._told: dict[str, str] = {}

    @property
    def warnings(self) -> tuple[tuple[str, str], ...]:
        """What is so by now: subjects and reasons."""
        return tuple(self._told.items())

    def see(self, process: str, percent: float | None, at_s: float) -> None:
        """Take how busy ``process`` is; unmeasured is not busy."""
        name = f"CPU of {process}"
        if percent is None or percent <= self._warning_percent:
            self._since_s.pop(process, None)
            self._told.pop(name, None)
            return
        busy_s = at_s - self._since_s.setdefault(process, at_s)
        if busy_s >= SUSTAINED_S:
            legitimate = "; a backlog of items does that" if process == "analyzer" else ""
            self._told[name] = f"{percent:.0f} % of a core, for {busy_s / _MINUTE_S:.0f} min by now{legitimate}"
