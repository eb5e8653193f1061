from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import ssl
import subprocess
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from harness.mailbox import Mailbox, free_port, serving, text_of
from msgspec.structs import replace

from ipc.errors import Unavailable
from ipc.settings import AlertSettings, MailSettings, Secret
from watchdog import mail
from watchdog.alert import Alert, section
from watchdog.alerts import Alerts
from watchdog.commands import Commands
from watchdog.mail import Mail
from watchdog.outlet import Outlet
from watchdog.spool import MAX_WAITING, Spool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from watchdog.steps import Steps


def alert(number: int = 1) -> Alert:
    """Return an alert."""
    return Alert(
        id=f"20261124T0636{number:05d}-api-hung",
        subject=f"[SentimentAgent] no. {number}",
        at_utc=1.0,
        sections=(section("What happened", "no beat"),),
    )


def settings(port: int, **changes: Any) -> MailSettings:  # noqa: ANN401 - any setting
    """Return settings that send to 127.0.0.1 in plain text, with ``changes``."""
    known: dict[str, Any] = {
        "smtp_host": "127.0.0.1",
        "smtp_port": port,
        "smtp_security": "none",
        # Ample: a server that takes a mail and is given up before it can say so gets it twice.
        "smtp_timeout_s": 20.0,
        "alert_from": "agent@example.org",
        "alert_to": ("operator@example.org",),
    }
    return MailSettings(**{**known, **changes})


def resting(folder: Path, mail_settings: MailSettings, **changes: Any) -> Alerts:  # noqa: ANN401 - any setting
    """Return alerts that are not sent yet."""
    commands = Commands(sentimentagent="sentimentagent", supervisorctl="supervisorctl", logs=folder)
    return Alerts(folder, mail_settings, AlertSettings(**changes), commands, first_retry_s=0.05)


@asynccontextmanager
async def running(
    folder: Path,
    mail_settings: MailSettings,
    **changes: Any,  # noqa: ANN401 - any setting
) -> AsyncIterator[Alerts]:
    """Live one life of the alerts of ``folder``."""
    alerts = resting(folder, mail_settings, **changes)
    await alerts.load()
    task = asyncio.create_task(alerts.run())
    try:
        yield alerts
    finally:
        task.cancel()
        await asyncio.wait({task})


async def until(alerts: Alerts, *, waiting: int) -> None:
    """Wait until so many are still to be sent."""
    await claimed(lambda: alerts.waiting == waiting)


async def claimed(claim: Callable[[], bool]) -> None:
    """Wait until ``claim`` holds. The time limit is that of a machine with other things to do."""
    async with asyncio.timeout(30):
        while not claim():
            await asyncio.sleep(0.01)


def numbers(box: Mailbox) -> list[int]:
    """Return which alerts came, each as a mail of its own."""
    return [int(letter["Subject"].removeprefix("[SentimentAgent] no. ")) for letter in box.letters]


def kept(folder: Path) -> list[str]:
    """Return the names of the alerts on disk."""
    return sorted(path.name for path in folder.rglob("*.json"))


def has_on_disk(folder: Path, *, sent: int) -> bool:
    """Return whether the next life will know of so many messages that were sent; written after the alerts are gone."""
    path = folder / "mail" / "sent"
    return path.exists() and len(json.loads(path.read_bytes())) == sent


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
    assert letter["Subject"] == "[SentimentAgent] no. 1"
    assert letter["To"] == "a@example.org, b@example.org"
    assert text_of(letter).splitlines() == ["What happened", "  no beat"]
    assert letter.get_content_type() == "multipart/alternative"


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
    """The mail server is away when it is needed most, and a watcher that tries once has told nobody.

    Kept on disk meanwhile; the words say why; afterwards nothing is left.
    """
    port = free_port()
    async with running(tmp_path, settings(port)) as alerts:
        await alerts.put(alert())
        await claimed(lambda: alerts.words != "mail")
        assert alerts.words.startswith(f"mail kept, not sent: 127.0.0.1:{port}: connect: SMTPConnectError")
        assert kept(tmp_path) == [f"{alert().id}.json"]
        box = Mailbox()
        with serving(box, port):
            await claimed(lambda: kept(tmp_path) == [])
        assert numbers(box) == [1]
        assert alerts.words == "mail"


async def test_what_waited_survives_the_watchdogs_restart(tmp_path: Path) -> None:
    """The mail server is away, and the watcher restarted meanwhile: what was to be sent is forgotten.

    The next life sends it, in order, and once.
    """
    port = free_port()
    async with running(tmp_path, settings(port)) as alerts:
        for number in (1, 2):
            await alerts.put(alert(number))
    box = Mailbox()
    with serving(box, port):
        for _ in range(2):
            async with running(tmp_path, settings(port)):
                await claimed(lambda: kept(tmp_path) == [])
    assert numbers(box) == [1, 2]


