from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from ipc.environment import load
from ipc.errors import SettingsError
from ipc.messages import Beat
from watchdog import victim
from watchdog.policy import judge, settled
from watchdog.records import Limits, Record, Sample
from watchdog.sample import Stat
from watchdog.watched import Watched

LIMITS = Limits(warning_mb=1000, limit_mb=1300, restart_settle_s=3600)


@pytest.mark.parametrize(
    ("held_mb", "excess_mb", "chosen"),
    [
        ({"collector": 400, "analyzer": 1000, "api": 400}, 100, "collector"),
        ({"collector": 40, "analyzer": 1000, "api": 400}, 100, "analyzer"),
        ({"collector": 40, "analyzer": 530, "api": 400}, 100, "api"),
        ({"collector": 100, "analyzer": 600, "api": 400}, 900, "analyzer"),
        ({"collector": 40, "analyzer": 530, "api": 400}, 900, "api"),
        ({"collector": 40, "analyzer": 530, "api": 50, "watchdog": 900}, 900, None),
        ({"watchdog": 900}, 100, None),
        ({}, 100, None),
    ],
)
def test_the_victim_costs_the_user_least(held_mb: dict[str, float], excess_mb: float, chosen: str | None) -> None:
    """The table: enough first, then most, the API last, and nobody where a restart would give nothing back."""
    assert victim.victim(held_mb, excess_mb) == chosen


def test_the_excess_is_told_to_the_victim_alone() -> None:
    """Who was not measured holds nothing that is known; without a budget nobody gives way."""
    family = [Watched(name, LIMITS, Path("control.sock")) for name in ("collector", "analyzer", "api")]
    for each, rss_mb in zip(family, (300.0, 900.0), strict=False):
        each.stat = Stat(run_state="S", parent=1, cpu_s=0, start_ticks=1, rss_mb=rss_mb)
    victim.assign(family, 1100)
    assert [each.family_excess_mb for each in family] == [100, None, None]
    victim.assign(family, 1200)
    assert [each.family_excess_mb for each in family] == [None, None, None]
    victim.assign(family, 0)
    assert [each.family_excess_mb for each in family] == [None, None, None]


def test_the_victim_gives_way_drained_and_not_twice_in_an_hour() -> None:
    """Strikes as for its own limit; a restart that does not help the family is not repeated."""
    beat = Beat(process="collector", pid=1, state="ready", uptime_s=9, loop_lag_s=0, progress=1, waiting_for="items")
    over = Sample(
        at_s=900.0,
        supervisor="RUNNING",
        identity=(1, 1),
        rss_mb=400,
        family_excess_mb=100,
        beat=beat,
        beat_age_s=0.1,
        own_beat_age_s=0.1,
    )
    strike, record = judge(Record(identity=(1, 1)), over, LIMITS)
    assert (strike.name, strike.cause) == ("strike", "family")
    restart, record = judge(record, over, LIMITS)
    assert (restart.name, restart.cause, restart.action) == ("restart", "family", "restart")
    assert restart.drain_s == LIMITS.drain_s
    assert restart.reason == "the family is 100 MB over its budget, and this one, with 400 MB, gives way"
    record = settled(record, "restart", is_done=True, at_s=900.0, limits=LIMITS)
    told = []
    for n in range(1, 5):
        verdict, record = judge(record, replace(over, at_s=900.0 + 1000 * n), LIMITS)
        told.append((verdict.name, verdict.action))
    assert told == [("strike", None), ("warning", None), ("warning", None), ("restart", "restart")]


def test_a_budget_below_what_all_hold_anyway_is_refused() -> None:
    """No restart could ever keep it."""
    with pytest.raises(SettingsError, match="FAMILY_MEMORY_MB"):
        load({"SENTIMENTAGENT_HOME": "/nowhere", "FAMILY_MEMORY_MB": "500"})
