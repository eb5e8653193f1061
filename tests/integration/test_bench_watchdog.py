"""The victim of benchmarks/bench_watchdog.py, and the end of all that a benchmark started."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from watchers.stage import (  # type: ignore[import-not-found] # benchmarks are scripts, on no path of mypy's
    Event,
    Launch,
    Seat,
    Stage,
    running,
)


class Nobody:
    """Starts a victim in a session of its own, in the background, and does not look after it."""

    name = "nobody"
    how_to_get = ""
    cycle_s = 1.0
    is_on_supervisord = False

    def version(self) -> str | None:
        """Return none: it is a test's."""
        return None

    def launch(self, stage: Stage) -> Launch:
        """Start it without an environment, as monit does."""
        return Launch(["env", "-i", "setsid", "--fork", *stage.command(stage.seats[0])])

    def heard_s(self, _stage: Stage, _seat: Seat) -> float | None:
        """It neither listens nor asks."""
        return None


def test_the_victim_tells_when_it_is_ready_and_when_it_is_over_its_limit() -> None:
    """The times are its own, and whoever started it finds and ends it, however far it went away."""
    with running(Nobody(), ("collector",)) as stage:
        ready = _told(stage, "ready")
        assert [process.pid for process in stage.cast()] == [ready.pid]
        assert stage.watchers() == []
        os.kill(ready.pid, signal.SIGRTMIN)
        over = _told(stage, "over")
        assert 0 < time.monotonic() - over.at_s < 5
        assert psutil.Process(ready.pid).memory_info().rss > 200 * 2**20
    assert not psutil.pid_exists(ready.pid) or psutil.Process(ready.pid).status() == psutil.STATUS_ZOMBIE
    assert not stage.folder.exists()


def test_a_victim_that_hangs_says_so_and_no_longer_beats() -> None:
    """Its last word is that it hangs."""
    with running(Nobody(), ("collector",)) as stage:
        os.kill(_told(stage, "ready").pid, signal.SIGRTMIN + 1)
        _told(stage, "hung")
        assert stage.events(stage.seats[0])[-1].word == "hung"


def _told(stage: Stage, word: str) -> Event:
    until_s = time.monotonic() + 15
    while (event := stage.last(stage.seats[0], word)) is None:
        assert time.monotonic() < until_s, (stage.folder / "output").read_text()
        time.sleep(0.02)
    return event
