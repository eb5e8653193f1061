"""Where peers are found: in a folder that they were put into, or installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path


def find(folder: Path | None, inside: str) -> str:
    """Return the program at ``inside`` the folder, or the one of its name on PATH; "" where there is neither."""
    if folder is not None and (folder / inside).exists():
        return str((folder / inside).absolute())
    return shutil.which(Path(inside).name) or ""


def said_version(*command: str) -> str:
    """Return the first version number that this command prints, or "?"."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    found = re.search(r"\d+\.\d+(\.\d+)?", done.stdout)
    return found.group() if found else "?"
