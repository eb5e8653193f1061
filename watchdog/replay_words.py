"""A replay as lines for people, with what it can't know. Words only."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec

from ipc.logs import harmless
from ipc.messages import Incident
from watchdog.learned import duration
from watchdog.replay import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_ROW: Final = "{:<10} {:<15} {:>16} {:>8} {:>9} {:>11} {:>9} {:>8} {:>12} {:>10}"
#: Of each list the last so many.
_SHOWN: Final = 10

#: What the figures rest on. Printed with them, always.
ASSUMPTIONS: Final = (
    "After a restart that never was, a process is taken to begin at what it held after real starts and to grow by the",
    "recorded differences; one that would have needed its memory again at once is restarted only once here.",
    "A sample is known to 10 s: a memory that two of three samples in a row held counts as held for as many as asked.",
    "Crashes and hangs are taken as they happened. Neither the family's budget nor weekly restarts are replayed, nor",
    "what a process would have given back when asked.",
)
CUT_SHORT: Final = (
    "Cut short: recorded processes that were ended for their memory before these thresholds would have ended them;",
    "what they would have held later is not known, so there may be as many restarts more.",
)


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """Some thresholds and what they came to."""

    warning_mb: float
    limit_mb: float
    strikes: int
    strike_samples: int
    outcome: Outcome


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """All that is told of one process."""

    process: str
    from_utc: float
    to_utc: float
    spans: int
    #: The time in which it was there to be measured.
    measured_s: float
    #: What it holds after a start, and of how many starts in the history; of none: as it was measured once.
    start_mb: float
    starts: int
    #: What it holds half of the time after its warm-up.
    half_the_time_mb: float | None
    happened: Outcome
    now: Trial
    tried: Trial | None
    incidents: tuple[Incident, ...]


def describe(told: Sequence[Replayed]) -> str:
    """Return everything, harmless to a terminal."""
    lines = [_header(each) for each in told]
    heads = ("process", "thresholds", "warning/limit MB", "strikes", "warnings", "in warning")
    lines += ["", _ROW.format(*heads, "restarts", "crashes", "quarantines", "cut short")]
    for each in told:
        lines += _rows(each)
    for each in told:
        lines += _events(each)
    if any(trial.outcome.cut_short for each in told for trial in (each.now, each.tried) if trial):
        lines += ["", *CUT_SHORT]
    return "\n".join([*lines, "", *ASSUMPTIONS])


def _header(each: Replayed) -> str:
    of = f"starts recorded: {each.starts}" if each.starts else "no start was recorded: as once measured"
    return (
        f"{each.process}: {_when(each.from_utc)} to {_when(each.to_utc)} UTC, measured for"
        f" {duration(each.measured_s)} in {each.spans} spans; {each.start_mb:.0f} MB after a start ({of})"
    )


def _rows(each: Replayed) -> Iterator[str]:
    yield _row(each.process, "as it happened", "", "", each.happened)
    for name, trial in (("in force", each.now), ("tried", each.tried)):
        if trial:
            thresholds = f"{trial.warning_mb:g}/{trial.limit_mb:g}"
            yield _row("", name, thresholds, f"{trial.strikes} of {trial.strike_samples}", trial.outcome)
            if each.half_the_time_mb is not None and trial.limit_mb < each.half_the_time_mb:
                yield (
                    f"{'':<10} {each.process} holds {each.half_the_time_mb:.0f} MB half of the time: with a limit of"
                    f" {trial.limit_mb:g} MB it would be restarted again and again, more often than counted here"
                )


def _row(process: str, name: str, thresholds: str, strikes: str, outcome: Outcome) -> str:
    cut = "-" if outcome.cut_short is None else str(outcome.cut_short)
    return _ROW.format(
        process,
        name,
        thresholds or "-",
        strikes or "-",
        outcome.warnings,
        f"{outcome.warned_s / 60:.0f} min",
        outcome.restarts,
        outcome.crashes,
        outcome.quarantines,
        cut,
    )


def _events(each: Replayed) -> Iterator[str]:
    trials = [("as it happened", each.happened), ("in force", each.now.outcome)]
    if each.tried:
        trials.append(("tried", each.tried.outcome))
    for name, outcome in trials:
        words = [
            f"  {_when(event.at_utc)}  {event.verdict:<12} {harmless(event.reason or event.cause)}"
            for event in outcome.events
        ]
        yield from _listed(f"{each.process}, {name}:", words)
    incidents = [f"  {each.id}  {harmless(each.reason)}" for each in reversed(each.incidents)]
    yield from _listed(f"{each.process}, its incidents:", incidents)


def _listed(title: str, words: list[str]) -> Iterable[str]:
    if not words:
        return []
    more = len(words) - _SHOWN
    return ["", title, *([f"  ({more} before these)"] if more > 0 else []), *words[-_SHOWN:]]


def _when(at_utc: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at_utc))
