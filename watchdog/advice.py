"""Advice: a warning level and a limit for each process, from what its history teaches. Pure.

The plateau is what is not exceeded in 99.9 of 100 spans after the warm-up. A margin is half of it, 50 MB at least;
the warning is one margin above, the limit two, both up to the next 10 MB. Steady growth is added for a week, so that
what is advised today still holds then; what would double within that week is a leak, for which no threshold is right.
Where there is less than :data:`ENOUGH_DAYS`, nothing is advised. All chosen, not measured.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from ipc.baseline import low_thresholds, thresholds_mb
from watchdog.learned import Learned, duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ipc.settings import WatchdogSettings

#: Weekdays differ, and the third day shows whether the second was an accident.
ENOUGH_DAYS: Final = 3.0
_MARGIN: Final = 0.5
_LEAST_MARGIN_MB: Final = 50.0
_WEEK_DAYS: Final = 7.0
_DAY_S: Final = 86_400.0
_STEP_MB: Final = 10


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """Two settings, and whose need they come from."""

    #: The setting's name, the value that is advised, and the one in force.
    warning: str
    warning_mb: int
    warning_now_mb: float
    limit: str
    limit_mb: int
    limit_now_mb: float
    process: str
    reason: str


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """All that is advised, all that it comes from, and what speaks against it."""

    proposals: tuple[Proposal, ...]
    #: Settings that nothing is advised for, and what is lacking.
    not_enough: dict[str, tuple[str, ...]]
    learned: tuple[Learned, ...]
    #: What is wrong with the thresholds in force, and with the processes.
    warnings: tuple[str, ...]


def advise(learned: Sequence[Learned], settings: WatchdogSettings, baseline_mb: Mapping[str, int]) -> Advice:
    """Return advice for the processes that were learned of; one setting serves all processes that it is for."""
    together: dict[tuple[str, ...], list[Learned]] = {}
    for each in learned:
        together.setdefault(tuple(thresholds_mb(each.process, settings)), []).append(each)
    proposals, not_enough = [], {}

    def needed_mb(each: Learned) -> float:
        return _needed_mb(each, baseline_mb[each.process])

    for names, processes in together.items():
        lacking = [each for each in processes if each.days < ENOUGH_DAYS]
        if lacking:
            not_enough[" and ".join(names)] = tuple(_lacks(each) for each in lacking)
        else:
            proposals.append(_proposal(max(processes, key=needed_mb), settings, needed_mb))
    return Advice(
        proposals=tuple(proposals),
        not_enough=not_enough,
        learned=tuple(learned),
        warnings=(*_low(learned, settings, baseline_mb), *(words for each in learned for words in _growing(each))),
    )


def _needed_mb(learned: Learned, baseline_mb: int) -> float:
    growth_mb = 0.0 if _is_leak(learned) else _week_mb(learned)
    return max(learned.p999_mb or 0.0, learned.start_mb or 0.0, baseline_mb) + growth_mb


def _proposal(learned: Learned, settings: WatchdogSettings, needed: Callable[[Learned], float]) -> Proposal:
    needed_mb = needed(learned)
    margin_mb = max(_LEAST_MARGIN_MB, needed_mb * _MARGIN)
    (warning, warning_now_mb), (limit, limit_now_mb) = thresholds_mb(learned.process, settings).items()
    growth_mb = 0.0 if _is_leak(learned) else _week_mb(learned)
    growth = f", {growth_mb:.0f} MB of them for a week's growth," if growth_mb else ""
    return Proposal(
        warning=warning,
        warning_mb=_up(needed_mb + margin_mb),
        warning_now_mb=warning_now_mb,
        limit=limit,
        limit_mb=_up(needed_mb + 2 * margin_mb),
        limit_now_mb=limit_now_mb,
        process=learned.process,
        reason=f"{learned.process} needs {needed_mb:.0f} MB{growth} and gets margins of {margin_mb:.0f} MB",
    )


def _lacks(learned: Learned) -> str:
    words = f"{learned.process} was measured for {duration(learned.days * _DAY_S)} after its warm-up"
    if learned.left_out:
        words += f", without its lives that ended for their memory ({learned.left_out}), which teach nothing"
    return f"{words}; {ENOUGH_DAYS:g} days are needed"


def _low(learned: Iterable[Learned], settings: WatchdogSettings, baseline_mb: Mapping[str, int]) -> Iterable[str]:
    """Yield what is said of thresholds below what a process holds: by a start, and by the history."""
    yield from low_thresholds(settings, baseline_mb)
    held_mb = {each.process: math.ceil(each.p50_mb) for each in learned if each.p50_mb and each.days >= ENOUGH_DAYS}
    yield from low_thresholds(settings, held_mb, "half of the time")


def _growing(learned: Learned) -> Iterable[str]:
    if _is_leak(learned):
        yield (
            f"{learned.process} grows by {learned.growth_mb_per_day:.0f} MB a day: a leak, for which no threshold is"
            " right; a planned restart (RESTART_WINDOW) meets it, and its growth is in no figure here"
        )


def _is_leak(learned: Learned) -> bool:
    return _week_mb(learned) > (learned.p50_mb or 0.0)


def _week_mb(learned: Learned) -> float:
    return (learned.growth_mb_per_day or 0.0) * _WEEK_DAYS


def _up(value_mb: float) -> int:
    return math.ceil(value_mb / _STEP_MB) * _STEP_MB
