"""What a page may take follows the settings: a legal setting must not make the collector look stuck."""

from __future__ import annotations

import pytest

from agent.sources.deadlines import call_timeout_s, page_deadline_s
from ipc.settings import CollectorSettings


@pytest.mark.parametrize("timeout_s", [1.0, 16.0, 60.0, 600.0])
def test_no_call_to_reddit_outlives_the_deadline_of_a_page(timeout_s: float) -> None:
    """However long a request may take."""
    settings = CollectorSettings(reddit_timeout_s=timeout_s)
    assert page_deadline_s(settings) >= max(120.0, call_timeout_s(settings) + 10)


def test_a_slow_archive_is_not_stuck() -> None:
    """A line in five minutes is what was asked for."""
    assert page_deadline_s(CollectorSettings(archive_rate=1 / 300)) > 300
