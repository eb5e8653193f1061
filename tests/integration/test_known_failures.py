"""Failures that other watchers have had, each made on purpose in front of this one: docs/why/known-failures.md."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest
from fakes.running_api import running_api
from fakes.stored import cycle
from harness.hands import POLITE, hands
from harness.tree import QUICK, Tree, at_start

from watchdog.sample import Process

pytestmark = pytest.mark.timeout(60)
ROOT = Path(__file__).parents[2]


async def test_a_target_is_not_left_stopped_when_its_start_fails(short_path: Path) -> None:
    """superlance#43: memmon stops its target, the start after it fails, and nobody ever tries again.

    Here the start is supervisord's own: the program fails to start for a while, and then runs.
    """
    async with hands(short_path) as both:
        process = await both.process()
        (short_path / "victim.py").write_text("raise SystemExit(1)")
        await both.control.restart("victim", process, grace_s=5)
        assert process.died.is_set()
        process.close()
        (short_path / "victim.py").write_text(POLITE)
        (await both.process()).close()


async def test_a_target_is_not_left_stopped_when_its_watcher_dies_in_the_middle(short_path: Path) -> None:
    """superlance#43 again, by the other way: between a stop and a start there must be no moment to die in."""
    async with hands(short_path) as both:
        process = await both.process()
        restart = asyncio.create_task(both.control.restart("victim", process, grace_s=5))
        assert await process.ends_within(5)
        restart.cancel()
        await asyncio.wait({restart})
        await both.until(lambda each: each.statename == "RUNNING" and each.pid != process.pid)
        process.close()


async def test_no_documented_option_ends_the_watchdog(short_path: Path) -> None:
    """The memmon of superlance dies on ``-p group:name``, which its own documentation tells to write.

    Every option that our pages name is tried, and a program that stands in a group is found by its name.
    """
    pages = "".join(page.read_text() for page in [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])
    options = set(re.findall(r"sentimentagent-watchdog (--[a-z-]+)", pages))
    assert options == {"--shadow"}
    for option in options:
        tree = Tree(short_path)
        async with tree.by_hand("watchdog", options=(option,)):
            assert (await tree.report()).processes
    home = short_path / "grouped"
    home.mkdir()
    async with hands(home) as both:
        process = await both.process()
        assert (await both.control.restart("victim", process, grace_s=5)).is_done
        process.close()


async def test_a_restart_that_takes_long_holds_up_nobody_else(short_path: Path) -> None:
    """superlance#41, superlance#55: while memmon waits for one restart, supervisord's ten events overflow and are lost.

    One process takes all its grace to end, and the death of another is seen and mended meanwhile.
    """
    slow = {"SHUTDOWN_GRACE_S": "30", "MEMORY_CEILING_FACTOR": "9"}
    async with Tree(short_path, slow, processes=("watchdog", "collector", "api")) as tree:
        pids = await tree.ready()
        tree.order("collector", "deaf")

        async def is_being_restarted() -> bool:
            incidents = (await tree.report()).incidents
            return any((each.process, each.action) == ("collector", "in progress") for each in incidents)

        await tree.until(is_being_restarted, 10, "its restart has begun")
        os.kill(pids["api"], signal.SIGKILL)
        assert (await tree.incident("api", "crashed")).action.startswith("new process ")
        assert await is_being_restarted(), "the long restart is still under way"
        assert (await tree.of("collector")).pid == pids["collector"]


async def test_two_watchers_do_not_restart_one_process_twice(short_path: Path) -> None:
    """superlance#70: two watchers see the same fault, and the second one ends the healthy successor."""
    async with hands(short_path) as both:
        process = await both.process()
        first = await both.control.restart("victim", process, grace_s=5)
        await both.until(lambda each: each.statename == "RUNNING")
        second = await both.control.restart("victim", process, grace_s=5)
        assert not second.is_done
        assert second.words == f"left alone: supervisord says RUNNING, pid {first.new_pid}"
        process.close()


#: Every process's wall clock is off by what a file says.
_CLOCK = """
import time
_real = time.time
def _off_s():
    try:
        with open({path!r}) as file:
            return float(file.read() or 0)
    except OSError:
        return 0.0
time.time = lambda: _real() + _off_s()
"""


