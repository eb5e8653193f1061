from __future__ import annotations

import pytest

from ipc.messages import PROCESSES
from ipc.settings import LifeSettings, WatchdogSettings
from watchdog.records import limits_of


@pytest.mark.parametrize("process", PROCESSES)
def test_each_process_has_the_thresholds_of_the_settings(process: str) -> None:
    """400 and 480 MB for all but the analyzer, which holds the model."""
    settings = WatchdogSettings()
    limits = limits_of(process, settings, LifeSettings())
    analyzer = (settings.analyzer_memory_warning_mb, settings.analyzer_memory_limit_mb)
    assert (limits.warning_mb, limits.limit_mb) == (analyzer if process == "analyzer" else (400, 480))


def test_the_watchdog_is_never_quarantined() -> None:
    """Who would start it again? It ends itself, and supervisord replaces it."""
    limits = limits_of("watchdog", WatchdogSettings(), LifeSettings())
    assert limits.intensity > 1_000_000


def test_a_long_beat_interval_makes_silence_mean_later() -> None:
    """Beats every 30 s with a hang after 10 s would restart everybody all the time."""
    limits = limits_of("api", WatchdogSettings(watchdog_hang_after_s=10), LifeSettings(beat_interval_s=30))
    assert limits.hang_after_s == 90


def test_a_stop_has_the_time_that_the_process_allows_itself() -> None:
    """A second more than its own grace, so that SIGKILL comes after its own last word."""
    assert limits_of("api", WatchdogSettings(), LifeSettings(shutdown_grace_s=8)).stop_s == 9
