from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from harness.mailbox import Mailbox, free_port, serving

from ipc.errors import Unavailable
from ipc.settings import MailSettings, Secret
from watchdog import mail
from watchdog.alerts import MAX_WAITING, Alerts
from watchdog.letter import Alert

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def alert(number: int = 1) -> Alert:
    """Return an alert."""
    return Alert(id=f"20261124T0636{number:05d}-api-hung", subject=f"no. {number}", text="no beat\n", at_utc=1.0)


def settings(port: int, **changes: Any) -> MailSettings:  # noqa: ANN401 - any setting
    """Return settings that send to 127.0.0.1 in plain text, with ``changes``."""
    known: dict[str, Any] = {
        "smtp_host": "127.0.0.1",
        "smtp_port": port,
        "smtp_security": "none",
        "smtp_timeout_s": 1.0,
        "alert_from": "agent@example.org",
        "alert_to": ("operator@example.org",),
    }
    return MailSettings(**{**known, **changes})


@asynccontextmanager
async def running(folder: Path, mail_settings: MailSettings) -> AsyncIterator[Alerts]:
    """Live one life of the alerts of ``folder``."""
    alerts = Alerts(folder, mail_settings, first_retry_s=0.05)
    await alerts.load()
    task = asyncio.create_task(alerts.run())
    yield alerts
    task.cancel()
    await asyncio.wait({task})


async def until(alerts: Alerts, *, waiting: int) -> None:
    """Wait until so many are still to be sent."""
    async with asyncio.timeout(10):
        while alerts.waiting != waiting:
            await asyncio.sleep(0.01)


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Return the TLS side of a server on 127.0.0.1 whose certificate this process trusts."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command is not here to make a certificate")
    key, public = tmp_path / "key.pem", tmp_path / "cert.pem"
    request = f"req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1 -keyout {key} -out {public}"
    command = ["openssl", *request.split(), "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(public))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, key)
    return context


async def test_a_mail_arrives_as_it_was_composed() -> None:
    """Text, headers and recipients, by a real server."""
    box = Mailbox()
    with serving(box) as port:
        await mail.send(alert(), settings(port, alert_to=("a@example.org", "b@example.org")))
    (letter,) = box.letters
    assert letter["Subject"] == "no. 1"
    assert letter["To"] == "a@example.org, b@example.org"
    assert letter.get_content().splitlines() == ["no beat"]


async def test_starttls_and_login_are_used(certificate: ssl.SSLContext) -> None:
    """The server takes nothing without both."""
    box = Mailbox({b"agent": b"secret"})
    options: dict[str, Any] = {"tls_context": certificate, "require_starttls": True, "auth_required": True}
    with serving(box, authenticator=box.admits, **options) as port:
        login = {"smtp_username": "agent", "smtp_password": Secret("secret")}
        await mail.send(alert(), settings(port, smtp_security="starttls", **login))
    assert len(box.letters) == 1


async def test_tls_from_the_first_byte_is_used(certificate: ssl.SSLContext) -> None:
    """The other way, usually on port 465."""
    box = Mailbox()
    with serving(box, ssl_context=certificate) as port:
        await mail.send(alert(), settings(port, smtp_security="tls"))
    assert len(box.letters) == 1


async def test_a_server_without_starttls_gets_no_plain_text() -> None:
    """Security that was asked for is not given up silently."""
    box = Mailbox()
    with serving(box) as port, pytest.raises(Unavailable):
        await mail.send(alert(), settings(port, smtp_security="starttls"))
    assert box.letters == []


async def test_a_wrong_password_is_an_error_without_the_password() -> None:
    """What the operator reads in the status must not show it."""
    box = Mailbox({b"agent": b"secret"})
    with serving(box, authenticator=box.admits, auth_require_tls=False) as port:
        login = {"smtp_username": "agent", "smtp_password": Secret("guessed")}
        with pytest.raises(Unavailable) as caught:
            await mail.send(alert(), settings(port, **login))
    assert "SMTPAuthenticationError" in str(caught.value)
    assert "guessed" not in str(caught.value)


async def test_a_server_that_says_nothing_ends_within_the_timeout() -> None:
    """It accepts the connection and then is silent."""
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(Unavailable, match="TimeoutError"),
    ):
        await mail.send(alert(), settings(silent.getsockname()[1], smtp_timeout_s=0.1))


