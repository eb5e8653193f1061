"""The process ``api``: settings, life, service."""

from __future__ import annotations

import sys

from api.service import ApiService
from ipc.life import run


def main() -> None:
    """Run the API until it is told to stop; exit with 0, 1, or 78 when the settings are wrong."""
    sys.exit(run("api", ApiService))
