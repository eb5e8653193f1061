"""What a query leaves in the log, by an explicit clock."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import structlog

from agent.store.query_log import QueryLog

if TYPE_CHECKING:
    import pytest


class Clock:
    """A clock that a test turns by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now_s


def test_a_crowd_of_queries_is_one_line_a_second_that_counts_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """The first is told at once; the next line carries the number and the time of those between."""
    caplog.set_level(logging.DEBUG)
    clock = Clock()
    log = QueryLog(200, clock)
    with structlog.testing.capture_logs() as events:
        for _ in range(4):
            log.note("recent", 2.0, 50)
        clock.now_s += 1.0
        log.note("recent", 3.0, 50)
        log.note("totals", 1.0, 1)
    told = [event for event in events if event["log_level"] == "info"]
    assert [(event["name"], event.get("also"), event.get("also_ms")) for event in told] == [
        ("recent", None, None),
        ("recent", 3, 6.0),
        ("totals", None, None),
    ]
    assert len([event for event in events if event["log_level"] == "debug"]) == 3


def test_a_slow_query_is_always_told() -> None:
    """However many there are, and health polls too: each above the limit is a warning with the word slow."""
    log = QueryLog(200, Clock())
    with structlog.testing.capture_logs() as events:
        log.note("recent", 200.1, 50)
        log.note("recent", 500.0, 50)
        log.note("contents", 201.0, 1, quiet=True)
        log.note("recent", 200.0, 50)
    assert [event["event"] for event in events] == ["Query slow"] * 3 + ["Query"]
    assert [event["log_level"] for event in events] == ["warning"] * 3 + ["info"]
    assert events[0]["limit_ms"] == 200