@pytest.mark.parametrize("off_s", [-86_400, 86_400], ids=["back", "forward"])
async def test_a_wall_clock_that_jumps_by_a_day_restarts_nobody(short_path: Path, off_s: int) -> None:
    """supervisor#281, gunicorn#1709: ages by the wall clock, so a jump of it makes everybody silent for a day."""
    async with Tree(short_path, at_start(short_path, _CLOCK.format(path=str(short_path / "off")))) as tree:
        pids = await tree.ready()
        before = {name: (await tree.of(name)).uptime_s for name in pids}
        for days in range(1, 6):  # one jump may fall where nothing is being measured
            (short_path / "off").write_text(str(days * off_s))
            await asyncio.sleep(0.25)
        assert await tree.ready() == pids
        report = await tree.report()
        assert report.incidents == ()
        assert all(each.restarts == 0 for each in report.processes)
        assert all(0.5 < (each.uptime_s or 0) - (before[each.process] or 0) < 30 for each in report.processes)


async def test_a_tree_that_was_frozen_as_a_whole_restarts_nobody(short_path: Path) -> None:
    """systemd#20284, systemd#38517: after a suspend, or starved of CPU, everybody has been silent for too long at once.

    SIGSTOP and later SIGCONT to all of them, over twice the time that counts as a hang.
    """
    async with Tree(short_path) as tree:
        pids = await tree.ready()
        family = tree.family()
        for process in family:
            process.suspend()
        await asyncio.sleep(2.2 * float(QUICK["WATCHDOG_HANG_AFTER_S"]))
        for process in family:
            process.resume()
        await tree.until(lambda: "lost time is held against nobody" in tree.log(), 10, "the lost time is noticed")
        await asyncio.sleep(0.5)
        assert await tree.ready() == pids
        assert (await tree.report()).incidents == ()


async def test_memory_that_was_given_back_is_not_held_against_a_process() -> None:
    """The billiard of Celery judges by ``ru_maxrss``, a life's peak: one big task, and a worker is guilty for ever."""
    code = "kept = bytearray(b'x') * 120_000_000; print(flush=True); input(); del kept; print(flush=True); input()"
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdin=pipe, stdout=pipe, stderr=pipe)
    assert child.stdin is not None
    assert child.stdout is not None
    process = Process.open(child.pid, lambda: None)
    assert process is not None
    held_mb = []
    for _ in range(2):
        await child.stdout.readline()
        stat = process.read()
        assert stat is not None
        held_mb.append(stat.rss_mb)
        child.stdin.write(b"\n")
    await child.communicate()
    process.close()
    assert held_mb[0] > 110
    assert held_mb[1] < 40


async def test_a_fast_leak_is_ended_long_before_a_multiple_of_its_limit(short_path: Path) -> None:
    """pm2#4238: memory is looked at every 30 s, and a limit of 50 MB is passed by 350 MB.

    With the interval of every installation, and 200 MB a second.
    """
    usual = {"WATCHDOG_INTERVAL_S": "0.25", "MEMORY_CEILING_FACTOR": "3"}
    async with Tree(short_path, usual, processes=("watchdog", "collector")) as tree:
        pids = await tree.ready()
        tree.order("collector", "leak")
        await tree.replaced("collector", pids["collector"], within_s=10)
        incident = await tree.incident("collector", "memory")
        found = re.match(r"memory (\d+) MB over 150 MB", incident.reason)
        assert found
        assert int(found[1]) < 2 * 150


async def test_a_forbidden_subreddit_is_not_published_as_one_without_mentions(short_path: Path) -> None:
    """clawock#1238: the source answers 403, and the page says "0 mentions". Missing is not zero."""
    async with running_api(short_path) as api:
        await api.store(cycles=(cycle(finished_utc=time.time(), failed=True),))
        for path in ("/sentiment/stats", "/sentiment/trends"):
            for asked in ("?subreddit=AWS", ""):
                answer = await api.get(f"{path}{asked}")
                assert answer["unread"] == {"aws": "forbidden"}
                assert answer["statistics"]["avg_sentiment"] is None
            assert (await api.get(f"{path}?subreddit=Cursor"))["unread"] == {}
