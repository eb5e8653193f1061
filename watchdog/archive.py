"""A support archive in the making: parts that are there, parts that are not and why, and a manifest of both.

It knows nothing of what it carries.
"""

from __future__ import annotations

import io
import os
import tarfile
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_KB: Final = 1024


class Archive:
    """Collects files, then writes them as one `.tar.gz`."""

    def __init__(self, name: str, made_utc: float) -> None:
        self._name = name
        self._made_utc = made_utc
        self._files: dict[str, tuple[bytes, str]] = {}
        self._missing: dict[str, str] = {}

    def put(self, name: str, text: str, about: str) -> None:
        """Take a file; ``about`` says in the manifest what it is."""
        self._files[name] = (text.encode(), about)

    def miss(self, name: str, why: str) -> None:
        """Note that a file could not be made."""
        self._missing[name] = why

    def manifest(self, notes: str) -> str:
        """Return what is in it, what is not, and ``notes``."""
        sizes = [f"  {name:<26}{len(data) / _KB:>8.1f} kB  {about}" for name, (data, about) in self._files.items()]
        missing = [f"  {name:<26}{why}" for name, why in self._missing.items()] or ["  nothing"]
        made = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(self._made_utc))
        return "\n".join([f"{self._name}, made {made}", "", "In it:", *sizes, "", "Missing:", *missing, "", notes, ""])

    def write(self, folder: Path, notes: str) -> Path:
        """Write it into ``folder``, whole and readable by this user alone; return its path.

        Raises:
            OSError: the folder does not take it.

        """
        self.put("manifest.txt", self.manifest(notes), "this list")
        path = folder / f"{self._name}.tar.gz"
        new = path.with_name(f".{path.name}.new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as tar:
                for name, (data, _) in sorted(self._files.items(), key=lambda each: each[0] != "manifest.txt"):
                    self._add(tar, name, data)
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)
        return path

    def _add(self, tar: tarfile.TarFile, name: str, data: bytes) -> None:
        # No owner, no group: who ran this is nobody's business.
        entry = tarfile.TarInfo(f"{self._name}/{name}")
        entry.size, entry.mtime, entry.mode = len(data), int(self._made_utc), 0o600
        tar.addfile(entry, io.BytesIO(data))
