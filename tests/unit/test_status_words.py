"""A survey's verdict and words: values in, values out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ipc.messages import PROCESSES, Incident
from watchdog.freshness import Fresh
from watchdog.health import Database, Health
from watchdog.status_words import describe, judge, span
from watchdog.survey import Row, Survey

if TYPE_CHECKING:
    from watchdog.health import HealthStatus

URL = "http://127.0.0.1:8000"


def row(process: str, **changed: Any) -> Row:  # noqa: ANN401 - any field
    """Return a process that is well, but for what is changed."""
    well: dict[str, Any] = {
        "process": process,
        "supervisor_state": "RUNNING",
        "state": "ready",
        "pid": 4242,
        "memory_mb": 80.4,
        "memory_warning_mb": 400.0,
        "memory_limit_mb": 480.0,
        "cpu_percent": 1.5,
        "beat_age_s": 0.25,
        "progress_age_s": 3.0,
        "waiting_for": "interval",
        "verdict": "ok",
        "reason": "",
        "restarts": 0,
    }
    return Row(**(well | changed))


def survey(*rows: Row, **changed: Any) -> Survey:  # noqa: ANN401 - any field
    """Return a survey of processes that are well, but for those that are given."""
    given = {each.process: each for each in rows}
    well: dict[str, Any] = {
        "home": "/home/sa",
        "rows": [given.get(process) or row(process) for process in PROCESSES],
        "supervisor_socket": "served",
        "watchdog_answers": True,
        "supervisor_answers": True,
        "health": Health("healthy"),
        "alerts": "mail",
        "alerts_waiting": 0,
    }
    return Survey(**(well | changed))


def health(status: HealthStatus, *reasons: str) -> Health:
    """Return what the API says."""
    return Health(status, reasons)


STOPPED = row("analyzer", state=None, supervisor_state="STOPPED", pid=None, verdict="stopped", reason="by an operator")
STARTING = row("analyzer", state="starting", verdict="not judged")


@pytest.mark.parametrize(
    ("found", "status", "reasons", "exit_status"),
    [
        (survey(), "healthy", (), 0),
        # The watchdog's word of a process takes the place of the API's.
        (
            survey(
                STOPPED, health=health("degraded", "analyzer is down (STOPPED)", "the newest data is 90 minutes old")
            ),
            "degraded",
            ("analyzer stopped (by an operator)", "the newest data is 90 minutes old"),
            3,
        ),
        # Also before the API has noticed.
        (survey(STOPPED), "degraded", ("analyzer stopped (by an operator)",), 3),
        (survey(STARTING), "degraded", ("analyzer is starting",), 3),
        (
            survey(STARTING, health=health("degraded", "analyzer has not been heard of")),
            "degraded",
            ("analyzer has not been heard of",),
            3,
        ),
        # Degraded is not down: 0 as long as all are ready.
        (
            survey(row("api", verdict="warning", reason="410 of 480 MB")),
            "degraded",
            ("api warning (410 of 480 MB)",),
            0,
        ),
        (
            survey(health=health("unhealthy", "the store does not answer")),
            "unhealthy",
            ("the store does not answer",),
            0,
        ),
        (survey(health=None), "degraded", ("the API does not answer",), 0),
        # Half a system.
        (
            survey(watchdog_answers=False, health=health("degraded", "the watchdog does not answer: nobody knows")),
            "degraded",
            ("the watchdog does not answer: nobody knows",),
            3,
        ),
        (
            survey(watchdog_answers=False, health=None),
            "degraded",
            ("the API does not answer", "the watchdog does not answer, and only it knows who is ready"),
            3,
        ),
    ],
)
def test_the_verdict_and_its_reasons(found: Survey, status: str, reasons: tuple[str, ...], exit_status: int) -> None:
    """One sentence a trouble, none of them twice."""
    verdict = judge(found)
    assert (verdict.status, verdict.reasons, verdict.exit_status) == (status, reasons, exit_status)


@pytest.mark.parametrize(
    ("socket", "status", "exit_status", "says"),
    [
        ("not there", "stopped", 3, "nothing runs with the home /home/sa"),
        ("stale", "dead", 1, "supervisord was killed"),
        ("served", "unknown", 4, "supervisord did not answer"),
        ("Permission denied", "unknown", 4, "supervisord did not answer"),
    ],
)
def test_without_answers_the_socket_tells_stopped_from_dead_from_unknown(
    socket: str, status: str, exit_status: int, says: str
) -> None:
    """The exit statuses of the Linux Standard Base."""
    found = survey(
        watchdog_answers=False,
        supervisor_answers=False,
        health=None,
        supervisor_socket=socket,
        unasked=("supervisord did not answer",),
    )
    verdict = judge(found)
    assert (verdict.status, verdict.exit_status) == (status, exit_status)
    text = describe(found, verdict, URL, 0, 200)
    assert text.startswith(f"SentimentAgent is {status}: ")
    assert says in text
    assert "memory" not in text


def shown(found: Survey, now_utc: float = 1000.0, width: int = 200) -> list[str]:
    """Return the lines that an operator reads."""
    return describe(found, judge(found), URL, now_utc, width).splitlines()


def test_all_that_is_known_of_a_process_stands_in_its_row() -> None:
    """Figures with their units in the head."""
    api = row(
        "api",
        slope_mb_per_h=12.34,
        limit_reached_in_s=2520.0,
        restarts=2,
        last_restart_utc=280.0,
        last_restart_reason="memory 490 of 480 MB",
    )
    first, head, *rows, alerts = shown(survey(api))
    assert first == f"SentimentAgent is healthy: all ready, open {URL}"
    heads = "process state pid memory/limit MB MB/h limit in cpu % beat s progress waits for restarts last restart"
    cells = "api ready 4242 80/480 12.3 42 min 1.5 0.2 3 s interval 2 12 min ago: memory 490 of 480 MB"
    assert " ".join(head.split()) == heads
    assert " ".join(rows[2].split()) == cells
    assert alerts == "alerts: mail"


def test_what_was_not_measured_is_a_dash_and_never_a_zero() -> None:
    """Supervisord alone knows little."""
    bare = [
        Row(process=process, supervisor_state="RUNNING", memory_warning_mb=400.0, memory_limit_mb=480.0)
        for process in PROCESSES
    ]
    lines = shown(survey(rows=bare, watchdog_answers=False, health=None, alerts=None, alerts_waiting=None))
    assert lines[2].split() == ["collector", "running", "-", "-/480", "-", "-", "-", "-", "-", "-", "-"]
    assert "0" not in lines[2].replace("480", "")


def test_freshness_incidents_and_who_was_not_asked_are_told() -> None:
    """A subreddit that could not be read is not quiet."""
    incident = Incident(
        id="i", process="api", kind="hung", opened_utc=1.0, closed_utc=None, reason="silent", action="restarted"
    )
    fresh = [
        Fresh(subreddit="Cursor", age_s=300.0, failing=None),
        Fresh(subreddit="aws", age_s=None, failing="forbidden"),
    ]
    lines = shown(survey(incidents=(incident,), fresh=fresh, unasked=("supervisord: it hangs",), alerts_waiting=2))
    assert lines[-4:] == [
        "alerts: mail, 2 waiting",
        "open incident: api hung: silent; restarted",
        "newest items: Cursor 5min, aws none for a week (not read: forbidden)",
        "not asked: supervisord: it hangs",
    ]


def test_of_an_empty_store_nobody_says_that_a_week_was_quiet() -> None:
    """The first look after the first start; what could not be read is named all the same."""
    fresh = [Fresh(subreddit="Cursor", age_s=None, failing=None), Fresh(subreddit="aws", age_s=None, failing="banned")]
    empty = Health("healthy", database=Database(connected=True, items=0))
    assert shown(survey(health=empty, fresh=fresh[:1]))[-1] == "newest items: nothing stored yet"
    assert shown(survey(health=empty, fresh=fresh))[-1] == "newest items: nothing stored yet, aws (not read: banned)"
    for unknown in (Health("healthy"), Health("healthy", database=Database(items=7))):
        assert shown(survey(health=unknown, fresh=fresh[:1]))[-1] == "newest items: Cursor none for a week"


def test_foreign_text_forges_no_line() -> None:
    """Reasons quote what others said."""
    evil = row(
        "api",
        verdict="strike",
        reason="x\nSentimentAgent is healthy\x1b[2J",
        last_restart_utc=1.0,
        last_restart_reason="a\nb",
    )
    lines = shown(survey(evil))
    assert len(lines) == 7
    assert "\x1b" not in "".join(lines)


def test_a_narrow_terminal_folds_sentences_and_leaves_the_table() -> None:
    """A folded table is unreadable; a folded sentence is not."""
    fresh = [Fresh(subreddit=f"subreddit{number}", age_s=60.0, failing=None) for number in range(20)]
    lines = shown(survey(fresh=fresh), width=60)
    (first_row,) = [nth for nth, line in enumerate(lines) if line.startswith("collector")]
    assert max(len(line) for line in lines[first_row + len(PROCESSES) :]) <= 60
    assert len(lines[first_row]) > 60
    assert len(lines) > 10


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "-"), (0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "120 min"), (7200, "2 h"), (172_800, "2 days")],
)
def test_times_are_told_in_their_unit(seconds: float | None, words: str) -> None:
    """A reader thinks in minutes, not in 5400 seconds."""
    assert span(seconds) == words


def test_what_only_the_digest_tells_stands_in_the_status_too() -> None:
    """A core that is busy for long is no incident, and degrades nothing."""
    seen = survey(warnings=("CPU of analyzer: 99 % of a core, for 7 min by now; a backlog of items does that",))
    verdict = judge(seen)
    text = describe(seen, verdict, URL, 0.0, 200)
    assert verdict.status == "healthy"
    assert "warning: CPU of analyzer: 99 % of a core, for 7 min by now; a backlog of items does that" in text