async def test_a_mail_that_the_server_refuses_for_now_is_tried_again(tmp_path: Path) -> None:
    """Greylisting, a full disk over there: a 4xx."""
    box = Mailbox()
    box.answer = "451 try again later"
    with serving(box) as port:
        async with running(tmp_path, settings(port)) as alerts:
            await alerts.put(alert())
            await claimed(lambda: "451" in alerts.words)
            box.answer = "250 taken"
            await until(alerts, waiting=0)
    assert len(box.letters) == 1


#: Of the server: 552 to what is larger.
LIMIT: Any = {"data_size_limit": 20_000}
LARGE = "too much " * 4000


async def test_a_mail_that_is_too_large_comes_without_its_attachment(tmp_path: Path) -> None:
    """What is attached can be read on the machine; the words are what must come."""
    box = Mailbox()
    with serving(box, **LIMIT) as port:
        async with running(tmp_path, settings(port)) as alerts:
            await alerts.put(replace(alert(), attachment=LARGE))
            letter = await box.letter()
            await until(alerts, waiting=0)
            assert alerts.words == "mail"
    assert list(letter.iter_attachments()) == []
    assert text_of(letter).splitlines() == ["What happened", "  no beat"]


@pytest.mark.parametrize("cap", [10, 1], ids=["by itself", "folded with another"])
async def test_a_mail_that_is_refused_for_good_holds_up_no_other(
    tmp_path: Path, cap: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was tried for ever, and all later ones were folded with it and refused as well."""
    box, refused = Mailbox(), [replace(alert(each), sections=(section("Why", LARGE),) * 3) for each in (1, 2)]
    with serving(box, **LIMIT) as port:
        for each in refused:
            await resting(tmp_path, settings(port)).put(each)
        async with running(tmp_path, settings(port), alert_cap_per_hour=cap) as alerts:
            await until(alerts, waiting=0)
            assert "mail not sent: " in alerts.words
            assert "message: SMTPDataError" in alerts.words
            await alerts.put(alert(3))
            await claimed(lambda: alerts.words == "mail")
            await claimed(lambda: has_on_disk(tmp_path, sent=1))
            assert kept(tmp_path) == []
    assert numbers(box) == [3]
    said = capsys.readouterr().out
    assert said.count("Alert refused for good, and dropped") == 2
    assert all(each.id in said for each in refused)


@pytest.mark.parametrize("trouble", ["login", "recipient"])
async def test_a_refusal_that_the_operator_can_mend_drops_nothing(tmp_path: Path, trouble: str) -> None:
    """A 5xx too, but not about the mail."""
    box = Mailbox({b"agent": b"secret"})
    box.unknown = {"operator@example.org"} if trouble == "recipient" else set()
    login = {"smtp_username": "agent", "smtp_password": Secret("secret" if trouble == "recipient" else "guessed")}
    with serving(box, authenticator=box.admits, auth_require_tls=False) as port:
        async with running(tmp_path, settings(port, **login)) as alerts:
            await alerts.put(alert())
            await claimed(lambda: f"mail kept, not sent: 127.0.0.1:{port}: {trouble}: " in alerts.words)
            assert kept(tmp_path) == [f"{alert().id}.json"]


async def test_the_spool_is_bounded_and_drops_the_oldest(tmp_path: Path) -> None:
    """An outage of months must not fill the disk."""
    alerts = resting(tmp_path, settings(free_port()))
    for number in range(MAX_WAITING + 3):
        await alerts.put(alert(number))
    assert alerts.waiting == MAX_WAITING
    assert len(kept(tmp_path)) == MAX_WAITING
    assert kept(tmp_path)[0] == f"{alert(3).id}.json"


async def test_nothing_can_be_sent_before_it_is_on_disk(tmp_path: Path) -> None:
    """Else its file would appear after it was sent and removed, and the next life would send it again.

    A pipe stands where the file is written: the write takes until somebody reads, and then fails.
    """
    spool, pipe = Spool(tmp_path), tmp_path / f".{alert().id}.json.new"
    os.mkfifo(pipe)
    adding = asyncio.create_task(spool.add(alert()))
    await asyncio.sleep(0.05)
    has_ended, waiting = adding.done(), spool.waiting
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    await adding
    os.close(reader)
    assert not has_ended
    assert waiting == []
    assert spool.waiting == [alert()]


@pytest.mark.parametrize("content", [b"{", b'{"id": "\xff"}'])
async def test_a_kept_alert_that_cannot_be_read_stops_nobody(tmp_path: Path, content: bytes) -> None:
    """The others are sent."""
    alerts = resting(tmp_path, settings(free_port()))
    await alerts.put(alert())
    (tmp_path / "mail" / "0-broken.json").write_bytes(content)
    (tmp_path / "mail" / "sent").write_bytes(b'["\xff"]')
    again = resting(tmp_path, settings(free_port()))
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


async def test_what_the_cap_holds_back_goes_together_in_the_next_mail(tmp_path: Path) -> None:
    """superlance#99: thousands of mails, whatever the reason.

    Two an hour: the first, and then all the others as one; what comes after that waits for the next hour.
    """
    box = Mailbox()
    with serving(box) as port:
        async with running(tmp_path, settings(port), alert_cap_per_hour=2) as alerts:
            await alerts.put(alert(1))
            await claimed(lambda: has_on_disk(tmp_path, sent=1))
        for number in (2, 3, 4):
            await resting(tmp_path, settings(port)).put(alert(number))
        async with running(tmp_path, settings(port), alert_cap_per_hour=2) as alerts:
            await box.letter(2)
            await claimed(lambda: has_on_disk(tmp_path, sent=2))
            await alerts.put(alert(5))
            await asyncio.sleep(0.3)
            assert alerts.waiting == 1
        # A restart does not begin the hour anew.
        async with running(tmp_path, settings(port), alert_cap_per_hour=2) as alerts:
            await asyncio.sleep(0.3)
            assert alerts.waiting == 1
    assert [letter["Subject"] for letter in box.letters] == [
        "[SentimentAgent] no. 1",
        "[SentimentAgent] 3 alerts, the last: no. 4",
    ]
    assert "No. 1 of 3: no. 2" in text_of(box.letters[1])


async def test_the_cap_lets_go_when_the_hour_is_over(tmp_path: Path) -> None:
    """What was held back is sent then, without anything having to happen."""
    box, hour_s = Mailbox(), 0.5
    with serving(box) as port:
        outlet = Outlet(Mail(settings(port)), Spool(tmp_path), cap=1, hour_s=hour_s)
        for number in (2, 3):
            await outlet.put(alert(number))
        sent_s, sent_utc = time.monotonic(), time.time()
        await outlet.spool.sent([], (sent_utc,))  # no. 1 has gone, and with it all of the hour's room
        task = asyncio.create_task(outlet.run())
        letter = await box.letter()
        assert time.monotonic() - sent_s >= hour_s - 0.01, "not before"
        await claimed(lambda: not outlet.spool.waiting)
        task.cancel()
        await asyncio.wait({task})
    assert letter["Subject"] == "[SentimentAgent] 2 alerts, the last: no. 3"
    assert len(box.letters) == 1


class Refusing:
    """A channel that fails just when it is cancelled: the cancellation becomes the failure."""

    name = key = "refusing"

    def __init__(self) -> None:
        self.is_sending = asyncio.Event()

    async def send(self, _alert: Alert, _steps: Steps) -> None:
        """Wait for the cancellation, and fail."""
        self.is_sending.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise Unavailable("connect: refused") from None


async def test_a_stop_that_comes_as_a_mail_fails_is_not_lost(tmp_path: Path) -> None:
    """Python 3.11 loses a cancellation in `asyncio.wait_for` then, and the watchdog went on sending for ever."""
    channel = Refusing()
    outlet = Outlet(channel, Spool(tmp_path), cap=1)
    await outlet.put(alert())
    task = asyncio.create_task(outlet.run())
    await channel.is_sending.wait()
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=2)
    assert done == {task}
    assert task.cancelled()


async def test_a_recipient_that_is_refused_keeps_no_mail_from_the_others() -> None:
    """It is logged, and the mail is not sent again and again to those who have it."""
    box = Mailbox()
    box.unknown = {"gone@example.org"}
    with serving(box) as port:
        await mail.send(alert(), settings(port, alert_to=("gone@example.org", "b@example.org")))
        with pytest.raises(Unavailable, match="recipient: SMTPRecipientRefused"):
            await mail.send(alert(), settings(port, alert_to=("gone@example.org",)))
    assert len(box.letters) == 1


async def test_without_a_mail_server_alerts_are_logged_and_said_to_go_nowhere(tmp_path: Path) -> None:
    """Nothing piles up for nobody."""
    async with running(tmp_path / "alerts", MailSettings()) as alerts:
        await alerts.put(alert())
        assert alerts.waiting == 0
        assert alerts.words == "nowhere: SMTP_HOST is not set, nor ALERT_URLS, so alerts are only logged"
    assert not (tmp_path / "alerts").exists()
