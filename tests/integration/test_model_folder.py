"""What is wrong with a model's files is said before torch is imported, once, by the analyzer's own process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.sentiment.model_folder import EMBEDDED, WEIGHTS, examine, folder_of
from ipc.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

ANALYZER = Path(sys.executable).parent / "sentimentagent-analyzer"


def cut_off(folder: Path) -> None:
    """As by a download that broke off."""
    os.truncate(folder / WEIGHTS, 100_000)


def lose_a_file(folder: Path) -> None:
    """As by a copy that was not whole."""
    (folder / "tokenizer.json").unlink()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (shutil.rmtree, "expected a folder, found nothing"),
        (cut_off, "found 100000 bytes"),
        (lose_a_file, "expected a readable tokenizer.json"),
    ],
    ids=["missing", "truncated", "incomplete"],
)
def test_a_model_that_is_not_whole_ends_the_analyzer_before_torch_is_imported(
    short_path: Path, damage: Callable[[Path], object], says: str
) -> None:
    """Status 78 and one sentence; flair would take 5 to 8 s to import, at each try."""
    folder = Path(shutil.copytree(EMBEDDED, short_path / "model"))
    damage(folder)
    environ = os.environ | {"SENTIMENTAGENT_HOME": str(short_path), "SENTIMENT_MODEL": str(folder)}
    command = [sys.executable, "-X", "importtime", str(ANALYZER)]
    with subprocess.Popen(command, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 78
    told = [line for line in said.splitlines() if "The process ends" in line]
    assert len(told) == 1
    assert says in told[0]
    assert "kind=SettingsError" in told[0]
    imported = {line.rpartition("|")[2].strip() for line in said.splitlines() if line.startswith("import time:")}
    assert "agent.analyzer" in imported
    assert imported.isdisjoint({"torch", "flair"})
    assert usage.ru_utime + usage.ru_stime < 1.5


def test_the_embedded_model_is_whole_and_a_hub_name_is_no_folder() -> None:
    """The check takes none of the good ones for bad."""
    config, tokenizer = examine(EMBEDDED)
    assert config.labels == ["positive", "neutral", "negative"]
    assert tokenizer
    assert folder_of("embedded") == EMBEDDED
    assert folder_of("flair:sentiment") is None


@pytest.mark.parametrize("content", [b"", b"\x05", b"\x02\0\0\0\0\0\0\0{}", b"\xff" * 64])
def test_weights_that_begin_with_something_else_are_told(tmp_path: Path, content: bytes) -> None:
    """Whatever stands where the header should be."""
    folder = Path(shutil.copytree(EMBEDDED, tmp_path / "model"))
    (folder / WEIGHTS).write_bytes(content)
    with pytest.raises(ModelError, match=f"found {len(content)} bytes whose header"):
        examine(folder)
