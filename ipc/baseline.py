"""What each process holds right after its start, and what to say of thresholds below that.

A limit below a process's own baseline restarts a process that does nothing wrong, for ever; a warning level below it
never ends. Values and words only: nothing is measured here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ipc.settings import WatchdogSettings

#: RSS in MB of a process that is ready and has done next to nothing, as `sentimentagent status` shows it 40 s after a
#: start on sample data (Linux, Python 3.11, the embedded model in flair): rounded up. Another SENTIMENT_MODEL holds
#: another sum.
BASELINE_MB: Final[Mapping[str, int]] = {"collector": 32, "analyzer": 520, "api": 47, "watchdog": 31}
#: The analyzer's by SENTIMENT_ENGINE, read the same way.
_ANALYZER_MB: Final[Mapping[str, int]] = {"flair": BASELINE_MB["analyzer"], "onnx": 107}
#: When :data:`BASELINE_MB` is held.
_AT_START: Final = "right after its start"

#: What a warning level, and what a limit below the baseline leads to.
_EFFECTS: Final = ("health would warn for ever", "it would be restarted again and again")


def baseline_mb(engine: str) -> dict[str, int]:
    """Return the baselines with SENTIMENT_ENGINE ``engine``."""
    return {**BASELINE_MB, "analyzer": _ANALYZER_MB[engine]}


def thresholds_mb(process: str, settings: WatchdogSettings) -> dict[str, float]:
    """Return the two settings that ``process`` is judged by, by name: its warning level and its limit."""
    if process == "analyzer":
        return {
            "ANALYZER_MEMORY_WARNING_MB": settings.analyzer_memory_warning_mb,
            "ANALYZER_MEMORY_LIMIT_MB": settings.analyzer_memory_limit_mb,
        }
    return {"MEMORY_WARNING_MB": settings.memory_warning_mb, "MEMORY_LIMIT_MB": settings.memory_limit_mb}


def budget_mb(settings: WatchdogSettings) -> float:
    """Return what all processes may hold together before one of them is restarted."""
    limits_mb = sum(list(thresholds_mb(process, settings).values())[1] for process in BASELINE_MB)
    return min(limits_mb, settings.family_memory_mb or limits_mb)


def low_thresholds(
    settings: WatchdogSettings, held_mb: Mapping[str, int] = BASELINE_MB, when: str = _AT_START
) -> Iterator[str]:
    """Yield a sentence for each threshold that is below what a process under it holds anyway, and ``when``."""
    together_mb = sum(held_mb.values())
    if when == _AT_START and 0 < settings.family_memory_mb < together_mb:
        yield (
            f"FAMILY_MEMORY_MB={settings.family_memory_mb:g} is below the {together_mb} MB that all processes hold"
            " right after their start: one of them would be restarted again and again"
        )
    for process, own_mb in held_mb.items():
        for (name, threshold_mb), effect in zip(thresholds_mb(process, settings).items(), _EFFECTS, strict=True):
            if threshold_mb < own_mb:
                yield f"{name}={threshold_mb:g} is below the {own_mb} MB that {process} holds {when}: {effect}"
