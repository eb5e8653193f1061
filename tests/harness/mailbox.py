"""A real SMTP server that keeps what it gets."""

from __future__ import annotations

import asyncio
import socket
from contextlib import contextmanager
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage

    from aiosmtpd.smtp import SMTP, Envelope, Session


class Mailbox:
    """What the server received, and the users it admits."""

    def __init__(self, passwords: dict[bytes, bytes] | None = None) -> None:
        self.letters: list[EmailMessage] = []
        #: What the server answers to a whole mail.
        self.answer = "250 taken"
        #: Whom the server does not know.
        self.unknown: set[str] = set()
        self._passwords = passwords or {}

    async def handle_RCPT(  # noqa: N802 - its name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take one recipient, or refuse it."""
        if address in self.unknown:
            return "550 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - its name
        """Take one mail, or refuse it."""
        assert isinstance(envelope.content, bytes)
        if self.answer.startswith("250"):
            self.letters.append(message_from_bytes(envelope.content, policy=policy.default))
        return self.answer

    def admits(self, *call: object) -> AuthResult:
        """Check a name and password: aiosmtpd's authenticator, of which only the last argument matters."""
        login = call[-1]
        assert isinstance(login, LoginPassword)
        return AuthResult(success=self._passwords.get(login.login) == login.password, handled=False)

    async def letter(self, nth: int = 1, within_s: float = 30) -> EmailMessage:
        """Wait for the ``nth`` letter. The limit: a mail waits up to 20 s for the new process to be ready."""
        async with asyncio.timeout(within_s):
            while len(self.letters) < nth:
                await asyncio.sleep(0.02)
        return self.letters[nth - 1]


def text_of(letter: EmailMessage) -> str:
    """Return the text of a letter, without what is attached to it."""
    body = letter.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def mail_settings(port: int) -> dict[str, str]:
    """Return the settings that send alerts to the server at ``port``."""
    return {
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(port),
        "SMTP_SECURITY": "none",
        "ALERT_FROM": "sentimentagent@example.org",
        "ALERT_TO": "operator@example.org",
    }


@contextmanager
def serving(box: Mailbox, port: int = 0, **options: Any) -> Iterator[int]:  # noqa: ANN401 - any option of aiosmtpd
    """Serve ``box`` on 127.0.0.1, on a free port where none is named; yield the port."""
    controller = Controller(box, hostname="127.0.0.1", port=port or free_port(), **options)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
