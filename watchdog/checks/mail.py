"""The mail server: connect, encrypt, sign in, leave. No mail is sent.

Each step is a finding's own word, since each is mended elsewhere. The library is the one that alerts are sent with.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from watchdog.checks.finding import Claim, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipc.settings import MailSettings, Settings

_CLAIM: Final = Claim("mail.server", "the mail server takes our connection, its encryption and our login")
#: By the step that failed.
_MENDS: Final = {
    "connect": "look at SMTP_HOST, SMTP_PORT (587 starttls, 465 tls, 25 none), SMTP_SECURITY and the firewall",
    "encrypt": "look at SMTP_SECURITY, and at the certificate: its name must be SMTP_HOST",
    "sign in": "look at SMTP_USERNAME and SMTP_PASSWORD; many providers want a password made for this application",
}


def check(settings: Settings) -> Iterator[Finding]:
    """Go as far as a mail would, where a server is set."""
    mail = settings.mail
    if not mail.smtp_host:
        others = "sent by ALERT_URLS alone" if settings.alerts.alert_urls else "only logged"
        mend = "set SMTP_HOST, ALERT_FROM and ALERT_TO to be told by mail; then: sentimentagent alert test"
        yield _CLAIM.not_checked(f"SMTP_HOST is not set, so alerts are {others}", mend)
        return
    step, error = asyncio.run(_go(mail))
    where = f"{mail.smtp_host}:{mail.smtp_port}"
    if error is None:
        yield _CLAIM.ok(f"{where} took all of it ({step})")
    else:
        yield _CLAIM.wrong(f"{where} failed to {step}: {type(error).__name__} {error}", _MENDS[step])


async def _go(mail: MailSettings) -> tuple[str, Exception | None]:
    """Return the step that failed with its error, or what was done and None."""
    import aiosmtplib  # noqa: PLC0415 - 1 MB that only this check needs

    client = aiosmtplib.SMTP(
        hostname=mail.smtp_host,
        port=mail.smtp_port,
        use_tls=mail.smtp_security == "tls",
        start_tls=False,
        timeout=mail.smtp_timeout_s,
    )
    step = "connect"
    try:
        await client.connect()
        if mail.smtp_security == "starttls":
            step = "encrypt"
            await client.starttls()
        if mail.smtp_username:
            step = "sign in"
            await client.login(mail.smtp_username, mail.smtp_password.reveal())
        with contextlib.suppress(aiosmtplib.SMTPException, OSError):  # it has taken all that matters
            await client.quit()
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        return step, error
    finally:
        client.close()
    login = f"signed in as {mail.smtp_username}" if mail.smtp_username else "no login is set"
    return f"{mail.smtp_security}, {login}", None
