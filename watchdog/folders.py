"""The folders of incidents on disk: written whole, private, and not kept for ever.

At most :data:`MAX_FOLDERS`, :data:`MAX_BYTES` together, and none older than the operator wants; the newest
incident stays whatever its size, which the recorder bounds.
"""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: An incident takes 0.5 MB after a full half hour, twice that when it happened again. Chosen, not measured.
MAX_FOLDERS: Final = 200
MAX_BYTES: Final = 100 * 1024 * 1024


def put_folder(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Put a folder with these files at ``folder``, whole, in place of what was there.

    Not flushed to the platter: a restart waits for this, and a machine that loses power has other troubles.

    Raises:
        OSError: the disk does not take it.

    """
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    for name, content in contents.items():
        put_file(new / name, content)
    shutil.rmtree(folder, ignore_errors=True)
    new.replace(folder)


def put_file(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path``, whole, readable by us alone.

    Raises:
        OSError: the disk does not take it.

    """
    new = path.with_name(f".{path.name}.new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:  # noqa: PTH123
        file.write(content)
    new.replace(path)


def prune(folder: Path, keep_s: float) -> list[str]:
    """Remove the incidents in ``folder`` that are too old or too many; return their names.

    Their age is that of the last change: one that goes on is kept.
    """
    if not folder.exists():
        return []
    found = [(path.stat().st_mtime, path) for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]
    removed, kept_bytes = [], 0
    for nth, (changed_utc, path) in enumerate(sorted(found, reverse=True)):
        kept_bytes += sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        is_too_much = nth >= MAX_FOLDERS or (nth > 0 and kept_bytes > MAX_BYTES)
        if is_too_much or time.time() - changed_utc > keep_s:
            shutil.rmtree(path)
            removed.append(path.name)
    return removed
