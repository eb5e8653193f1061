"""From a fault to the next process being ready: our watchdog against supervisord alone, in one run.

One process crashes, leaks 200 MB a second past a limit of 200 MB, or blocks its event loop. Times count from
the fault; from the crossing of the limit; and from the end of the silence that is allowed after the last
beat. The peer, supervisord by itself, notices a crash and neither of the others. At last the watchdog's own
cost, at rest, over three processes that beat once a second. Run it by itself, with the development
dependencies:

    .venv/bin/python benchmarks/bench_watchdog.py [--runs 5]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import select
import signal
import statistics
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import psutil

# The tests' own tree, so that both show the same.
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from harness.tree import Tree

#: The shipped defaults but for the limit and the silence, which would only make every run longer.
SETTINGS = {
    "BEAT_INTERVAL_S": "1",
    "WATCHDOG_INTERVAL_S": "0.25",
    "WATCHDOG_HANG_AFTER_S": "3",
    "MEMORY_WARNING_MB": "100",
    "MEMORY_LIMIT_MB": "200",
    "RESTART_INTENSITY": "1000",
}
VICTIM = "collector"
LIMIT_BYTES = 200 * 1024 * 1024
HANG_AFTER_S = 3.0
REST_S = 60.0


async def main(runs: int) -> None:
    """Measure and print the table."""
    load = os.getloadavg()[0]
    print(f"Python {platform.python_version()}, Linux {platform.release()}, {os.cpu_count()} cores, load {load:.1f}")
    print(f"supervisor {version('supervisor')}; seconds, median (max) of {runs}\n")
    print(f"{'fault':<8} {'watcher':<18} {'ended':>14} {'next one ready':>16}")
    for fault in ("crash", "leak", "hang"):
        await row(fault, "this watchdog", runs, ("watchdog", VICTIM))
        if fault == "crash":
            await row(fault, "supervisord alone", runs, (VICTIM,))
    await at_rest()


async def row(fault: str, watcher: str, runs: int, processes: tuple[str, ...]) -> None:
    """Measure one fault ``runs`` times under one watcher."""
    with tempfile.TemporaryDirectory(prefix="sa", dir="/tmp") as folder:
        async with Tree(Path(folder), SETTINGS, processes=processes) as tree:
            measured = [await once(tree, fault) for _ in range(runs)]
    ended, ready = zip(*measured, strict=True)
    print(f"{fault:<8} {watcher:<18} {figures(ended):>14} {figures(ready):>16}")


async def once(tree: Tree, fault: str) -> tuple[float, float]:
    """Cause the fault; return after how long the process had ended, and the next one was ready."""
    log = tree.home / "logs" / f"{VICTIM}.log"
    await tree.until(lambda: log.exists() and "event=Ready" in log.read_text(), 20, "the victim is ready")
    starts = log.read_text().count("event=Ready")
    await asyncio.sleep(3)  # past the first seconds, in which nobody is judged
    pid = (await tree.supervisor.program(VICTIM)).pid
    pidfd = os.pidfd_open(pid)
    try:
        began_s = await cause(tree, fault, pid)
        await tree.until(lambda: select.select([pidfd], [], [], 0)[0], 30, "it has ended")
    finally:
        os.close(pidfd)
    ended_s = time.monotonic() - began_s
    tree.order(VICTIM, "well")
    await tree.until(lambda: log.read_text().count("event=Ready") > starts, 30, "the next one is ready")
    return ended_s, time.monotonic() - began_s


async def cause(tree: Tree, fault: str, pid: int) -> float:
    """Cause the fault; return from when on its time counts (monotonic)."""
    if fault == "crash":
        os.kill(pid, signal.SIGKILL)
        return time.monotonic()
    tree.order(VICTIM, fault)
    if fault == "leak":
        process = psutil.Process(pid)
        await tree.until(lambda: process.memory_info().rss > LIMIT_BYTES, 20, "it is over the limit")
        return time.monotonic()
    await asyncio.sleep(0.3)
    age_s = (await tree.of(VICTIM)).beat_age_s
    return time.monotonic() - (age_s or 0.0) + HANG_AFTER_S


async def at_rest() -> None:
    """Print what the watchdog costs while nothing happens."""
    with tempfile.TemporaryDirectory(prefix="sa", dir="/tmp") as folder:
        async with Tree(Path(folder), SETTINGS) as tree:
            pids = await tree.ready()
            family = [("watchdog", psutil.Process(pids["watchdog"])), ("supervisord", tree.family()[0])]
            await asyncio.sleep(2)
            before = [sum(process.cpu_times()[:2]) for _, process in family]
            await asyncio.sleep(REST_S)
            print(f"\nat rest, {REST_S:g} s")
            for (name, process), cpu_s in zip(family, before, strict=True):
                percent = 100 * (sum(process.cpu_times()[:2]) - cpu_s) / REST_S
                print(f"{name:<12} {process.memory_info().rss / 2**20:6.1f} MB RSS   {percent:5.2f} % CPU")


def figures(seconds: tuple[float, ...]) -> str:
    """Return median and maximum."""
    return f"{statistics.median(seconds):.2f} ({max(seconds):.2f})"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    asyncio.run(main(parser.parse_args().runs))
