"""What every test shares: an environment without our names, and a folder short enough for a socket."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from harness.system import find_data_folder

from ipc.environment import PLACES, RETIRED
from ipc.settings import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove our own settings, so that a developer's environment changes no result."""
    for name in (*NAMES, *PLACES, *RETIRED, "NOTIFY_SOCKET", "SUPERVISOR_ENABLED", "SUPERVISOR_SERVER_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def short_path() -> Iterator[Path]:
    """Return a folder whose path leaves room for a socket's name: 108 bytes are all there is."""
    folder = tempfile.mkdtemp(prefix="sa", dir="/tmp")
    yield Path(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def data_folder() -> Path:
    """Return the folder with real posts and labelled comments; skip where it is not."""
    folder = find_data_folder()
    if not folder.is_dir():
        pytest.skip(f"the data folder {folder} is not here: SENTIMENTAGENT_TEST_DATA names another one")
    return folder
