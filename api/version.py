"""Which version runs, and of which commit."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec

#: Reading one reference takes milliseconds; a slow disk must not hold up the start. Chosen, not measured.
_GIT_TIMEOUT_S: Final = 1.0


class Version(msgspec.Struct, frozen=True):
    """What runs."""

    number: str
    #: From a checkout's git, or from the file COMMIT that the installation left; None where neither is.
    commit: str | None


def find() -> Version:
    """Return the version that runs. Blocks: it asks git."""
    return Version(version("sentimentagent"), _commit(Path(__file__).parents[1]))


def _commit(folder: Path) -> str | None:
    if not (folder / ".git").exists():
        return _installed(folder / "COMMIT")
    try:
        found = subprocess.run(
            ("git", "-C", str(folder), "rev-parse", "HEAD"),  # noqa: S607 - wherever the operator has git
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None


def _installed(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except (OSError, UnicodeDecodeError):
        return None
