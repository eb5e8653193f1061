"""What is shipped for Prometheus and Grafana, held to what the API really tells."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fakes.processes import FakeWatchdog, process_report, status_report
from fakes.running_api import running_api
from fakes.stored import cycle, item, scored
from prometheus_client.parser import text_string_to_metric_families

from api.system_metrics import MAX_SUBREDDITS
from ipc.messages import Beat, Incident

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from prometheus_client import Metric

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deployment" / "prometheus"
DASHBOARD = ROOT / "deployment" / "grafana" / "sentimentagent.json"
RULES = (PROMETHEUS / "alerts.yml").read_text()
#: Of Prometheus itself.
ITS_OWN = {"up"}
#: Told for whoever wants more than the dashboard and the rules show.
UNSEEN = {
    "sentimentagent_api_cpu_percent",
    "sentimentagent_http_request_seconds_count",
    "sentimentagent_http_request_seconds_sum",
    "sentimentagent_process_gauge",
    "sentimentagent_process_progress_age_seconds",
    "sentimentagent_process_progress_total",
    "sentimentagent_process_uptime_seconds",
    "sentimentagent_subreddit_items",
    "sentimentagent_subreddit_newest_collected_timestamp_seconds",
    "sentimentagent_subreddits",
    "sentimentagent_watchdog_round_age_seconds",
    "sentimentagent_watchdog_uptime_seconds",
}
#: What Grafana puts in the place of its variables.
VARIABLES = {"$instance": ".*", "$process": ".*", "$__rate_interval": "5m"}


@pytest.fixture
async def text(short_path: Path) -> AsyncIterator[str]:
    """Return /metrics of a copy of which everything is known, and that is not all well."""
    run = short_path / "run"
    run.mkdir(mode=0o700)
    watchdog = FakeWatchdog()
    beat = Beat(
        process="collector",
        pid=1,
        state="ready",
        uptime_s=1,
        loop_lag_s=0,
        progress=1,
        gauges={"outbox_items": 3.0, "outbox_max_items": 200.0},
    )
    incident = Incident(id="i1", process="data", kind="source", opened_utc=1.0, closed_utc=None, reason="r", action="a")
    watchdog.report = status_report(
        process_report(
            "collector", beat=beat, slope_mb_per_h=3600.0, limit_reached_in_s=420.0, progress_age_s=3.0, restarts=2
        ),
        process_report("analyzer", supervisor_state="FATAL", verdict="quarantined"),
        incidents=(incident, incident, Incident(**(_fields(incident) | {"id": "i2", "closed_utc": 2.0}))),
    )
    async with (
        watchdog.at(run / "watchdog.sock"),
        running_api(short_path, BEAT_INTERVAL_S="0.1", SUBREDDITS="Cursor,aws") as api,
    ):
        now = int(time.time())
        others = [scored(item(f"t3_{nth}", subreddit=f"r{nth:03d}", created_utc=now)) for nth in range(MAX_SUBREDDITS)]
        hostile = scored(item("t3_h", subreddit='a"} 1\nsentimentagent_fake 1', created_utc=now))
        more = [hostile, scored(item("t3_i", subreddit=hostile.item.subreddit, created_utc=now))]
        await api.store(
            scored(item(created_utc=now - 60)), *others, *more, cycles=(cycle(finished_utc=now, failed=True),)
        )
        told = ""
        while 'verdict="quarantined"' not in told or 'kind="data"' not in told:
            told = await (await api.ask("GET", "/metrics")).text()
        yield told


def _fields(incident: Incident) -> dict[str, Any]:
    return {name: getattr(incident, name) for name in incident.__struct_fields__}


def families(text: str) -> dict[str, Metric]:
    """Return what is told, by name."""
    return {family.name: family for family in text_string_to_metric_families(text)}


def names(text: str) -> set[str]:
    """Return the names that a query may ask for."""
    found: set[str] = set()
    for name, family in families(text).items():
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}.get(family.type, ("",))
        found |= {name + suffix for suffix in suffixes}
    return found


def value(text: str, name: str, **labels: str) -> float:
    """Return the one line with these labels."""
    (found,) = (
        sample.value
        for family in families(text).values()
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    )
    return found


def expressions(node: Any) -> list[str]:  # noqa: ANN401 - JSON is anything
    """Return all queries in a dashboard."""
    if isinstance(node, list):
        return [found for each in node for found in expressions(each)]
    if not isinstance(node, dict):
        return []
    here = [node[key] for key in ("expr", "definition") if isinstance(node.get(key), str)]
    return here + [found for each in node.values() for found in expressions(each)]


def asked(queries: str) -> set[str]:
    """Return the metrics of ours that queries name."""
    return set(re.findall(r"\bsentimentagent_\w+", queries))


def test_the_dashboard_asks_only_for_what_is_told(text: str) -> None:
    """A panel that is empty for ever looks like a system that is well."""
    queries = expressions(json.loads(DASHBOARD.read_text()))
    assert len(queries) > 30
    assert asked("\n".join(queries)) - names(text) == set()


def test_a_metric_is_seen_or_said_to_be_for_others(text: str) -> None:
    """Whoever adds one says where it is seen, or that an alert is made of it."""
    assert names(text) - asked(DASHBOARD.read_text() + RULES) == UNSEEN


def test_every_metric_is_in_the_docs_and_none_that_is_not(text: str) -> None:
    """docs/monitoring.md is where somebody looks for a name."""
    page = (ROOT / "docs" / "monitoring.md").read_text().partition("\n## The metrics\n")[2]
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    assert {f"sentimentagent_{name}" for row in rows for name in re.findall(r"`(\w+)`", row)} == names(text)


def test_panels_do_not_lie_on_each_other() -> None:
    """Each place of the dashboard's 24 columns has one panel, and each panel its own number and words."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    places = [
        (x, y)
        for at in (panel["gridPos"] for panel in panels)
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(places) == len(set(places))
    assert max(x for x, _ in places) == 23
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["description"] for panel in panels if panel["type"] != "row")


