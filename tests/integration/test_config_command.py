from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from ipc.config_command import config

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home that the command finds."""
    monkeypatch.setenv("SENTIMENTAGENT_HOME", str(tmp_path))
    return tmp_path


def test_a_threshold_below_its_baseline_is_a_warning_and_no_error(home: Path) -> None:
    """Somebody may mean it; nobody should miss it."""
    (home / ".env").write_text("ANALYZER_MEMORY_WARNING_MB=200\nANALYZER_MEMORY_LIMIT_MB=300\n")
    done = CliRunner().invoke(config, ["check", "--quiet"])
    assert done.exit_code == 0
    assert done.stdout == ""
    first, second = done.stderr.splitlines()
    assert first.startswith("warning: ANALYZER_MEMORY_WARNING_MB=200 is below the 520 MB that analyzer holds")
    assert second.startswith("warning: ANALYZER_MEMORY_LIMIT_MB=300 is below the 520 MB")


def test_an_unknown_name_is_an_error_with_the_nearest_real_one(home: Path) -> None:
    """Exit status 78, as a process with such settings would end."""
    (home / ".env").write_text("MEMORY_LIMITS_MB=600\n")
    done = CliRunner().invoke(config, ["check"])
    assert done.exit_code == 78
    assert done.stdout == ""
    assert "MEMORY_LIMITS_MB" in done.stderr
    assert "did you mean MEMORY_LIMIT_MB?" in done.stderr


def test_values_are_shown_with_their_origin_and_secrets_are_not(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in force, and which line of which file to change."""
    (home / ".env").write_text("SMTP_HOST=mail\nSMTP_PASSWORD=hunter2\nALERT_FROM=a@b.org\nALERT_TO=c@d.org\n")
    monkeypatch.setenv("API_PORT", "8123")
    done = CliRunner().invoke(config, ["check"])
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert "API_PORT=8123  # environment" in lines
    assert f"SMTP_PASSWORD=***  # {home}/.env" in lines
    assert "LOG_LEVEL=INFO  # default" in lines
    assert "hunter2" not in done.output
