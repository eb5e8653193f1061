from __future__ import annotations

import pytest

from watchdog.onlooker import Look, change, line
from watchdog.tellers import letter

HEALTHY = Look(at_utc=0.0, status="healthy", reasons=(), memory_mb={"api": 47.4, "analyzer": None})
DEGRADED = Look(at_utc=60.0, status="degraded", reasons=("analyzer is down", "data is old"), memory_mb={"api": 48.0})
GONE = Look(at_utc=120.0, status="unreachable", reasons=("Connection refused",))


def test_a_look_is_one_line_with_time_status_memory_and_reasons() -> None:
    """What was not measured is said."""
    assert line(HEALTHY) == "1970-01-01T00:00:00Z healthy     memory api 47 MB, analyzer not measured"
    assert line(DEGRADED) == "1970-01-01T00:01:00Z degraded    memory api 48 MB; analyzer is down; data is old"
    assert line(GONE) == "1970-01-01T00:02:00Z unreachable memory not measured; Connection refused"


def test_a_reason_forges_no_line() -> None:
    """Reasons come over the network."""
    evil = Look(at_utc=0.0, status="degraded", reasons=("a\n1970-01-01T00:00:00Z healthy",))
    assert "\n" not in line(evil)
    assert "\n" not in str(change(HEALTHY, evil))
    assert "\n" not in letter(HEALTHY, evil, "x").subject


@pytest.mark.parametrize(
    ("before", "seen", "says"),
    [
        (None, HEALTHY, None),
        (HEALTHY, HEALTHY, None),
        (DEGRADED, DEGRADED, None),
        (None, GONE, "CHANGED from not looked at to unreachable: Connection refused"),
        (HEALTHY, DEGRADED, "CHANGED from healthy to degraded: analyzer is down; data is old"),
        (GONE, HEALTHY, "CHANGED from unreachable to healthy"),
    ],
)
def test_a_change_of_status_is_told_once(before: Look | None, seen: Look, says: str | None) -> None:
    """The same trouble is not told again; a first look at a well system is none."""
    words = change(before, seen)
    assert (words.partition(" ")[2] if words else None) == says


def test_a_mail_names_both_statuses_and_does_not_claim_to_have_done_anything() -> None:
    """Whoever looks from outside restarts nobody."""
    alert = letter(HEALTHY, DEGRADED, "the line")
    assert alert.subject == "[SentimentAgent] degraded, was healthy: analyzer is down"
    assert (alert.tone, letter(GONE, HEALTHY, "x").tone, letter(None, GONE, "x").tone) == (
        "warning",
        "recovered",
        "trouble",
    )
    assert "restarts nobody" in alert.text
    assert "sentimentagent doctor" in alert.text
