"""One alert as one mail, sent once. What becomes of one that can't be sent is :mod:`watchdog.alerts`' business."""

from __future__ import annotations

import asyncio
import contextlib
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import TYPE_CHECKING, Final

from ipc import logs
from ipc.errors import Unavailable

if TYPE_CHECKING:
    from ipc.settings import MailSettings
    from watchdog.letter import Alert

_log = logs.log(__name__)

#: Connecting, EHLO, STARTTLS, EHLO, login, MAIL, RCPT and DATA, all of them slow at once. Chosen, not measured.
_COMMANDS: Final = 3
_FAREWELL_S: Final = 1.0
#: Lines as they are, up to what a server must take (RFC 5322): a subject is not folded, and a command in the text
#: can be copied from the raw mail.
_POLICY: Final = email.policy.SMTP.clone(max_line_length=998)


def compose(alert: Alert, settings: MailSettings) -> EmailMessage:
    """Return the mail of ``alert``. Its Message-ID is the alert's own: a mail that came twice is recognised."""
    message = EmailMessage(policy=_POLICY)
    message["Subject"] = alert.subject
    message["From"] = settings.alert_from
    message["To"] = ", ".join(settings.alert_to)
    message["Date"] = format_datetime(datetime.fromtimestamp(alert.at_utc, UTC))
    domain = settings.alert_from.rpartition("@")[2].strip("<> ") or "localhost"
    message["Message-ID"] = f"<{alert.id}@{domain}>"
    # RFC 3834: nobody's holiday notice should answer this.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(alert.text)
    if alert.attachment:
        message.add_attachment(alert.attachment, filename=f"{alert.id}.txt")
    return message


async def send(alert: Alert, settings: MailSettings) -> None:
    """Hand the mail of ``alert`` to the SMTP server; return when the server has taken it.

    Raises:
        Unavailable: it was not taken; the text says why, without the password.

    """
    import aiosmtplib  # noqa: PLC0415 - 1 MB that only a mail needs

    client = aiosmtplib.SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        use_tls=settings.smtp_security == "tls",
        start_tls=settings.smtp_security == "starttls",
        username=settings.smtp_username or None,
        password=settings.smtp_password.reveal() or None,
        timeout=settings.smtp_timeout_s,
    )
    try:
        # The library's limit is for each command; a server that answers each at the last moment ends here.
        async with asyncio.timeout(_COMMANDS * settings.smtp_timeout_s):
            await client.connect()
            sender, *recipients = (parseaddr(each)[1] for each in (settings.alert_from, *settings.alert_to))
            refused, _ = await client.sendmail(sender, recipients, compose(alert, settings).as_bytes())
        # The server has taken it: an error of the farewell must not send it again.
        with contextlib.suppress(aiosmtplib.SMTPException, OSError):
            await client.quit(timeout=_FAREWELL_S)
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        raise Unavailable(f"{settings.smtp_host}:{settings.smtp_port}: {type(error).__name__} {error}") from error
    finally:
        client.close()
    for recipient in refused:
        _log.warning("Alert refused for one recipient", alert=alert.id, recipient=recipient)
