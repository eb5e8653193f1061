"""What a process's children add to its memory. Read seldom, off the event loop.

The processes here have no children of their own, so the fast reading of :mod:`watchdog.sample` is
all there is to most of them. Where there are children, the sum must not count a shared page once
for each of them: the kernel's proportional set size (PSS) divides it. Reading PSS walks the page
tables (36 ms for a GB, measured) and needs the same user, hence the slow pace and the thread.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from watchdog.sample import MB, Stat, parse_stat

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: One pass over the /proc of 156 processes took 3.3 ms, hence 0.03 % of a core. Chosen, not measured.
EVERY_S: Final = 10.0

_PSS: Final = re.compile(rb"^Pss:\s+(\d+) kB$", re.MULTILINE)


def children_mb(pids: Iterable[int], proc: Path = Path("/proc")) -> dict[int, float]:
    """Return how much to add to the RSS of each process, for those that have children.

    The proportional memory of the whole family minus the RSS of its head, which is read afresh all
    the time. A family of which any part can't be read is left out: nothing is added on a guess.
    """
    stats = dict(_stats(proc))
    below: defaultdict[int, list[int]] = defaultdict(list)
    for pid, stat in stats.items():
        below[stat.parent].append(pid)
    added = {}
    for pid in pids:
        family = list(_descend(pid, below))
        shares = [_pss_mb(proc, member) for member in family] if len(family) > 1 else []
        if shares and None not in shares and pid in stats:
            added[pid] = sum(share for share in shares if share is not None) - stats[pid].rss_mb
    return added


def _descend(pid: int, below: dict[int, list[int]]) -> Iterator[int]:
    yield pid
    for child in below.get(pid, ()):
        yield from _descend(child, below)


def _stats(proc: Path) -> Iterator[tuple[int, Stat]]:
    for folder in proc.iterdir():
        if folder.name.isdecimal():
            try:
                yield int(folder.name), parse_stat((folder / "stat").read_bytes())
            except (OSError, ValueError, IndexError):
                continue  # it ended meanwhile, or is not ours to read


def _pss_mb(proc: Path, pid: int) -> float | None:
    try:
        found = _PSS.search((proc / str(pid) / "smaps_rollup").read_bytes())
    except OSError:
        return None
    return int(found[1]) * 1024 / MB if found else None
