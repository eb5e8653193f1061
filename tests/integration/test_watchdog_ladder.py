"""The steps of the ladder before a hard restart, under a real supervisord: relief, and a drained restart."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING

import msgspec
import pytest
from harness.tree import Tree

from ipc.channel import Connection, Door
from ipc.messages import AnyMessage, Drain
from watchdog import asking
from watchdog.decisions import Decision

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(60)


async def test_a_relieved_process_goes_on_with_less_memory(short_path: Path) -> None:
    """100 MB of garbage over a warning level of 100: it is collected, and nobody is restarted."""
    async with Tree(short_path, processes=("watchdog", "collector")) as tree:
        pids = await tree.ready()
        tree.order("collector", "garbage")
        await tree.until(lambda: 'done="relieved: ' in tree.log(), 10, "it is relieved")
        found = re.search(r"relieved: (\d+) MB before, (\d+) MB after", tree.log())
        assert found
        assert int(found[1]) > 100
        assert int(found[2]) < 80
        assert await tree.ready() == pids
        assert (await tree.of("collector")).restarts == 0


async def test_a_memory_restart_leaves_nothing_in_hand(short_path: Path) -> None:
    """uwsgi#105, pm2#5562: a process over its memory limit is killed in the midst of a request, which is lost.

    A busy process that leaks finishes what it took before it is ended, and the count is in the incident.
    """
    async with Tree(short_path, processes=("watchdog", "collector")) as tree:
        pids = await tree.ready()
        tree.order("collector", "busy")
        await tree.replaced("collector", pids["collector"], within_s=10)
        tree.order("collector", "well")
        incident = await tree.incident("collector", "memory")
        found = re.match(
            r"drained in \d+\.\d\d s: (\d+) items in, (\d+) items out, difference 0; SIGTERM; process", incident.action
        )
        assert found, incident.action
        assert int(found[1]) == int(found[2]) > 0


async def test_a_leak_is_met_before_its_limit_and_told_when_that_did_not_help(short_path: Path) -> None:
    """10 MB a second foretell the limit of 150 MB: a drained restart; the same again soon after is told, once."""
    settings = {
        "FORECAST_WINDOW_MINUTES": "0.03",
        "FORECAST_WARM_UP_MINUTES": "0",
        "FORECAST_LEAD_MINUTES": "0.2",
        "FORECAST_GROWTH_MB": "3",
    }
    async with Tree(short_path, settings, processes=("watchdog", "collector")) as tree:
        pids = await tree.ready()
        tree.order("collector", "drip")
        await tree.replaced("collector", pids["collector"], within_s=10)
        planned = await tree.incident("collector", "forecast")
        assert re.match(r"reaches 150 MB in \d+ s, by \d+ MB an hour", planned.reason)
        assert planned.action.startswith("drained in ")
        in_vain = await tree.incident("collector", "unhelped")
        assert "the restart 0 min ago did not help, the next planned one waits 120 min" in in_vain.reason
        assert in_vain.action == "left as it is"
        report = await tree.of("collector")
        assert report.restarts == 1
        assert report.slope_mb_per_h is not None
        assert report.slope_mb_per_h > 10_000
        assert report.limit_reached_in_s is not None
        assert report.limit_reached_in_s < 60


async def test_a_watchdog_in_the_shadow_judges_and_does_nothing(short_path: Path) -> None:
    """A process over its limit is left alone; what would have been done is written down, and which rule stopped it."""
    async with Tree(short_path, {"WATCHDOG_SHADOW": "yes"}, processes=("watchdog", "collector")) as tree:
        pids = await tree.ready()
        tree.order("collector", "leak")
        log = short_path / "state" / "decisions.ndjson"

        def decided() -> list[Decision]:
            lines = [msgspec.json.decode(line, type=Decision) for line in log.read_bytes().splitlines()]
            return [each for each in lines if each.process == "collector" and each.verdict == "restart"]

        await tree.until(decided, 10, "it would be restarted")
        (first, *_) = decided()
        assert (first.action, first.held_by, first.cause) == ("restart", "shadow", "memory")
        assert first.memory_mb is not None
        assert first.memory_mb > first.memory_limit_mb
        await asyncio.sleep(0.5)
        report = await tree.of("collector")
        assert (report.pid, report.verdict, report.restarts) == (pids["collector"], "restart", 0)
        assert report.reason.startswith("shadow, not done: restart; memory ")
        assert (await tree.report()).incidents == ()


async def test_a_process_without_a_door_is_not_waited_for(short_path: Path) -> None:
    """An older process, or one that is ending: what was meant to follow follows."""
    words = await asking.drain(short_path / "nobody.sock", 5, lambda: False)
    assert words == "not drained: nobody.sock is not served: No such file or directory"
    assert (await asking.relieve(short_path / "nobody.sock")).startswith("not relieved: ")


async def test_a_drain_is_left_alone_when_memory_runs_away(short_path: Path) -> None:
    """A process that grows towards its ceiling while it finishes its work is ended at once."""
    asked = asyncio.Event()

    async def never(_connection: Connection, message: AnyMessage) -> None:
        assert message == Drain(deadline_s=30)
        asked.set()
        await asyncio.sleep(30)

    began_s = time.monotonic()
    async with Door(short_path / "control.sock", Drain, never):
        words = await asking.drain(short_path / "control.sock", 30, asked.is_set)
    assert words.startswith("not drained: there was no time for it after 0.")
    assert time.monotonic() - began_s < 2
