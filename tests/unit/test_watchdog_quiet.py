from __future__ import annotations

import time

import pytest

from ipc.environment import load
from ipc.errors import SettingsError
from watchdog.quiet import Quiet


@pytest.mark.parametrize(
    ("window", "moment", "holds"),
    [
        ("03:00-05:00", "02:59", False),
        ("03:00-05:00", "03:00", True),
        ("03:00-05:00", "04:59", True),
        ("03:00-05:00", "05:00", False),
        ("23:30-01:00", "23:29", False),
        ("23:30-01:00", "23:30", True),
        ("23:30-01:00", "00:59", True),
        ("23:30-01:00", "01:00", False),
    ],
)
def test_a_window_holds_its_minutes(window: str, moment: str, holds: bool) -> None:  # noqa: FBT001 - a table
    """Over midnight too."""
    quiet = Quiet.of(window)
    assert quiet
    assert quiet.holds(time.strptime(moment, "%H:%M")) == holds


def test_no_window_is_none() -> None:
    """Nobody has said when it is quiet."""
    assert Quiet.of("") is None


@pytest.mark.parametrize("words", ["3-5", "03:00", "24:00-05:00", "03:00-05:60", "03:00 - 05:00"])
def test_a_window_that_is_none_is_a_wrong_setting(words: str) -> None:
    """It is named."""
    with pytest.raises(SettingsError, match="RESTART_WINDOW"):
        load({"SENTIMENTAGENT_HOME": "/nowhere", "RESTART_WINDOW": words})


def test_a_weekly_restart_needs_a_window() -> None:
    """Else it would come at any time of the day."""
    with pytest.raises(SettingsError, match="RESTART_WINDOW"):
        load({"SENTIMENTAGENT_HOME": "/nowhere", "RESTART_WEEKLY": "yes"})
