"""Another program that shuts everybody out of an SQLite database in WAL mode, readers and writer alike.

``BEGIN EXCLUSIVE`` does not: it leaves readers in. This holds every lock of the write-ahead log's index, without which
nobody reads or writes. It is a process of its own, because such locks do not hold against the process that has them.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: The locks are one byte each, 120 to 127 of the -shm file (sqlite.org/walformat.html, 2.2). Whoever uses the database
#: at this moment is done within milliseconds.
_HOLDER: Final = """
import fcntl, sys
file = open(sys.argv[1], "r+b")
fcntl.lockf(file, fcntl.LOCK_EX, 8, 120)
print("locked", flush=True)
sys.stdin.read()
"""
_ENDED_S: Final = 5.0


@contextmanager
def wal_locked(path: Path) -> Iterator[None]:
    """Hold the locks of the database at ``path``, which is in use, while inside."""
    command = [sys.executable, "-c", _HOLDER, str(path.with_name(f"{path.name}-shm"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        try:
            yield
        finally:
            holder.stdin.close()
            holder.wait(_ENDED_S)
