"""Failures that other watchers have had: the pure ones, and the table that names a test for each of all."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from ipc.messages import Beat
from watchdog.policy import judge
from watchdog.records import Limits, Record, Sample

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "why" / "known-failures.md"
#: A test as the table names it, and an issue of another project.
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_ISSUE = re.compile(r"[\w]+#\d+")

LIMITS = Limits(warning_mb=400, limit_mb=480)
BEAT = Beat(process="api", pid=1, state="ready", uptime_s=900, loop_lag_s=0, progress=1, waiting_for="requests")
WELL = Sample(
    at_s=900.0,
    supervisor="RUNNING",
    identity=(1, 1),
    rss_mb=300,
    uptime_s=900.0,
    slope_mb_per_h=1.0,
    limit_reached_in_s=90_000.0,
    run_state="S",
    beat=BEAT,
    beat_age_s=0.1,
    own_beat_age_s=0.1,
)


@pytest.mark.parametrize(
    "unread",
    [
        {"rss_mb": None},
        {"uptime_s": None},
        {"slope_mb_per_h": None, "limit_reached_in_s": None},
        {"run_state": None},
        {"identity": None, "rss_mb": None, "uptime_s": None, "run_state": None},
        {"supervisor": None},
        {"own_beat_age_s": None, "beat_age_s": 9000.0},
        {"own_beat_age_s": None, "beat": None, "beat_age_s": None},
    ],
    ids="+".join,
)
def test_what_cannot_be_read_makes_nobody_guilty(unread: dict[str, Any]) -> None:
    """The resource watcher of circus counts an unreadable process as one over its limit, and restarts it.

    Seen over the limit before and never again: for ten minutes, whatever is missing, nothing is done.
    """
    record = Record(identity=(1, 1))
    _, record = judge(record, replace(WELL, rss_mb=500), LIMITS)
    for moment_s in range(600):
        verdict, record = judge(record, replace(WELL, at_s=WELL.at_s + moment_s, **unread), LIMITS)
        assert verdict.action is None
        assert verdict.name in {"ok", "not judged"}
    assert record.ends_s == ()


def docstrings(path: str) -> dict[str, str]:
    """Return the docstring of each test in a file, on one line."""
    tree = ast.parse((ROOT / path).read_text())
    tests = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {node.name: " ".join((ast.get_docstring(node) or "").split()) for node in tests}


def rows() -> list[tuple[str, set[str], list[tuple[str, str]]]]:
    """Return each failure of the table, the issues that tell of it, and the tests that hold it off."""
    cells = [line.strip("|").split("|") for line in TABLE.read_text().splitlines() if "`tests/" in line]
    return [(failure.strip(), set(_ISSUE.findall(seen)), _TEST.findall(tests)) for failure, seen, _, tests in cells]


@pytest.mark.parametrize(
    ("failure", "issues", "tests"), rows(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_known_failure_has_a_test_that_tells_its_story(
    failure: str, issues: set[str], tests: list[tuple[str, str]]
) -> None:
    """Every test that the table names is there, and between them they name each issue of the row."""
    told = {f"{path}::{name}": docstrings(path).get(name) for path, name in tests}
    assert told, failure
    assert [name for name, docstring in told.items() if docstring is None] == []
    assert issues - set(_ISSUE.findall(" ".join(filter(None, told.values())))) == set()


def test_the_table_is_whole() -> None:
    """No test that is named for a known failure is missing in it, and no failure has gone from it."""
    files = ("tests/unit/test_known_failures.py", "tests/integration/test_known_failures.py")
    of_the_table = {test_every_known_failure_has_a_test_that_tells_its_story, test_the_table_is_whole}
    tests = {(path, name) for path in files for name in docstrings(path) if name.startswith("test_")}
    named = {test for _, _, tests in rows() for test in tests}
    assert {name for _, name in tests - named} == {test.__name__ for test in of_the_table}
    assert len(rows()) >= 21
