"""What the machine has: room on its disks, and memory."""

from __future__ import annotations

import shutil
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Final

import psutil

from ipc.baseline import baseline_mb, budget_mb
from watchdog.checks.finding import Claim, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipc.settings import Settings

_MB: Final = 1024 * 1024
#: Of free space. Chosen, not measured.
DISK_WARNING_MB: Final = 1024.0
DISK_WRONG_MB: Final = 200.0
#: Where a container's own limit stands: control groups of version 2, and of version 1.
_CGROUP_LIMITS: Final = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def check(settings: Settings) -> Iterator[Finding]:
    """Look at the disks of state and logs, and at the memory."""
    for name, folder in (("state", settings.folders.state), ("logs", settings.folders.logs)):
        place = next(path for path in (folder, *folder.parents) if path.exists())
        usage = shutil.disk_usage(place)
        yield disk(f"disk.{name}", folder, usage.free / _MB, usage.total / _MB)
    held_mb = sum(baseline_mb(settings.analyzer.sentiment_engine).values())
    yield memory(_memory_mb(), psutil.virtual_memory().available / _MB, budget_mb(settings.watchdog), held_mb)


def disk(name: str, folder: Path, free_mb: float, total_mb: float) -> Finding:
    """Judge the free space where ``folder`` is, or will be."""
    claim = Claim(name, f"{DISK_WARNING_MB:.0f} MB free, and never under {DISK_WRONG_MB:.0f}")
    found = f"{free_mb:.0f} MB free of {total_mb:.0f} at {folder}"
    mend = f"make room; the largest in it: du -xah {quote(str(folder))} | sort -h | tail"
    if free_mb < DISK_WRONG_MB:
        return claim.wrong(found, mend)
    return claim.warning(found, mend) if free_mb < DISK_WARNING_MB else claim.ok(found)


def memory(total_mb: float, available_mb: float, all_mb: float, held_mb: int) -> Finding:
    """Judge the machine's memory against what the processes may hold together, and what they hold anyway."""
    claim = Claim(
        "memory.machine",
        f"{all_mb:.0f} MB, which all processes together may hold, and never under {held_mb} MB, which they hold"
        " after a start",
    )
    found = f"{total_mb:.0f} MB, {available_mb:.0f} of them available now"
    mend = "add memory, or lower MEMORY_LIMIT_MB and ANALYZER_MEMORY_LIMIT_MB; then: sentimentagent config check"
    if total_mb < held_mb:
        return claim.wrong(found, mend)
    return claim.warning(found, mend) if total_mb < all_mb else claim.ok(found)


def _memory_mb() -> float:
    """Return the machine's memory, or a container's where that is less."""
    limits_mb = [psutil.virtual_memory().total / _MB]
    for path in _CGROUP_LIMITS:
        try:
            limits_mb.append(int(Path(path).read_text(encoding="ascii")) / _MB)
        except (OSError, ValueError):  # not there, or "max"
            continue
    return min(limits_mb)
