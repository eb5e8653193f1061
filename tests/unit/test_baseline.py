from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ipc.baseline import BASELINE_MB, baseline_mb, budget_mb, low_thresholds
from ipc.environment import load
from ipc.messages import PROCESSES
from ipc.settings import WatchdogSettings

if TYPE_CHECKING:
    from pathlib import Path


def test_the_defaults_are_above_every_baseline() -> None:
    """No warning where nothing was changed."""
    assert list(low_thresholds(WatchdogSettings())) == []
    assert set(BASELINE_MB) == set(PROCESSES)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (WatchdogSettings(memory_warning_mb=40), [("MEMORY_WARNING_MB=40", "api", "warn for ever")]),
        (
            WatchdogSettings(memory_warning_mb=20, memory_limit_mb=40),
            [
                ("MEMORY_WARNING_MB=20", "collector", "warn for ever"),
                ("MEMORY_WARNING_MB=20", "api", "warn for ever"),
                ("MEMORY_LIMIT_MB=40", "api", "restarted again and again"),
                ("MEMORY_WARNING_MB=20", "watchdog", "warn for ever"),
            ],
        ),
        (
            WatchdogSettings(analyzer_memory_warning_mb=480, analyzer_memory_limit_mb=600),
            [("ANALYZER_MEMORY_WARNING_MB=480", "analyzer", "warn for ever")],
        ),
        (
            WatchdogSettings(family_memory_mb=600),
            [("FAMILY_MEMORY_MB=600", "all processes", "one of them would be restarted again and again")],
        ),
    ],
)
def test_a_threshold_below_a_baseline_is_named(settings: WatchdogSettings, says: list[tuple[str, str, str]]) -> None:
    """The setting, the process and what it would lead to."""
    sentences = list(low_thresholds(settings))
    assert len(sentences) == len(says)
    for sentence, words in zip(sentences, says, strict=True):
        assert all(word in sentence for word in words)


def test_the_compiled_engine_has_a_baseline_of_its_own(tmp_path: Path) -> None:
    """What is far too low for flair fits onnx, and is not warned of."""
    thresholds = {"ANALYZER_MEMORY_WARNING_MB": "250", "ANALYZER_MEMORY_LIMIT_MB": "400"}
    home = {"SENTIMENTAGENT_HOME": str(tmp_path)}
    assert load({**home, **thresholds, "SENTIMENT_ENGINE": "onnx"}).warnings == ()
    assert len(load({**home, **thresholds}).warnings) == 2
    assert baseline_mb("flair") == BASELINE_MB


def test_all_limits_together_are_what_the_machine_should_have() -> None:
    """Three processes under one limit, the analyzer under its own."""
    assert budget_mb(WatchdogSettings()) == 3 * 480 + 1300
    assert budget_mb(WatchdogSettings(family_memory_mb=2000)) == 2000
    assert budget_mb(WatchdogSettings(family_memory_mb=9000)) == 3 * 480 + 1300


def test_the_settings_carry_the_warning(tmp_path: Path) -> None:
    """So that every process logs it at its start, and `config check` prints it."""
    settings = load({"SENTIMENTAGENT_HOME": str(tmp_path), "MEMORY_WARNING_MB": "40", "MEMORY_LIMIT_MB": "45"})
    assert [warning.split("=")[0] for warning in settings.warnings] == ["MEMORY_WARNING_MB", "MEMORY_LIMIT_MB"]