async def test_addresses_that_no_header_can_carry_are_an_error() -> None:
    """A line break in a setting is refused before anything is sent."""
    box = Mailbox()
    with serving(box) as port, pytest.raises(Unavailable, match="ValueError"):
        await mail.send(alert(), settings(port, alert_from="agent@example.org\r\nBcc: x@example.org"))
    assert box.letters == []


async def test_a_mail_that_could_not_be_sent_is_sent_once_when_the_server_is_back(tmp_path: Path) -> None:
    """Kept on disk meanwhile; the words say why; afterwards nothing is left."""
    port = free_port()
    async with running(tmp_path, settings(port)) as alerts:
        await alerts.put(alert())
        async with asyncio.timeout(5):
            while alerts.words == "mail":
                await asyncio.sleep(0.01)
        assert alerts.words.startswith(f"kept, not sent: 127.0.0.1:{port}: SMTPConnectError")
        assert [path.name for path in tmp_path.iterdir()] == [f"{alert().id}.json"]
        box = Mailbox()
        with serving(box, port):
            await until(alerts, waiting=0)
        assert [letter["Subject"] for letter in box.letters] == ["no. 1"]
        assert alerts.words == "mail"
        assert list(tmp_path.iterdir()) == []


async def test_what_waited_survives_the_watchdogs_restart(tmp_path: Path) -> None:
    """The next life sends it, in order, and once."""
    port = free_port()
    async with running(tmp_path, settings(port)) as alerts:
        for number in (1, 2):
            await alerts.put(alert(number))
    box = Mailbox()
    with serving(box, port):
        for _ in range(2):
            async with running(tmp_path, settings(port)) as alerts:
                await until(alerts, waiting=0)
    assert [letter["Subject"] for letter in box.letters] == ["no. 1", "no. 2"]


async def test_a_mail_that_the_server_refuses_for_now_is_tried_again(tmp_path: Path) -> None:
    """Greylisting, a full disk over there: a 4xx."""
    box = Mailbox()
    box.answer = "451 try again later"
    with serving(box) as port:
        async with running(tmp_path, settings(port)) as alerts:
            await alerts.put(alert())
            async with asyncio.timeout(5):
                while "451" not in alerts.words:
                    await asyncio.sleep(0.01)
            box.answer = "250 taken"
            await until(alerts, waiting=0)
    assert len(box.letters) == 1


async def test_the_spool_is_bounded_and_drops_the_oldest(tmp_path: Path) -> None:
    """An outage of months must not fill the disk."""
    alerts = Alerts(tmp_path, settings(free_port()))
    for number in range(MAX_WAITING + 3):
        await alerts.put(alert(number))
    assert alerts.waiting == MAX_WAITING
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == MAX_WAITING
    assert names[0] == f"{alert(3).id}.json"


async def test_a_kept_alert_that_cannot_be_read_stops_nobody(tmp_path: Path) -> None:
    """The others are sent."""
    alerts = Alerts(tmp_path, settings(free_port()))
    await alerts.put(alert())
    (tmp_path / "0-broken.json").write_bytes(b"{")
    again = Alerts(tmp_path, settings(free_port()))
    await again.load()
    assert again.waiting == 1


async def test_a_full_disk_keeps_an_alert_in_memory(tmp_path: Path) -> None:
    """A file stands where the folder should be: nothing can be written, and the mail goes out all the same."""
    (tmp_path / "alerts").write_text("")
    box = Mailbox()
    with serving(box) as port:
        async with running(tmp_path / "alerts", settings(port)) as alerts:
            await alerts.put(alert())
            await box.letter()
            await until(alerts, waiting=0)


async def test_without_a_mail_server_alerts_are_logged_and_said_to_go_nowhere(tmp_path: Path) -> None:
    """Nothing piles up for nobody."""
    async with running(tmp_path / "alerts", MailSettings()) as alerts:
        await alerts.put(alert())
        assert alerts.waiting == 0
        assert alerts.words == "nowhere: SMTP_HOST is not set, so alerts are only logged"
    assert not (tmp_path / "alerts").exists()
