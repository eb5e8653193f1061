"""What `sentimentagent start` says before it becomes supervisord."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from watchdog.start_command import start, way_to_stop

if TYPE_CHECKING:
    from pathlib import Path

UNDER_SYSTEMD = {"INVOCATION_ID": "3f", "NOTIFY_SOCKET": "/run/systemd/notify"}


@pytest.mark.parametrize(
    ("environ", "is_terminal", "way"),
    [
        ({}, True, "Ctrl-C"),
        ({"INVOCATION_ID": "3f"}, True, "Ctrl-C"),
        (UNDER_SYSTEMD, False, "systemctl stop sentimentagent"),
        (UNDER_SYSTEMD, True, "systemctl stop sentimentagent"),
        ({"INVOCATION_ID": "3f"}, False, "systemctl stop sentimentagent"),
        ({}, False, f"SIGTERM to process {os.getpid()}"),
    ],
)
def test_a_stop_is_told_that_works_where_it_was_started(environ: dict[str, str], is_terminal: bool, way: str) -> None:  # noqa: FBT001 - a table
    """In a service's journal nobody can press Ctrl-C."""
    assert way_to_stop(environ, is_terminal=is_terminal) == way


def test_a_service_reads_nothing_of_terminals(tmp_path: Path) -> None:
    """Neither in the introduction, nor when the port is taken."""
    conf = tmp_path / "conf"
    conf.write_text("")
    with socket.create_server(("127.0.0.1", 0)) as other:
        environ = {**UNDER_SYSTEMD, "SENTIMENTAGENT_HOME": str(tmp_path), "API_PORT": "0"}
        said = CliRunner().invoke(start, ["--check", "--conf", str(conf)], env=environ)
        environ["API_PORT"] = str(other.getsockname()[1])
        refused = CliRunner().invoke(start, ["--check", "--conf", str(conf)], env=environ)
    assert (said.exit_code, refused.exit_code) == (0, 78)
    assert "systemctl stop sentimentagent" in said.output
    assert "is taken by another program" in refused.output
    for word in ("Ctrl-C", "start.sh"):
        assert word not in said.output + refused.output
