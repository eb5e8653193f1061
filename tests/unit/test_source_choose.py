"""Which source the settings mean."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from agent.sources.choose import choose
from ipc.settings import CollectorSettings, Secret

CREDENTIALS: dict[str, Any] = {"reddit_client_id": "an id", "reddit_client_secret": Secret("a secret")}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "sample"),
        ({"archive_path": "/somewhere"}, "archive"),
        (CREDENTIALS, "reddit"),
        (CREDENTIALS | {"archive_path": "/somewhere"}, "reddit"),
        (CREDENTIALS | {"collection_source": "sample"}, "sample"),
        (CREDENTIALS | {"archive_path": "/somewhere", "collection_source": "archive"}, "archive"),
        ({"archive_path": "/somewhere", "collection_source": "sample"}, "sample"),
        (CREDENTIALS | {"collection_source": "reddit"}, "reddit"),
    ],
)
def test_the_settings_choose(given: dict[str, Any], name: str) -> None:
    """What is named is taken; ``auto`` takes what there are settings for, Reddit first."""
    assert choose(CollectorSettings(**given)).name == name


_WITHOUT = """
import sys
sys.modules |= dict.fromkeys(["asyncpraw", "asyncprawcore", "zstandard", "aiohttp"])
from agent.sources.choose import choose
from ipc.errors import SettingsError
from ipc.settings import CollectorSettings
try:
    print(choose(CollectorSettings(collection_source=sys.argv[1])).name)
except SettingsError as error:
    print(error)
"""


def _choose_without_extra(source: str) -> str:
    """Choose in a Python where what the extra brings can't be imported."""
    command = [sys.executable, "-c", _WITHOUT, source]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()


def test_the_sample_needs_no_extra() -> None:
    """A first run goes without asyncpraw and zstandard."""
    assert _choose_without_extra("sample") == "sample"


@pytest.mark.parametrize(("source", "library"), [("reddit", "asyncpraw"), ("archive", "zstandard")])
def test_a_missing_extra_is_told_in_words(source: str, library: str) -> None:
    """The operator reads what to install."""
    told = _choose_without_extra(source)
    assert told == (
        f"the source {source} needs {library}, which is not installed: pip install 'sentimentagent[collector]'"
    )
