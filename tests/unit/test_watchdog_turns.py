"""Weekly restarts, one after the other, over processes whose ages are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from ipc.messages import PROCESSES
from watchdog import turns
from watchdog.planned import plan
from watchdog.quiet import Quiet
from watchdog.records import Limits, Record, Sample, Verdict
from watchdog.watched import Watched

if TYPE_CHECKING:
    from pathlib import Path

    from watchdog.sample import Process

WEEK_S = 7 * 86_400.0
#: Quiet the whole day, so that the test does not depend on when it is run.
LIMITS = Limits(warning_mb=400, limit_mb=480, quiet=Quiet(0, 24 * 60), is_weekly=True)


class Aged:
    """A process of a certain age: the far end of what the watchdog holds."""

    def __init__(self, uptime_s: float) -> None:
        self.uptime_s = uptime_s
        self.died = self

    def is_set(self) -> bool:
        """Whether it has died."""
        return False


def watched(folder: Path, **uptimes_s: float | None) -> dict[str, Watched]:
    """Return all four, well and a week old but for those that are named; None is one that does not run."""
    everybody = {name: Watched(name, LIMITS, folder / name) for name in PROCESSES}
    for name, each in everybody.items():
        uptime_s = uptimes_s.get(name, WEEK_S)
        each.process = None if uptime_s is None else cast("Process", Aged(uptime_s))
        each.supervisor_state, each.verdict = "RUNNING", Verdict(name="ok", reason="")
    return everybody


def turn(everybody: dict[str, Watched]) -> list[str]:
    """Return whose turn it is."""
    turns.assign(everybody.values())
    return [name for name, each in everybody.items() if each.is_its_turn]


def test_all_are_restarted_once_a_week_one_at_a_time_and_the_api_last(tmp_path: Path) -> None:
    """Ten minutes of a quiet night, second by second: a restart takes 9 s, and a minute lies between two."""
    everybody, ended = watched(tmp_path), []
    back_s: dict[str, int] = {}
    for now_s in range(600):
        for name, each in everybody.items():
            if each.process:
                cast("Aged", each.process).uptime_s += 1
            elif back_s[name] == now_s:
                each.process, each.verdict = cast("Process", Aged(0)), Verdict(name="ok", reason="")
        turns.assign(everybody.values())
        for name, each in everybody.items():
            sample = Sample(
                at_s=now_s, supervisor="RUNNING", uptime_s=each.uptime_s, is_quiet=True, is_its_turn=each.is_its_turn
            )
            verdict, _ = plan(Record(), sample, LIMITS)
            if verdict.action:
                ended.append((name, now_s))
                each.process, each.verdict, back_s[name] = None, verdict, now_s + 9
    assert ended == [("collector", 0), ("analyzer", 69), ("watchdog", 138), ("api", 207)]


@pytest.mark.parametrize(
    ("name", "changed", "expected"),
    [
        ("analyzer", {"verdict": Verdict(name="strike", reason="")}, []),
        ("analyzer", {"is_being_mended": True}, []),
        ("analyzer", {"process": None, "verdict": Verdict(name="crashed", reason="")}, []),
        ("analyzer", {"process": None, "verdict": Verdict(name="quarantined", reason="")}, ["collector"]),
        ("collector", {"process": None, "verdict": Verdict(name="stopped", reason="")}, ["analyzer"]),
        ("collector", {"process": None, "supervisor_state": "ABSENT"}, ["analyzer"]),
        ("api", {"verdict": Verdict(name="warning", reason="")}, ["collector"]),
    ],
)
def test_nobody_is_restarted_for_the_week_while_another_comes_or_goes(
    tmp_path: Path, name: str, changed: dict[str, Any], expected: list[str]
) -> None:
    """Who was stopped, or is in quarantine, is waited for by nobody."""
    everybody = watched(tmp_path)
    for field, value in changed.items():
        setattr(everybody[name], field, value)
    assert turn(everybody) == expected


def test_a_watchdog_that_has_just_come_back_goes_on_with_the_api(tmp_path: Path) -> None:
    """It remembers nothing of the night: ages say it all."""
    assert turn(watched(tmp_path, collector=200.0, analyzer=130.0, watchdog=59.0)) == []
    assert turn(watched(tmp_path, collector=201.0, analyzer=131.0, watchdog=60.0)) == ["api"]


def test_without_supervisord_it_is_nobodys_turn(tmp_path: Path) -> None:
    """Who would start it again?"""
    everybody = watched(tmp_path)
    for each in everybody.values():
        each.supervisor_state = None
    assert turn(everybody) == []