def test_every_metric_that_a_rule_names_is_told(text: str) -> None:
    """A rule about a metric that is not there never fires."""
    rules = re.sub(r"#.*", "", RULES)
    assert len(asked(rules)) > 15
    assert asked(rules) - names(text) == set()
    exprs = " ".join(re.findall(r"expr: (?:>-\n\s+)?(.*)", rules))
    assert set(re.findall(r"(?<![\w{])(up)\b", exprs)) == ITS_OWN


def test_every_rule_is_tested_and_leads_to_a_section_of_the_runbook() -> None:
    """What somebody opens at night must be there."""
    alerts = re.findall(r"- alert: (\w+)", RULES)
    tested = (PROMETHEUS / "alerts_test.yml").read_text()
    assert len(alerts) == len(set(alerts)) > 15
    assert [alert for alert in alerts if f"alertname: {alert}\n" not in tested] == []
    headings = re.findall(r"^#+ (.+)$", (ROOT / "deployment" / "RUNBOOK.md").read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    named = re.findall(r"runbook: RUNBOOK\.md#(\S+)", RULES)
    assert len(named) == len(alerts)
    assert set(named) <= anchors


def test_promtool_finds_nothing_wrong(tmp_path: Path) -> None:
    """The rules, their tests, the configuration, and each query of the dashboard as Prometheus itself reads them."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not here: on Debian it comes with `apt-get install prometheus`")
    queries = [each for each in expressions(json.loads(DASHBOARD.read_text())) if not each.startswith("label_values")]
    for name, stands_for in VARIABLES.items():
        queries = [query.replace(name, stands_for) for query in queries]
    recorded = [{"record": f"panel:{nth}", "expr": query} for nth, query in enumerate(queries)]
    (tmp_path / "panels.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": recorded}]}))
    for command in (
        ("check", "config", "prometheus.yml"),
        ("test", "rules", "alerts_test.yml"),
        ("check", "rules", str(tmp_path / "panels.yml")),
    ):
        done = subprocess.run(
            [promtool, *command], cwd=PROMETHEUS, capture_output=True, text=True, timeout=50, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_what_the_watchdog_knows_is_told(text: str) -> None:
    """In base units; an incident that is over, and one more of the same kind, change nothing."""
    assert value(text, "sentimentagent_incident_open", process="data", kind="source", severity="critical") == 1
    assert len(families(text)["sentimentagent_incident_open"].samples) == 1
    assert value(text, "sentimentagent_process_verdict", process="analyzer", verdict="quarantined") == 1
    assert value(text, "sentimentagent_process_memory_growth_bytes_per_second", process="collector") == 1024 * 1024
    assert value(text, "sentimentagent_process_memory_limit_reached_seconds", process="collector") == 420
    assert value(text, "sentimentagent_process_memory_warning_bytes", process="api") == 400 * 1024 * 1024
    assert value(text, "sentimentagent_process_restarts_total", process="collector") == 2
    assert value(text, "sentimentagent_outbox_items") == 3
    assert value(text, "sentimentagent_outbox_max_items") == 200
    assert value(text, "sentimentagent_health_status", status="healthy") == 0
    assert value(text, "sentimentagent_health_status", status="degraded") == 1


def test_what_is_not_known_has_no_line(text: str) -> None:
    """A growth that nobody could measure is not 0."""
    grown = families(text)["sentimentagent_process_memory_growth_bytes_per_second"].samples
    assert [sample.labels["process"] for sample in grown] == ["collector"]


def test_the_labels_of_subreddits_are_bounded_and_nobody_writes_lines_of_theirs(text: str) -> None:
    """An archive may bring thousands, with any name: the collected and the largest are named, the others counted."""
    known = families(text)
    assert len(known["sentimentagent_subreddit_items"].samples) == MAX_SUBREDDITS
    assert value(text, "sentimentagent_subreddits") == MAX_SUBREDDITS + 2
    found = [sample.labels["subreddit"] for sample in known["sentimentagent_subreddit_items"].samples]
    assert found[:2] == ["Cursor", 'a"} 1\nsentimentagent_fake 1']
    assert "sentimentagent_fake" not in known
    assert value(text, "sentimentagent_subreddit_unread", subreddit="aws", cause="forbidden") == 1
