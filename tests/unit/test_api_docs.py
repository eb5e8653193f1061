"""docs/api.md names what is served, and the fields that are answered."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from agent.store.choose import open_reader
from api import answers, events, freshness, health, lines, observer, overview, shift_routes, system_answers, trending
from api.application import build
from api.version import Version
from api.vitals import Vitals
from ipc.environment import load
from ipc.life import Pulse

TEXT = (Path(__file__).parents[2] / "docs" / "api.md").read_text()


def test_every_route_is_documented(tmp_path: Path) -> None:
    """A path that is served and not told, or told and not served, would surprise somebody."""
    settings = load({"SENTIMENTAGENT_HOME": str(tmp_path)})
    vitals = Vitals(tmp_path / "none.sock", 1.0)
    application = build(settings, open_reader(settings), vitals, Pulse("api"), Version("0", None))
    served = {resource.canonical.removeprefix("/api/v1") for resource in application.router.resources()}
    assert served
    assert not [path for path in served - {"/static/{hash}/{name}"} if f"`{path}`" not in TEXT]


@pytest.mark.parametrize(
    "kind",
    [
        answers.Stats,
        answers.Statistics,
        answers.Trends,
        answers.Post,
        answers.ExplainedPost,
        answers.Explanation,
        answers.WordEffect,
        answers.Subreddits,
        answers.Triggered,
        lines.Window,
        overview.Overview,
        overview.Line,
        overview.Previous,
        overview.NetPoint,
        shift_routes.Shifts,
        shift_routes.ToldShift,
        shift_routes.Side,
        shift_routes.ShiftWord,
        shift_routes.TextsRead,
        trending.Trend,
        trending.SentimentDistribution,
        health.Health,
        health.OwnProcess,
        health.Application,
        health.Database,
        health.ProcessHealth,
        health.WatchdogHealth,
        system_answers.System,
        system_answers.SystemProcess,
        system_answers.Forecast,
        system_answers.MemoryAt,
        system_answers.PastIncident,
        system_answers.WatchdogNow,
        system_answers.Outbox,
        system_answers.EventsNow,
        freshness.Fresh,
        events.Hello,
        observer.DataChanged,
        observer.HealthChanged,
        observer.SystemChanged,
        observer.ProcessNow,
    ],
)
def test_every_field_is_documented(kind: type[msgspec.Struct]) -> None:
    """Each field of each answer stands in the page by its name."""
    assert not [field.name for field in msgspec.structs.fields(kind) if f"`{field.name}`" not in TEXT]
