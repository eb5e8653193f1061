"""One fault and what comes of it; and what a watcher costs while nothing happens."""

from __future__ import annotations

import math
import os
import select
import signal
import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import psutil

from watchers.stage import NAMES, SILENCE_S, running

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from watchers.stage import Event, Seat, Stage, Watcher

NEVER_S: Final = math.inf
PATIENCE_S: Final = 30.0
REST_S: Final = 60.0
FAULTS: Final = ("leak", "hang", "crash")
#: A watcher may leave a process that has just started alone for a while; none is measured in that. Chosen.
_SETTLE_S: Final = 3.0
_START_S: Final = 20.0
#: Only how soon we hear of it: the times are the victims' own.
_LOOK_S: Final = 0.02
_SIGNALS: Final = {"leak": signal.SIGRTMIN, "hang": signal.SIGRTMIN + 1}
_BEGINS: Final = {"leak": "over", "hang": "hung"}


@dataclass(frozen=True)
class Reaction:
    """Seconds from the fault; NEVER_S where nothing came of it within PATIENCE_S."""

    killed_s: float
    ready_s: float
    #: From the end of the silence that was allowed; None where silence was not the fault.
    past_silence_s: float | None = None


@dataclass(frozen=True)
class Rest:
    """What a watcher takes at rest, all its processes together; supervisord's part apart, None where there is none."""

    rss_mb: float
    supervisord_mb: float | None
    cpu_percent: float


def spread(runs: int, cycle_s: float) -> list[float]:
    """Return waits that cover the watcher's cycle evenly, and each second of it too.

    One in each equal part of the cycle, at a place in it that the golden ratio moves on from run to run.
    """
    return [cycle_s * (run + run * 0.618034 % 1) / runs for run in range(runs)]


def reactions(watcher: Watcher, fault: str, runs: int) -> list[Reaction]:
    """Cause a fault again and again; stop at the first that was never noticed."""
    measured: list[Reaction] = []
    with running(watcher, NAMES[:1]) as stage:
        for wait_s in spread(runs, watcher.cycle_s):
            measured.append(once(watcher, stage, fault, wait_s))
            if measured[-1].ready_s == NEVER_S:
                break
    return measured


def once(watcher: Watcher, stage: Stage, fault: str, wait_s: float) -> Reaction:
    """Cause the fault ``wait_s`` into the watcher's cycle, by the wall clock, and see what comes of it."""
    seat = stage.seats[0]
    ready = _told(stage, seat, "ready", _START_S)
    time.sleep(max(0.0, ready.at_s + _SETTLE_S - time.monotonic()))
    time.sleep((wait_s - time.time()) % watcher.cycle_s)
    pid = _told(stage, seat, "ready", _START_S).pid
    pidfd = os.pidfd_open(pid)
    try:
        began_s = _cause(stage, seat, fault, pid)
        due_s = _due_s(watcher, stage, seat, began_s) if fault == "hang" else None
        killed_s = time.monotonic() if select.select([pidfd], [], [], PATIENCE_S)[0] else NEVER_S
    finally:
        os.close(pidfd)
    ready_s = _next_ready_s(stage, seat, began_s) if killed_s < NEVER_S else NEVER_S
    return Reaction(killed_s - began_s, ready_s - began_s, None if due_s is None else killed_s - due_s)


def _cause(stage: Stage, seat: Seat, fault: str, pid: int) -> float:
    """Cause the fault; return from when on its time counts (monotonic)."""
    at_s = time.monotonic()
    if fault == "crash":
        os.kill(pid, signal.SIGKILL)
        return at_s
    os.kill(pid, _SIGNALS[fault])
    return _told(stage, seat, _BEGINS[fault], _START_S, after_s=at_s).at_s


def _due_s(watcher: Watcher, stage: Stage, seat: Seat, began_s: float) -> float:
    """Return when the allowed silence is over: it counts from the last beat, or, where none is heard, the fault."""
    heard_s = watcher.heard_s(stage, seat)
    return (began_s if heard_s is None else heard_s) + SILENCE_S


def _next_ready_s(stage: Stage, seat: Seat, began_s: float) -> float:
    try:
        return _told(stage, seat, "ready", PATIENCE_S, after_s=began_s).at_s
    except TimeoutError:
        return NEVER_S


def _told(stage: Stage, seat: Seat, word: str, within_s: float, after_s: float = 0.0) -> Event:
    """Wait until the victim has said so; return the newest such event.

    Raises:
        TimeoutError: it did not; what the stage's processes wrote stands in the text.

    """
    until_s = time.monotonic() + within_s
    while (event := stage.last(seat, word, after_s=after_s)) is None:
        if time.monotonic() > until_s:
            raise TimeoutError(f"{seat.name} is not {word} within {within_s:g} s\n{_output(stage)}")
        time.sleep(_LOOK_S)
    return event


def _output(stage: Stage) -> str:
    paths = [stage.folder / "output", *sorted((stage.folder / "logs").iterdir())]
    return "\n".join(f"--- {path.name}\n{path.read_text(errors='replace')[-2000:]}" for path in paths)


def at_rest(watchers: Iterable[Watcher], rest_s: float = REST_S) -> dict[str, Rest]:
    """Run all watchers side by side over three victims each, so that all have the same minute; return their cost."""
    with ExitStack() as stages:
        on_stage = [(each, stages.enter_context(running(each, NAMES))) for each in watchers]
        for _, stage in on_stage:
            for seat in stage.seats:
                _told(stage, seat, "ready", 3 * _START_S)
        time.sleep(3 * _SETTLE_S)
        casts = [stage.watchers() for _, stage in on_stage]
        before_s = [_cpu_s(cast) for cast in casts]
        began_s = time.monotonic()
        time.sleep(rest_s)
        share = 100 / (time.monotonic() - began_s)
        spent = [(_cpu_s(cast) - cpu_s) * share for cast, cpu_s in zip(casts, before_s, strict=True)]
        return {
            each.name: _rest(each, cast, percent)
            for (each, _), cast, percent in zip(on_stage, casts, spent, strict=True)
        }


def _cpu_s(cast: Sequence[psutil.Process]) -> float:
    """Return what they and the children that they have waited for have spent (memmon runs a ps each time)."""
    return sum(sum(process.cpu_times()[:4]) for process in cast)


def _rest(watcher: Watcher, cast: Sequence[psutil.Process], cpu_percent: float) -> Rest:
    rss_mb = {process.pid: process.memory_info().rss / 2**20 for process in cast}
    supervisord_mb = rss_mb[min(cast, key=psutil.Process.create_time).pid] if watcher.is_on_supervisord else None
    return Rest(sum(rss_mb.values()), supervisord_mb, cpu_percent)


def middle(seconds: Iterable[float]) -> tuple[float, float]:
    """Return median and maximum; NEVER_S, both, where one was never."""
    known = list(seconds)
    return (NEVER_S, NEVER_S) if NEVER_S in known else (statistics.median(known), max(known))
