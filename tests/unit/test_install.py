"""What an installation lays down fits together; what it does is shown in tests/e2e/test_systemd.py."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from ipc.environment import PLACES
from ipc.life import EX_CONFIG

ROOT = Path(__file__).parents[2]
INSTALL = ROOT / "deployment" / "install.sh"
SCRIPTS = (
    "start.sh",
    "test.sh",
    "deployment/install.sh",
    "deployment/sentimentagent-on-server",
    "tests/harness/nested_systemd.sh",
)


@pytest.fixture
def service() -> configparser.SectionProxy:
    """Return the unit's [Service]; a key that stands several times keeps its last value."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(ROOT / "systemd" / "sentimentagent.service")
    return parser["Service"]


def test_every_folder_of_an_installed_copy_is_one_that_the_unit_makes(service: configparser.SectionProxy) -> None:
    """ProtectSystem=strict leaves no other to write into; each name is one that the settings know."""
    lines = (ROOT / "deployment" / "server.env").read_text().splitlines()
    folders = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    assert set(folders) == set(PLACES)
    assert service["EnvironmentFile"] == "/opt/sentimentagent/deployment/server.env"
    assert folders["SENTIMENTAGENT_RUN_DIR"] == f"/run/{service['RuntimeDirectory']}"
    assert folders["SENTIMENTAGENT_LOG_DIR"] == f"/var/log/{service['LogsDirectory']}"
    assert (
        folders["SENTIMENTAGENT_STATE_DIR"] == folders["SENTIMENTAGENT_HOME"] == f"/var/lib/{service['StateDirectory']}"
    )


def test_wrong_settings_end_the_main_process_and_are_not_tried_again(service: configparser.SectionProxy) -> None:
    """Supervisord never ends with 78; what checks the settings and then becomes supervisord does."""
    assert " start --conf " in service["ExecStart"]
    assert service["RestartPreventExitStatus"] == str(EX_CONFIG)


@pytest.mark.parametrize("script", SCRIPTS)
def test_shellcheck_has_nothing_to_say(script: str) -> None:
    """A script that root runs on a server is worth the second reader."""
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not here")
    command = ["shellcheck", "--external-sources", "--exclude=SC1091", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout + done.stderr == ""


@pytest.mark.parametrize(("options", "status"), [(("--help",), 0), (("--instal",), 2), (("--purge",), 2)])
def test_a_word_that_is_not_understood_does_nothing(options: tuple[str, ...], status: int) -> None:
    """It prints how the script is called; --purge alone is no order to remove anything."""
    done = subprocess.run([INSTALL, *options], capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == status
    assert "--venv-from DIR" in done.stdout + done.stderr
