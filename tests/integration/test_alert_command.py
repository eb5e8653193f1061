"""``sentimentagent alert test`` against real servers: which step it came to."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from harness.mailbox import Mailbox, free_port, serving, text_of

from watchdog.alert_command import alert
from watchdog.apprise_channel import is_installed

if TYPE_CHECKING:
    from pathlib import Path

MAIL = ["settings", "name", "connect", "TLS", "login", "sender", "recipient", "message"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home that the command finds."""
    monkeypatch.setenv("SENTIMENTAGENT_HOME", str(tmp_path))
    return tmp_path


def write(home: Path, port: int, **changes: str) -> None:
    """Write settings that send to ``port`` of 127.0.0.1, with ``changes``."""
    known = {
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(port),
        "SMTP_SECURITY": "none",
        "SMTP_TIMEOUT_S": "1",
        "ALERT_FROM": "agent@example.org",
        "ALERT_TO": "operator@example.org",
    }
    (home / ".env").write_text("".join(f"{name}={value}\n" for name, value in {**known, **changes}.items()))


def outcomes() -> tuple[int, list[dict[str, Any]]]:
    """Run the command; return its exit status and the ways."""
    done = CliRunner().invoke(alert, ["test", "--json"])
    return done.exit_code, json.loads(done.stdout)


def failed(way: dict[str, Any]) -> list[str]:
    """Return the steps that failed."""
    return [step["name"] for step in way["steps"] if step["outcome"] == "failed"]


def test_a_whole_way_names_every_step(home: Path) -> None:
    """Exit status 0, and the mail is there."""
    box = Mailbox()
    with serving(box) as port:
        write(home, port)
        done = CliRunner().invoke(alert, ["test"])
    assert done.exit_code == 0
    assert done.stdout.startswith("mail: came through\n  ok         settings   agent@example.org to operator@example")
    assert [line.split()[1] for line in done.stdout.splitlines()[1:]] == MAIL
    (letter,) = box.letters
    assert letter["Subject"].startswith("[SentimentAgent] Test of the alerts from ")
    assert "`sentimentagent alert test`" in text_of(letter)


@pytest.mark.parametrize(
    ("step", "changes"),
    [
        ("name", {"SMTP_HOST": "no-such-host.invalid"}),
        ("connect", {"SMTP_PORT": "closed"}),
        ("connect", {"SMTP_PORT": "silent"}),
        ("TLS", {"SMTP_SECURITY": "starttls"}),
        ("TLS", {"SMTP_SECURITY": "tls"}),
        ("login", {"SMTP_USERNAME": "agent", "SMTP_PASSWORD": "hush-hush"}),
        ("recipient", {"ALERT_TO": "gone@example.org"}),
        ("message", {}),
    ],
)
def test_a_way_that_ends_says_at_which_step(home: Path, step: str, changes: dict[str, str]) -> None:
    """What comes after it was not tried; the password is in no word."""
    box = Mailbox({b"agent": b"another"})
    box.unknown = {"gone@example.org"}
    box.answer = "554 no mail today" if step == "message" else box.answer
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        serving(box, authenticator=box.admits, auth_require_tls=False) as port,
    ):
        ports = {"closed": str(free_port()), "silent": str(silent.getsockname()[1])}
        write(home, port, **{name: ports.get(value, value) for name, value in changes.items()})
        status, (way,) = outcomes()
    assert status == 1
    assert failed(way)[0] == step
    assert set(failed(way)) == {step}
    assert [each["name"] for each in way["steps"] if each["outcome"] == "not tried"] == MAIL[MAIL.index(step) + 1 :]
    assert "hush-hush" not in str(way)
    assert box.letters == []


def test_one_recipient_that_is_refused_fails_the_test_though_others_get_the_mail(home: Path) -> None:
    """An operator who reads only the exit status must not miss it."""
    box = Mailbox()
    box.unknown = {"gone@example.org"}
    with serving(box) as port:
        write(home, port, ALERT_TO="gone@example.org,operator@example.org")
        status, (way,) = outcomes()
    assert status == 1
    assert failed(way) == ["recipient"]
    assert "gone@example.org refused: 550 no such user here" in str(way)
    assert len(box.letters) == 1


def test_wrong_settings_and_none_are_a_failure_at_the_first_step(home: Path) -> None:
    """Nobody would be told of anything."""
    assert outcomes()[0] == 1
    (home / ".env").write_text("SMTP_HOST=mail.example.org\n")
    status, (way,) = outcomes()
    assert (status, failed(way)) == (1, ["settings"])
    assert "ALERT_TO" in str(way)


@pytest.mark.skipif(not is_installed(), reason="the extra alerts is not installed")
def test_every_channel_is_tried_and_the_sign_of_life_too(home: Path) -> None:
    """One that fails keeps no other from being tried."""
    box = Mailbox()
    with serving(box) as port:
        away = free_port()
        write(
            home,
            port,
            ALERT_URLS=f"json://127.0.0.1:{away}/s3cr3t",
            ALERT_DEADMAN_URL=f"http://127.0.0.1:{away}/s3cr3t",
        )
        status, ways = outcomes()
    assert status == 1
    assert [(way["channel"], bool(failed(way))) for way in ways] == [
        ("mail", False),
        ("json", True),
        ("sign of life", True),
    ]
    assert "s3cr3t" not in str(ways)
