"""One alert as one mail, sent once. What becomes of one that can't be sent is :mod:`watchdog.outlet`'s business."""

from __future__ import annotations

import asyncio
import contextlib
import email.policy
import socket
import ssl
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final

from ipc.errors import Unavailable
from watchdog.alert_html import rendered
from watchdog.outlet import Rejected
from watchdog.steps import Steps

if TYPE_CHECKING:
    from aiosmtplib import SMTP

    from ipc.settings import MailSettings
    from watchdog.alert import Alert

#: The name, connecting, EHLO, STARTTLS, EHLO, login, MAIL, RCPT and DATA, all of them slow at once. Chosen.
_COMMANDS: Final = 3
_FAREWELL_S: Final = 1.0
_PERMANENT: Final = 500
#: Lines as long as a server must take (RFC 5322): a command can be copied from the raw mail, and neither a subject
#: nor an id is broken.
_POLICY: Final = email.policy.SMTP.clone(max_line_length=998)


class Mail:
    """The channel: every alert to all recipients at once."""

    name = key = "mail"

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings

    async def send(self, alert: Alert, steps: Steps) -> None:
        """Hand the mail of ``alert`` to the SMTP server; return when the server has taken it.

        Raises:
            Unavailable: it was not taken; the text says at which step and why, without the password.
            Rejected: the server refused the message itself for good, for its size or what stands in it.

        """
        await send(alert, self._settings, steps)


def compose(alert: Alert, settings: MailSettings) -> EmailMessage:
    """Return the mail of ``alert``, in text and in HTML.

    Its Message-ID is the alert's own: a mail that came twice is recognised, and what follows can refer to it.
    """
    message = EmailMessage(policy=_POLICY)
    message["Subject"] = alert.subject
    message["From"] = settings.alert_from
    message["To"] = ", ".join(settings.alert_to)
    message["Date"] = format_datetime(datetime.fromtimestamp(alert.at_utc, UTC))
    domain = settings.alert_from.rpartition("@")[2].strip("<> ") or "localhost"
    message["Message-ID"] = f"<{alert.id}@{domain}>"
    if alert.replies_to:
        message["In-Reply-To"] = f"<{alert.replies_to[-1]}@{domain}>"
        message["References"] = " ".join(f"<{thread}@{domain}>" for thread in alert.replies_to)
    # RFC 3834: nobody's holiday notice should answer this.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(alert.text)
    message.add_alternative(rendered(alert), subtype="html")
    if alert.attachment:
        message.add_attachment(alert.attachment, filename=f"{alert.id}.txt")
    return message


async def send(alert: Alert, settings: MailSettings, steps: Steps | None = None) -> None:
    """Send once; see :meth:`Mail.send`. A recipient that is refused while another is not is a failed step."""
    import aiosmtplib  # noqa: PLC0415 - 1 MB that only a mail needs

    steps = steps or Steps()
    security = settings.smtp_security
    client = aiosmtplib.SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        use_tls=security == "tls",
        start_tls=False,
        timeout=settings.smtp_timeout_s,
    )
    try:
        # The library's limit is for each command; a server that answers each at the last moment ends here.
        async with asyncio.timeout(_COMMANDS * settings.smtp_timeout_s):
            message = compose(alert, settings)
            steps.done(f"{settings.alert_from} to {message['To']}", then="name")
            await _connect(client, settings, steps)
            await _submit(client, message, steps)
        # The server has taken it: an error of the farewell must not send it again.
        with contextlib.suppress(aiosmtplib.SMTPException, OSError):
            await client.quit(timeout=_FAREWELL_S)
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        if isinstance(error.__cause__, ssl.SSLError) and steps.now == "connect":
            steps.done(f"port {settings.smtp_port}", then="TLS")
        words = f"{steps.now}: {type(error).__name__} {error}".rstrip()
        # Of the codes of RFC 5321, 5xx after DATA is about this message. One for the login or a recipient, which the
        # operator can mend, is tried again.
        is_final = isinstance(error, aiosmtplib.SMTPDataError) and error.code >= _PERMANENT
        refusal = Rejected if is_final else Unavailable
        raise refusal(f"{settings.smtp_host}:{settings.smtp_port}: {words}") from error
    finally:
        client.close()


async def _connect(client: SMTP, settings: MailSettings, steps: Steps) -> None:
    """Come as far as a server that takes a mail from us."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(settings.smtp_host, settings.smtp_port, type=socket.SOCK_STREAM)
    steps.done(f"{settings.smtp_host} is {found[0][4][0]}", then="connect")
    greeting = await client.connect()
    steps.done(f"port {settings.smtp_port}: {greeting.message}", then="TLS")
    if settings.smtp_security == "starttls":
        await client.starttls()
    secured = client.get_transport_info("ssl_object")
    steps.done(secured.version() if secured else "none: SMTP_SECURITY=none", then="login")
    if settings.smtp_username:
        await client.login(settings.smtp_username, settings.smtp_password.reveal())
    steps.done(f"as {settings.smtp_username}" if settings.smtp_username else "none: no SMTP_USERNAME", then="sender")


async def _submit(client: SMTP, message: EmailMessage, steps: Steps) -> None:
    """Hand the mail over.

    Raises:
        aiosmtplib.SMTPException: the sender, every recipient or the message was refused.

    """
    from aiosmtplib import SMTPRecipientRefused  # noqa: PLC0415 - as above

    (sender,) = message["From"].addresses
    await client.mail(sender.addr_spec)
    steps.done(f"{sender.addr_spec} accepted", then="recipient")
    accepted, refusal = 0, None
    for address in message["To"].addresses:
        try:
            await client.rcpt(address.addr_spec)
        except SMTPRecipientRefused as error:
            refusal = error
            steps.failed(f"{address.addr_spec} refused: {error.code} {error.message}")
        else:
            accepted += 1
            steps.done(f"{address.addr_spec} accepted", then="recipient")
    if not accepted:
        raise refusal or ValueError("ALERT_TO holds no address")
    steps.now = "message"
    answer = await client.data(message.as_bytes())
    steps.done(answer.message, then="end")
