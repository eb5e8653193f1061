from __future__ import annotations

from email import message_from_bytes, policy
from typing import Any

import pytest

from ipc.messages import Beat, Incident, ProcessReport
from ipc.settings import MailSettings
from watchdog import letter, mail
from watchdog.records import Limits

LIMITS = Limits(warning_mb=400, limit_mb=480)
SETTINGS = MailSettings(
    smtp_host="mail.example.org",
    alert_from="SentimentAgent <agent@example.org>",
    alert_to=("a@example.org", "b@example.org"),
)
CTL = "supervisorctl -s unix:///run/sentimentagent/supervisor.sock"
INCIDENT = Incident(
    id="20261124T063617070-collector-memory",
    process="collector",
    kind="memory",
    opened_utc=1795502177.07,
    closed_utc=None,
    reason="memory 512 MB over 480 MB",
    action="SIGTERM; process 4711 ended after 0.21 s; new process 4790 0.02 s later; ready 0.9 s after the verdict",
)


def report(**changes: Any) -> ProcessReport:  # noqa: ANN401 - any field of a report
    """Return how the collector was before, with ``changes``."""
    beat = Beat(
        process="collector",
        pid=4711,
        state="ready",
        uptime_s=9.0,
        loop_lag_s=0.0,
        progress=1234,
        waiting_for="interval",
        gauges={"outbox_items": 12.0},
    )
    known: dict[str, Any] = {
        "process": "collector",
        "supervisor_state": "RUNNING",
        "pid": 4711,
        "uptime_s": 11_520.0,
        "memory_mb": 512.4,
        "cpu_percent": 4.2,
        "memory_warning_mb": 400.0,
        "memory_limit_mb": 480.0,
        "beat_age_s": 0.4,
        "beat": beat,
        "verdict": "restart",
        "reason": "memory 512 MB over 480 MB",
        "restarts": 1,
    }
    return ProcessReport(**{**known, **changes})


def test_a_restart_is_told_with_its_evidence() -> None:
    """What, why, what was done, how it was, what to do now: on its own in one mail."""
    alert = letter.opened(INCIDENT, report(), ends=1, limits=LIMITS, supervisorctl=CTL)
    assert alert.subject == "[SentimentAgent] collector restarted: memory 512 MB over 480 MB"
    for words in (
        "Why        memory 512 MB over 480 MB\n",
        "When       2026-11-24 06:36:17 UTC\n",
        "As it was  process 4711, up 3.2 h, memory 512 MB (warning 400, limit 480),\n           CPU 4.2 %\n",
        "Last beat  0.4 s before: ready, 1234 units done, waiting for interval,\n           outbox_items 12\n",
        "So far     restarts and crashes of collector within 10 min: 1; at 5 it is\n           quarantined\n",
        "Incident   20261124T063617070-collector-memory\n",
    ):
        assert words in alert.text
    assert max(map(len, alert.text.splitlines())) <= 76


def test_what_was_not_measured_is_said_to_be_so() -> None:
    """Missing is not zero, in a mail too."""
    before = report(pid=None, uptime_s=None, memory_mb=None, cpu_percent=None, beat=None, beat_age_s=None)
    text = letter.opened(INCIDENT, before, ends=1, limits=LIMITS, supervisorctl=CTL).text
    assert "process not known, memory not measured (warning 400, limit 480), CPU not measured" in " ".join(text.split())
    assert "Last beat  none" in text
    left_over = letter.opened(INCIDENT, None, ends=1, limits=LIMITS, supervisorctl=CTL).text
    assert "the watchdog itself was restarted meanwhile" in left_over


def test_a_quarantine_and_its_end_say_what_follows() -> None:
    """Two mails of one incident, told apart by their ids."""
    incident = Incident(
        id="1-api-quarantine",
        process="api",
        kind="quarantine",
        opened_utc=0.0,
        closed_utc=300.0,
        reason="it crashed",
        action="stopped after 0.10 s",
    )
    opened = letter.opened(incident, report(), ends=5, limits=LIMITS, supervisorctl=CTL)
    recovered = letter.recovered(incident, "well for 120 s")
    assert opened.subject == "[SentimentAgent] api is quarantined: it crashed"
    assert f"To start   {CTL} start api\n" in opened.text
    assert recovered.subject == "[SentimentAgent] api recovered: well for 120 s"
    assert "It lasted  5 min" in recovered.text
    assert opened.id != recovered.id


def test_what_a_process_says_of_itself_can_forge_neither_a_line_nor_a_header() -> None:
    """A beat's words stay on one line of the text, short, and never come into a header."""
    evil = "x\nBcc: victim@example.org\r\n\r\n<script>" + "y" * 5000
    beat = Beat(
        process="collector", pid=1, state="ready", uptime_s=1, loop_lag_s=0, progress=1, unit=evil, gauges={evil: 1.0}
    )
    alert = letter.opened(INCIDENT, report(beat=beat), ends=1, limits=LIMITS, supervisorctl=CTL)
    message = mail.compose(alert, SETTINGS)
    assert message["Bcc"] is None
    assert "\nBcc:" not in alert.text
    assert len(alert.text) < 2500


def test_a_mail_has_the_headers_of_an_automatic_one() -> None:
    """Plain headers; its Message-ID is the incident's, so that a second copy is recognised."""
    alert = letter.opened(INCIDENT, report(), ends=1, limits=LIMITS, supervisorctl=CTL)
    message = message_from_bytes(mail.compose(alert, SETTINGS).as_bytes(), policy=policy.default)
    assert message["From"] == "SentimentAgent <agent@example.org>"
    assert message["To"] == "a@example.org, b@example.org"
    assert message["Date"] == "Tue, 24 Nov 2026 06:36:17 +0000"
    assert message["Message-ID"] == "<20261124T063617070-collector-memory@example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "text/plain"
    assert message["Content-Transfer-Encoding"] == "7bit"


def test_a_command_can_be_copied_from_the_raw_mail() -> None:
    """However long the path is, its line is not broken; what is no ASCII is encoded as mails do."""
    command = "supervisorctl -s unix:///" + "x" * 90 + " start api"
    alert = letter.Alert(id="1", subject="s", text=f"To start   {command}\n", at_utc=0.0)
    assert command in mail.compose(alert, SETTINGS).as_string()
    umlaut = letter.Alert(id="1", subject="s", text="grün\n", at_utc=0.0)
    read = message_from_bytes(mail.compose(umlaut, SETTINGS).as_bytes(), policy=policy.default)
    assert read.get_content().splitlines() == ["grün"]


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 s"), (119, "119 s"), (600, "10 min"), (11_520, "3.2 h")])
def test_spans_are_told_in_the_unit_that_fits(seconds: float, words: str) -> None:
    """Nobody reads 11520 s."""
    assert letter._span(seconds) == words
