from __future__ import annotations

import sys
from email import message_from_bytes, policy
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec.structs import replace

from ipc.messages import Beat, Incident, ProcessReport
from ipc.settings import MailSettings
from watchdog import letter, mail
from watchdog.alert import Alert, section
from watchdog.alert_html import rendered
from watchdog.commands import Commands, commands_of
from watchdog.records import Limits

if TYPE_CHECKING:
    from email.message import EmailMessage

LIMITS = Limits(warning_mb=400, limit_mb=480)
SETTINGS = MailSettings(
    smtp_host="mail.example.org",
    alert_from="SentimentAgent <agent@example.org>",
    alert_to=("a@example.org", "b@example.org"),
)
CTL = "supervisorctl -s unix:///run/sentimentagent/supervisor.sock"
COMMANDS = Commands(
    sentimentagent="SENTIMENTAGENT_HOME=/srv/sa /opt/sa/bin/sentimentagent",
    supervisorctl=CTL,
    logs=Path("/srv/sa/logs"),
)
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


QUARANTINE = replace(INCIDENT, id="20261124T064617070-collector-quarantine", kind="quarantine")


def opened(incident: Incident = INCIDENT, before: ProcessReport | None = None, ends: int = 1) -> Alert:
    """Return the alert of a new incident."""
    return letter.opened(incident, before or report(), ends, LIMITS, COMMANDS)


def read(alert: Alert, **changes: Any) -> EmailMessage:  # noqa: ANN401 - any setting
    """Return the mail of ``alert`` as somebody reads it."""
    raw = mail.compose(alert, replace(SETTINGS, **changes)).as_bytes()
    return message_from_bytes(raw, policy=policy.default)


def part(message: EmailMessage, kind: str) -> str:
    """Return one of the two bodies of a mail."""
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def test_a_restart_is_told_in_five_sections_with_its_evidence() -> None:
    """What, why, what was done, what to do now, how it was: on its own in one mail."""
    alert = opened()
    assert alert.subject == "[SentimentAgent] collector restarted: memory 512 MB over 480 MB"
    titles = [each.title for each in alert.sections]
    assert titles == ["What happened", "Why", "What was done", "What to do now", "Evidence"]
    for words in (
        "Why\n  memory 512 MB over 480 MB\n",
        "  when       2026-11-24 06:36:17 UTC\n",
        "  process    4711, up 3.2 h\n  memory     512 MB (warning 400, limit 480)\n  CPU        4.2 %\n",
        "  last beat  0.4 s before: ready, 1234 units done, waiting for interval,\n             outbox_items 12\n",
        "  so far     restarts and crashes of collector within 10 min: 1; at 5 it is\n             quarantined\n",
        "  incident   20261124T063617070-collector-memory\n",
        "    SENTIMENTAGENT_HOME=/srv/sa /opt/sa/bin/sentimentagent status\n",
        "    tail -n 50 /srv/sa/logs/collector.log\n",
    ):
        assert words in alert.text
    commands = {f"    {command}" for each in alert.sections for _, command in each.commands}
    assert max(len(line) for line in alert.text.splitlines() if line not in commands) <= 76


def test_what_was_not_measured_is_said_to_be_so() -> None:
    """Missing is not zero, in a mail too."""
    text = opened(before=report(pid=None, memory_mb=None, cpu_percent=None, beat=None, beat_age_s=None)).text
    assert "process    not known" in text
    assert "memory     not measured (warning 400, limit 480)" in text
    assert "CPU        not measured" in text
    assert "last beat  none" in text
    left_over = letter.opened(INCIDENT, None, 1, LIMITS, COMMANDS).text
    assert "the watchdog itself was restarted meanwhile" in " ".join(left_over.split())


def test_a_quarantine_its_reminders_and_its_end_are_one_thread() -> None:
    """Message-ID of the opening; what follows refers to it and has ids of its own."""
    first = opened(QUARANTINE, ends=5)
    nagging = [letter.reminder(QUARANTINE, nth, report(), QUARANTINE.opened_utc + 14_400, COMMANDS) for nth in (1, 2)]
    last = letter.recovered([INCIDENT, QUARANTINE], "well for 120 s after it crashed", QUARANTINE.opened_utc + 300)
    assert first.subject == "[SentimentAgent] collector is quarantined: memory 512 MB over 480 MB"
    assert f"    {CTL} start collector\n" in first.text
    assert nagging[0].subject.startswith("[SentimentAgent] collector still not well after 4.0 h: memory")
    assert last.subject == "[SentimentAgent] collector recovered: well for 120 s after it crashed"
    assert "it lasted  5 min" in last.text
    opening = f"<{QUARANTINE.id}@example.org>"
    head, *replies = [read(alert) for alert in (first, *nagging, last)]
    assert head["Message-ID"] == opening
    assert head["In-Reply-To"] is None
    assert {(each["In-Reply-To"], each["References"]) for each in replies} == {(opening, opening)}
    assert len({each["Message-ID"] for each in (head, *replies)}) == 4


