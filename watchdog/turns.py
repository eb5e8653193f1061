"""Whose turn the weekly restart is: one process after the other, never two at a moment. Pure but for what is held.

The collector and the analyzer lose nothing and nobody sees them; then the watchdog, which ends itself; the API last,
when all behind it are back. Nothing is remembered: who is due and whether all have settled is read from how long each
has been there, so the order goes on across the watchdog's own restart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from watchdog import planned

if TYPE_CHECKING:
    from collections.abc import Collection

    from watchdog.watched import Watched

ORDER: Final = ("collector", "analyzer", "watchdog", "api")
#: All must have been there this long before the next one is ended. Chosen: a model loads in 5 to 8 s (measured).
APART_S: Final = 60.0


def assign(watched: Collection[Watched]) -> None:
    """Tell the one process whose weekly restart may be made now, if anybody's may."""
    due = {each.name for each in watched if _is_due(each)}
    first = next((name for name in ORDER if name in due), None)
    chosen = first if all(map(_is_settled, watched)) else None
    for each in watched:
        each.is_its_turn = each.name == chosen


def _is_due(each: Watched) -> bool:
    return each.supervisor_state == "RUNNING" and planned.is_weekly_due(
        each.uptime_s, each.limits, is_quiet=each.is_quiet
    )


def _is_settled(each: Watched) -> bool:
    """Return whether it neither comes nor goes: it has been there for a while, or is to stay away."""
    if each.uptime_s is None:
        return each.supervisor_state == "ABSENT" or each.verdict.name in {"stopped", "quarantined"}
    return not each.is_being_mended and each.uptime_s >= APART_S and each.verdict.name in {"ok", "warning"}
