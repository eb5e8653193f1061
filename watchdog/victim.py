"""The family's budget: whose restart costs the user least when all processes together hold too much. Pure.

A restart gives back what a process holds beyond its own baseline. Of those whose restart alone would be
enough the first in :data:`COST` is taken: the collector keeps everything on disk, the analyzer loads its
model again, and the API is what the user sees. Where none is enough, whoever gives back most, the API last.
What follows for the one that is chosen is :mod:`watchdog.budget`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ipc.baseline import BASELINE_MB

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from watchdog.watched import Watched

#: Cheapest first. The watchdog is nobody's victim: it would end the restarts of the others with itself.
COST: Final = ("collector", "analyzer", "api")
#: Less than this given back is not worth a restart. Chosen, not measured.
_LEAST_MB: Final = 20.0


def assign(watched: Collection[Watched], budget_mb: float, baseline_mb: Mapping[str, int] = BASELINE_MB) -> None:
    """Tell the one process that is to give way by how much the family is over its budget; 0 is no budget."""
    held_mb = {each.name: each.memory_mb for each in watched if each.memory_mb is not None}
    excess_mb = sum(held_mb.values()) - budget_mb
    chosen = victim(held_mb, excess_mb, baseline_mb) if budget_mb and excess_mb > 0 else None
    for each in watched:
        each.family_excess_mb = excess_mb if each.name == chosen else None


def victim(held_mb: Mapping[str, float], excess_mb: float, baseline_mb: Mapping[str, int] = BASELINE_MB) -> str | None:
    """Return whose restart is the cheapest way to give ``excess_mb`` back; None where no restart gives anything."""
    gains = {name: held_mb[name] - baseline_mb[name] for name in COST if name in held_mb}
    worth = [name for name, gain_mb in gains.items() if gain_mb >= _LEAST_MB]
    enough = [name for name in worth if gains[name] >= excess_mb]
    if enough:
        return enough[0]
    return max(worth, key=lambda name: (name != "api", gains[name]), default=None)
