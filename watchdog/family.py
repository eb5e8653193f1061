"""What a process's children add to its memory. Read seldom, off the event loop.

The processes here have no children of their own, so the fast reading of :mod:`watchdog.sample` is
all there is to most of them. Where there are children, the sum must not count a shared page once
for each of them: the kernel's proportional set size (PSS) divides it. Reading PSS walks the page
tables (36 ms for a GB, measured) and needs the same user, hence the slow pace and the thread.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from watchdog.sample import MB, parse_stat

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Chosen, not measured.
EVERY_S: Final = 10.0

_PSS: Final = re.compile(rb"^Pss:\s+(\d+) kB$", re.MULTILINE)


def children_mb(pids: Iterable[int], proc: Path = Path("/proc")) -> dict[int, float]:
    """Return how much to add to the RSS of each process, for those that have children.

    The proportional memory of the whole family minus the RSS of its head, which is read afresh all
    the time. A family of which any part can't be read is left out: nothing is added on a guess.
    """
    added = {}
    for pid in pids:
        family = list(_descend(proc, pid))
        if len(family) == 1:
            continue
        shares, head_mb = [_pss_mb(proc, member) for member in family], _rss_mb(proc, pid)
        if None not in shares and head_mb is not None:
            added[pid] = sum(share for share in shares if share is not None) - head_mb
    return added


def _descend(proc: Path, pid: int) -> Iterator[int]:
    yield pid
    for child in _children(proc, pid):
        yield from _descend(proc, child)


def _children(proc: Path, pid: int) -> Iterator[int]:
    """Yield the children of all threads of a process, as the kernel lists them: no pass over everybody's /proc.

    It may miss one while another one ends, until the next reading.
    """
    try:
        for thread in os.listdir(proc / str(pid) / "task"):  # noqa: PTH208 - a third of the time of a Path each
            yield from map(int, (proc / str(pid) / "task" / thread / "children").read_bytes().split())
    except OSError:
        return  # it ended meanwhile, or is not ours to read


def _rss_mb(proc: Path, pid: int) -> float | None:
    try:
        return parse_stat((proc / str(pid) / "stat").read_bytes()).rss_mb
    except (OSError, ValueError, IndexError):
        return None


def _pss_mb(proc: Path, pid: int) -> float | None:
    try:
        found = _PSS.search((proc / str(pid) / "smaps_rollup").read_bytes())
    except OSError:
        return None
    return int(found[1]) * 1024 / MB if found else None