def test_many_alerts_fold_into_one_that_says_them_all() -> None:
    """Nothing is left out, and it belongs to all of their threads."""
    last = letter.recovered([QUARANTINE], "well for 120 s", QUARANTINE.opened_utc + 300)
    alert = letter.folded([replace(opened(), attachment="stacks"), opened(QUARANTINE), last])
    assert alert.subject == "[SentimentAgent] 3 alerts, the last: collector recovered: well for 120 s"
    assert alert.text.count("\nNo. ") == 3
    assert "No. 2 of 3: collector is quarantined: memory 512 MB over 480 MB\n" in alert.text
    assert alert.attachment == "stacks"
    assert read(alert)["References"] == f"<{INCIDENT.id}@example.org> <{QUARANTINE.id}@example.org>"


def test_what_a_process_says_of_itself_can_forge_neither_a_line_nor_a_header_nor_a_tag() -> None:
    """A beat's words stay on one line of the text, short, escaped in the HTML, and never come into a header."""
    evil = "x\nBcc: victim@example.org\r\n\r\n<script>" + "y" * 5000
    beat = Beat(
        process="collector", pid=1, state="ready", uptime_s=1, loop_lag_s=0, progress=1, unit=evil, gauges={evil: 1.0}
    )
    alert = opened(before=report(beat=beat))
    message = read(alert)
    assert message["Bcc"] is None
    assert "\nBcc:" not in alert.text
    assert len(alert.text) < 2500
    assert "<script" not in part(message, "html")
    assert "&lt;script&gt;" in part(message, "html")


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes |= {name for name, _ in attrs}
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_html_is_whole_and_loads_nothing() -> None:
    """Every tag is closed; no link, no picture, no script, no style sheet: nothing to fetch."""
    tags = _Tags()
    page = rendered(letter.folded([opened(), opened(QUARANTINE)]))
    tags.feed(page)
    tags.close()
    assert tags.open == []
    assert tags.attributes <= {"lang", "charset", "name", "content", "style", "role"}
    assert "url(" not in page
    assert page.isascii()


def test_the_html_says_what_the_text_says() -> None:
    """Every fact and every command stands in both."""
    alert = opened(QUARANTINE)
    page = rendered(alert)
    for each in alert.sections:
        assert each.title in page
        assert all(value.replace("'", "&#x27;") in page for _, value in (*each.facts, *each.commands))


def test_a_mail_has_the_headers_of_an_automatic_one() -> None:
    """Plain headers; its Message-ID is the incident's, so that a second copy is recognised."""
    message = read(opened())
    assert message["From"] == "SentimentAgent <agent@example.org>"
    assert message["To"] == "a@example.org, b@example.org"
    assert message["Date"] == "Tue, 24 Nov 2026 06:36:17 +0000"
    assert message["Message-ID"] == "<20261124T063617070-collector-memory@example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "multipart/alternative"
    assert [each["Content-Transfer-Encoding"] for each in message.iter_parts()] == ["7bit", "7bit"]


def test_evidence_is_attached_beside_both_bodies() -> None:
    """The two bodies stay what they are."""
    message = read(replace(opened(), attachment="stacks\n"))
    assert message.get_content_type() == "multipart/mixed"
    assert "Why" in part(message, "plain")
    assert "Why" in part(message, "html")
    (attached,) = message.iter_attachments()
    assert attached.get_filename() == f"{INCIDENT.id}.txt"


def test_a_command_can_be_copied_from_the_raw_mail() -> None:
    """However long the path is, its line is not broken; what is no ASCII is encoded as mails do."""
    command = "supervisorctl -s unix:///" + "x" * 90 + " start api"
    alert = Alert(id="1", subject="s", at_utc=0.0, sections=(section("Do", commands=(("To start", command),)),))
    assert f"    {command}\r\n" in mail.compose(alert, SETTINGS).as_bytes().decode()
    umlaut = Alert(id="1", subject="s", at_utc=0.0, sections=(section("Do", "grün"),))
    assert part(read(umlaut), "plain").splitlines() == ["Do", "  grün"]
    assert "gr&#252;n" in part(read(umlaut), "html")


def test_a_long_id_and_a_long_sender_break_no_header() -> None:
    """A reference that a server folded or encoded would part the thread."""
    domain = "a-very-long-name-of-a-department.of-a-very-long-name-of-a-company.example.org"
    message = read(letter.recovered([QUARANTINE], "well", 1.0), alert_from=f"agent@{domain}")
    assert message["References"] == f"<{QUARANTINE.id}@{domain}>"


def test_an_alert_is_the_same_after_the_disk() -> None:
    """The spool keeps it as JSON."""
    alert = letter.folded([opened(), opened(QUARANTINE)])
    assert msgspec.json.decode(msgspec.json.encode(alert), type=Alert) == alert


def test_the_commands_find_this_copy() -> None:
    """The places that were set when the watchdog started, quoted; the program beside this Python."""
    environ = {"SENTIMENTAGENT_HOME": "/srv/two words", "HOME": "/root"}
    commands = commands_of(environ, Path("/srv/two words/logs"), CTL)
    assert commands.status().startswith("SENTIMENTAGENT_HOME='/srv/two words' ")
    assert commands.status().endswith("sentimentagent status")
    assert str(Path(sys.executable).parent) in commands.status()
    assert commands.log("api") == "tail -n 50 '/srv/two words/logs/api.log'"


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 s"), (119, "119 s"), (600, "10 min"), (11_520, "3.2 h")])
def test_spans_are_told_in_the_unit_that_fits(seconds: float, words: str) -> None:
    """Nobody reads 11520 s."""
    assert letter.span(seconds) == words
