"""The watchdog's own weekly restart, under a real supervisord and a clock that is a week ahead."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from harness.mailbox import Mailbox, mail_settings, serving
from harness.tree import Tree, at_start

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(60)

#: For this tree the machine was booted a week earlier while the file is there. A process's age is the difference to the
#: kernel's own stamp, which nobody can move.
_CLOCK = """
import os, time
_real = time.clock_gettime
def clock_gettime(clock):
    is_ahead = clock == time.CLOCK_BOOTTIME and os.path.exists({path!r})
    return _real(clock) + 7 * 86400 * is_ahead
time.clock_gettime = clock_gettime
"""


def a_week_ahead(home: Path, switch: Path) -> dict[str, str]:
    """Return the environment in which every process is a week older while ``switch`` is there."""
    return at_start(home, _CLOCK.format(path=str(switch)))


def an_hour_around_now() -> str:
    """Return a window that holds for the whole test, at any time of the day."""
    begins, ends = (time.localtime(time.time() + minutes * 60) for minutes in (-30, 30))
    return f"{time.strftime('%H:%M', begins)}-{time.strftime('%H:%M', ends)}"


async def test_the_watchdogs_weekly_restart_is_no_crash_and_makes_no_mail(short_path: Path) -> None:
    """It ends with its state on disk, supervisord starts it again, and its next life finds nothing amiss."""
    box, switch = Mailbox(), short_path / "a-week-is-over"
    with serving(box) as port:
        settings = {
            "RESTART_WEEKLY": "yes",
            "RESTART_WINDOW": an_hour_around_now(),
            **a_week_ahead(short_path, switch),
            **mail_settings(port),
        }
        async with Tree(short_path, settings, processes=("watchdog",)) as tree:
            pid = (await tree.ready())["watchdog"]
            switch.touch()
            await tree.until(lambda: "Ending, to be started anew" in tree.log(), 10, "it ends itself")
            switch.unlink()
            await tree.replaced("watchdog", pid, within_s=10)
            await tree.ready()
            report = await tree.of("watchdog")
            assert report.restarts >= 1
            assert report.last_restart_reason == "the weekly restart: up for 7.0 days"
            assert (await tree.report()).incidents == ()
            assert "exit status 0" in tree.log()
            assert json.loads((short_path / "state" / "watchdog.json").read_bytes())["incidents"] == []
            assert await tree.ready() != {"watchdog": pid}
    assert box.letters == []


async def test_a_weekly_restart_is_drained_and_makes_no_mail(short_path: Path) -> None:
    """The operator asked for it: it is on record with its reason, and in the log with its count."""
    box, switch = Mailbox(), short_path / "a-week-is-over"
    with serving(box) as port:
        settings = {
            "RESTART_WEEKLY": "yes",
            "RESTART_WINDOW": an_hour_around_now(),
            **a_week_ahead(short_path, switch),
            **mail_settings(port),
        }
        async with Tree(short_path, settings, processes=("watchdog", "collector")) as tree:
            pids = await tree.ready()
            switch.touch()
            await tree.until(lambda: '"Process restarted" name=collector cause=weekly' in tree.log(), 10, "its turn")
            switch.unlink()
            await tree.replaced("collector", pids["collector"], within_s=10)
            assert (await tree.ready())["watchdog"] == pids["watchdog"], "one at a time"
            report = await tree.of("collector")
            assert report.last_restart_reason == "the weekly restart: up for 7.0 days"
            assert "0 items in, 0 items out, difference 0" in tree.log()
            assert (await tree.report()).incidents == ()
    assert box.letters == []
