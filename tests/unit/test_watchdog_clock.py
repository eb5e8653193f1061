from __future__ import annotations

import pytest

from watchdog.clock import Clock


def test_the_clock_runs_with_the_rounds() -> None:
    """While rounds come in time, it is the monotonic clock from zero."""
    clock = Clock(1000.0, longest_step_s=1.0)
    assert [clock.tick(1000.0 + s) for s in (0.25, 0.5, 1.5)] == [0, 0, 0]
    assert clock.at(1501.5) == 2.5
    assert clock.at(1501.4) == 2.5


def test_suspend_and_starvation_are_lost_time_and_nobodys_silence() -> None:
    """systemd#20284, systemd#38517: after a suspend, or starved, everybody is found to have hung.

    An hour without a round counts as the longest step, and is said to be lost.
    """
    clock = Clock(0.0, longest_step_s=1.0)
    assert clock.tick(3600.0) == 3599.0
    assert clock.at(3600.0) == 1.0
    assert clock.lost_s == 3599.0


@pytest.mark.parametrize("moment_s", [900.0, 1000.0])
def test_the_clock_never_runs_back(moment_s: float) -> None:
    """A monotonic clock does not either, but a test of it costs nothing."""
    clock = Clock(1000.0, longest_step_s=1.0)
    assert clock.tick(moment_s) == 0
    assert clock.at(moment_s) == 0
