"""From a fault to the next process being ready, and the cost of waiting for it: this watchdog against its peers.

The same victim under each watcher, in one run: it leaks 20 MB a second past a limit of 200 MB, blocks its event loop,
or is killed. Seconds count from the fault (from the crossing of the limit). Each watcher allows the same silence, 3 s,
and looks every second where it can be told how often (--pace), superlance every five, its fastest. At last all watch
three processes each, side by side, for a minute in which nothing happens. Run it by itself, with the development
dependencies:

    .venv/bin/python benchmarks/bench_watchdog.py [--runs 5] [--peers FOLDER] [--only NAME ...] [--markdown]

A peer that is not installed is told how to get, and its row is "-". FOLDER is where such a peer may have been put.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from watchers import measure
from watchers.circus import Circus
from watchers.measure import FAULTS, PATIENCE_S, middle
from watchers.monit import Monit
from watchers.ours import Ours
from watchers.pm2 import Pm2
from watchers.stage import adopt
from watchers.superlance import Superlance
from watchers.supervisord import Supervisord
from watchers.table import Figure, Row, lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from watchers.measure import Reaction, Rest
    from watchers.stage import Watcher

HEADS = (
    "watcher",
    "leak: killed",
    "leak: ready",
    "hang: killed",
    "hang: ready",
    "hang: killed, past the silence",
    "crash: ready",
    "RSS, MB",
    "RSS without supervisord, MB",
    "idle CPU, %",
)


def main(options: argparse.Namespace) -> None:
    """Measure and print the table."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that all is ended that was started
    adopt()
    watchers = [each for each in everyone(options.peers, options.pace) if not options.only or each.name in options.only]
    print(f"Python {platform.python_version()}, Linux {platform.release()}, {os.cpu_count()} cores", end="")
    print(f", load {os.getloadavg()[0]:.1f}, {time.strftime('%Y-%m-%d')}")
    versions = {each.name: each.version() for each in watchers}
    for each in watchers:
        how = f"not installed: {each.how_to_get.format(peers=options.peers or 'FOLDER')}"
        print(f"  {each.name}: {versions[each.name] or how}")
    print(f"seconds from the fault, median (maximum) of {options.runs}; never is not within {PATIENCE_S:g} s\n")
    found = [each for each in watchers if versions[each.name]]
    seen = {each.name: faults(each, options.runs) for each in found}
    rests = measure.at_rest(found, options.rest)
    rows = [row(each.name, seen.get(each.name, {}), rests.get(each.name)) for each in watchers]
    print("\n".join(lines(HEADS, rows, is_markdown=options.markdown)))
    print(f"\nload at the end {os.getloadavg()[0]:.1f}")


def everyone(peers: Path | None, pace_s: float) -> list[Watcher]:
    """Return all watchers, ours first."""
    return [Ours(), Supervisord(), Superlance(peers), Monit(peers), Circus(peers, pace_s), Pm2(peers, pace_s)]


def faults(watcher: Watcher, runs: int) -> dict[str, list[Reaction]]:
    """Measure all faults under one watcher, and tell on standard error how it goes."""
    seen = {}
    for fault in FAULTS:
        try:
            seen[fault] = measure.reactions(watcher, fault, runs)
        except TimeoutError as error:
            print(f"{watcher.name}, {fault}: not measured: {error}", file=sys.stderr, flush=True)
            continue
        told = " ".join(f"{each.killed_s:.2f}/{each.ready_s:.2f}" for each in seen[fault])
        print(f"{watcher.name}, {fault}: {told}", file=sys.stderr, flush=True)
    return seen


def row(name: str, seen: dict[str, list[Reaction]], rest: Rest | None) -> Row:
    """Put one watcher's figures in the order of HEADS."""
    leaks, hangs, crashes = (seen.get(fault, []) for fault in FAULTS)
    figures = (
        figure([each.killed_s for each in leaks]),
        figure([each.ready_s for each in leaks]),
        figure([each.killed_s for each in hangs]),
        figure([each.ready_s for each in hangs]),
        figure([each.past_silence_s for each in hangs if each.past_silence_s is not None]),
        figure([each.ready_s for each in crashes]),
    )
    # What supervisord alone costs is part of ours, and buys neither leak nor hang.
    return Row(name, (*figures, *costs(rest)), is_rival=name != Supervisord.name)


def figure(seconds: Sequence[float]) -> Figure | None:
    """Return median and maximum, None where nothing was measured."""
    return Figure(*middle(seconds)) if seconds else None


def costs(rest: Rest | None) -> tuple[Figure | None, ...]:
    """Return memory with and without supervisord, and the CPU."""
    if rest is None:
        return (None, None, None)
    return (Figure(rest.rss_mb), Figure(rest.rss_mb - (rest.supervisord_mb or 0.0)), Figure(rest.cpu_percent))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--only", nargs="*", metavar="NAME", help="these rows only, by their names")
    parser.add_argument("--pace", type=float, default=1.0, help="seconds between two looks of circus and pm2")
    parser.add_argument("--rest", type=float, default=measure.REST_S, help="seconds at rest")
    parser.add_argument("--markdown", action="store_true")
    main(parser.parse_args())
