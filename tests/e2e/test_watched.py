from __future__ import annotations

import os
import queue
import shutil
import signal
from email import message_from_bytes, policy
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from aiosmtpd.controller import Controller
from harness.system import System, free_port, wait_until

import agent.sentiment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from email.message import EmailMessage

    from aiosmtpd.smtp import SMTP, Envelope, Session

EMBEDDED = Path(agent.sentiment.__file__).with_name("embedded")

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

#: Runs in every Python that has its folder on PYTHONPATH: a process whose name is in the trigger file takes
#: memory, as a leak does, 10 MB at a time.
LEAK = """
import os, sys, threading, time
def leak():
    kept = []
    while True:
        time.sleep(0.05)
        try:
            with open(os.environ["LEAK_TRIGGER"]) as trigger:
                wanted = trigger.read().strip()
        except OSError:
            continue
        if wanted == str(os.getpid()):
            kept.append(bytearray(os.urandom(1)) * (10 * 1024 * 1024))
if "LEAK_TRIGGER" in os.environ:
    threading.Thread(target=leak, daemon=True).start()
"""


class Mailbox:
    """What an SMTP server received."""

    def __init__(self) -> None:
        self.letters: queue.Queue[EmailMessage] = queue.Queue()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - its name
        assert isinstance(envelope.content, bytes)
        self.letters.put(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]
        return "250 taken"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    """Return the box and the port of a real SMTP server."""
    box, port = Mailbox(), free_port()
    server = Controller(box, hostname="127.0.0.1", port=port)
    server.start()
    yield box, port
    server.stop()


def mail_settings(port: int) -> dict[str, str]:
    """Return the settings that send alerts there."""
    return {
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(port),
        "SMTP_SECURITY": "none",
        "ALERT_FROM": "sentimentagent@example.org",
        "ALERT_TO": "operator@example.org",
    }


def test_a_leaking_process_is_replaced_and_one_mail_says_why(
    running: Callable[..., System], mailbox: tuple[Mailbox, int], tmp_path: Path
) -> None:
    """Over its limit in two samples: a new pid, a mail with the figures, and health tells it."""
    box, port = mailbox
    (tmp_path / "sitecustomize.py").write_text(LEAK)
    trigger = tmp_path / "trigger"
    system = running(PYTHONPATH=str(tmp_path), LEAK_TRIGGER=str(trigger), **mail_settings(port))
    pid = system.pids()["collector"]
    trigger.write_text(str(pid))
    wait_until(lambda: system.pids()["collector"] not in {pid, None}, 60, system, "the collector has a new pid")
    wait_until(system.is_ready, 30, system, "all ready again")
    letter = box.letters.get(timeout=30)
    text = letter.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "collector" in letter["Subject"]
    assert "480" in text
    assert letter["To"] == "operator@example.org"
    with pytest.raises(queue.Empty):  # one incident, one mail
        box.letters.get(timeout=2)
    collector = system.health()["processes"]["collector"]
    assert collector["restarts"] == 1
    assert "480" in collector["last_restart_reason"]


def test_a_stopped_process_is_replaced_and_one_mail_says_why(
    running: Callable[..., System], mailbox: tuple[Mailbox, int]
) -> None:
    """SIGSTOP is the plainest hang: memory is fine, the process is there, nothing moves."""
    box, port = mailbox
    system = running(WATCHDOG_HANG_AFTER_S="3", **mail_settings(port))
    pid = system.pids()["api"]
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: system.pids()["api"] not in {pid, None}, 30, system, "the API has a new pid")
    wait_until(system.is_ready, 30, system, "all ready again")
    letter = box.letters.get(timeout=30)
    assert "api" in letter["Subject"]
    assert not psutil.pid_exists(pid)


def test_a_killed_process_is_back_within_seconds_and_supervisord_too_notices(running: Callable[..., System]) -> None:
    """The watchdog pokes supervisord, which alone would take a second to look."""
    system = running()
    for victim, within_s in (("api", 5), ("collector", 5), ("watchdog", 6)):
        pid = system.pids()[victim]
        psutil.Process(pid).kill()
        wait_until(
            lambda: system.is_ready() and system.pids()[victim] != pid,  # noqa: B023 - called within the loop
            within_s,
            system,
            f"{victim} is ready again",
        )


def test_a_model_that_is_cut_off_is_told_by_mail_in_the_analyzers_own_words(
    make_system: Callable[..., System], mailbox: tuple[Mailbox, int], tmp_path: Path
) -> None:
    """Status 78 starts nothing again; the mail says what was expected and found, and the others go on."""
    box, port = mailbox
    model = tmp_path / "model"
    shutil.copytree(EMBEDDED, model)
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1_000_000])
    system = make_system(SENTIMENT_MODEL=str(model), **mail_settings(port))
    system.start()
    letter = box.letters.get(timeout=60)
    assert "analyzer" in letter["Subject"]
    assert "only the operator can mend" in " ".join(letter["Subject"].split())
    text = " ".join(letter.get_body(("plain",)).get_content().split())  # type: ignore[union-attr]
    assert "model.safetensors" in text
    assert "it said" in text
    wait_until(lambda: "database" in system.health(), 30, system, "the API answers without an analyzer")
    assert system.health()["database"]["connected"] is True
