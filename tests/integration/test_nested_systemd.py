"""The harness of tests/e2e/test_systemd.py: what happens inside stays inside."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness.nested_systemd import NestedSystemd, why_not


@pytest.fixture(autouse=True)
def _is_possible() -> None:
    """Skip, visibly, where no systemd can be booted."""
    if (reason := why_not()) is not None:
        pytest.skip(reason)


def test_a_command_brings_its_output_and_status_out_and_leaves_nothing(tmp_path: Path) -> None:
    """What was bound is unchanged; and a control group goes only when the last process in it is gone."""
    (tmp_path / "brought").write_text("from outside")
    with NestedSystemd({tmp_path: "/srv/here"}) as nested:
        done = nested.run("bash", "-c", "cat /srv/here/brought; echo also this >&2; exit 7")
        assert (done.returncode, done.stdout) == (7, "from outsidealso this\n")
        assert nested.run("cat", "/proc/1/comm").stdout == "systemd\n"
        assert nested.run("touch", "/etc/nested-was-here").returncode == 0
        assert nested.run("touch", "/srv/here/written").returncode != 0
        groups, folder = nested._groups, nested._folder
        assert groups
        assert all(group.exists() for group in groups)
    assert not Path("/etc/nested-was-here").exists()
    assert not any(group.exists() for group in groups)
    assert not folder.exists()


def test_a_command_that_does_not_end_is_no_longer_waited_for() -> None:
    """Everything is bounded in time, and the end of the nested systemd ends the command too."""
    with NestedSystemd({}) as nested, pytest.raises(TimeoutError, match="sleep 1000"):
        nested.run("sleep", "1000", timeout_s=0.5)
