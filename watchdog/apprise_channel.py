"""Other channels than mail, by Apprise: one URL each, such as ``slack://...`` or ``ntfy://...``.

Apprise is an extra, and runs in a program of its own (:mod:`watchdog.apprise_sender`), a new one for each message. Its
URLs hold secrets: nothing of one but its scheme is ever shown.
"""

from __future__ import annotations

import asyncio
import importlib.util
import re
import sys
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from ipc.errors import Unavailable
from watchdog.apprise_sender import Message, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipc.settings import Secret
    from watchdog.alert import Alert, Tone
    from watchdog.steps import Steps

#: Apprise allows 4 s to connect and 4 s to answer, most services need one or two requests. Chosen, not measured.
LIMIT_S: Final = 20.0
#: The words that Apprise has for our tones.
_KINDS: Final[dict[Tone, Literal["failure", "warning", "success", "info"]]] = {
    "trouble": "failure",
    "warning": "warning",
    "recovered": "success",
    "notice": "info",
}
#: A comma may stand within a URL: only one before a scheme parts two.
_BETWEEN: Final = re.compile(r"\s*,\s*(?=[A-Za-z][A-Za-z0-9+.-]*://)")
#: Shorter parts of a URL are words such as `to`. Chosen, not measured.
_SHORTEST_SECRET: Final = 4

MISSING: Final = "the extra is not installed: pip install 'sentimentagent[alerts]'"


def is_installed() -> bool:
    """Tell whether Apprise is here, without importing it."""
    return importlib.util.find_spec("apprise") is not None


def urls(setting: Secret) -> list[str]:
    """Return the URLs of ALERT_URLS."""
    return [url.strip() for url in _BETWEEN.split(setting.reveal()) if url.strip()]


class AppriseChannel:
    """One URL."""

    def __init__(self, url: str, limit_s: float = LIMIT_S) -> None:
        self._url = url
        self._limit_s = limit_s
        scheme = url.partition("://")[0] if "://" in url else ""
        self.name = re.sub(r"[^a-z0-9+.-]", "", scheme.lower()) or "url"

    @property
    def key(self) -> str:
        """A name for its files: the same for the same URL, and no way back to it."""
        from hashlib import sha256  # noqa: PLC0415 - 1 MB of OpenSSL that only such a channel needs

        return f"{self.name}-{sha256(self._url.encode()).hexdigest()[:12]}"

    async def send(self, alert: Alert, steps: Steps) -> None:
        """Send once, and return when the service has taken it.

        Raises:
            Unavailable: it was not taken, or the URL is none that Apprise knows.

        """
        if not is_installed():
            raise Unavailable(MISSING)
        message = Message(url=self._url, title=alert.subject, body=alert.text, kind=_KINDS[alert.tone])
        try:
            outcome = msgspec.json.decode(await self._told(msgspec.json.encode(message)), type=Outcome)
        except msgspec.MsgspecError as error:
            raise Unavailable("Apprise failed and does not say why") from error
        if not outcome.is_known:
            raise Unavailable(f"Apprise can't use this {self.name} URL")
        steps.done(f"Apprise knows {self.name}", then="message")
        if not outcome.is_taken:
            reasons = [masked(words, re.split(r"[^\w.-]+", self._url.partition("://")[2])) for words in outcome.said]
            raise Unavailable("; ".join(reasons) or "not taken, and Apprise does not say why")
        steps.done("taken", then="end")

    async def _told(self, message: bytes) -> bytes:
        """Return what the program says, which is ended when it takes too long, and with us."""
        pipe, none = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        command = (sys.executable, "-P", "-m", "watchdog.apprise_sender")
        try:
            program = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=none)
        except OSError as error:  # no memory, or too many processes: the watchdog must outlive that
            raise Unavailable(f"Apprise can't be started: {error.strerror}") from error
        try:
            async with asyncio.timeout(self._limit_s):
                return (await program.communicate(message))[0]
        except TimeoutError as error:
            raise Unavailable(f"no answer within {self._limit_s:g} s") from error
        finally:
            if program.returncode is None:
                program.kill()
                await program.wait()


def masked(words: str, secrets: Iterable[str]) -> str:
    """Return ``words`` without any of ``secrets``."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            words = re.sub(re.escape(secret), "***", words, flags=re.IGNORECASE)
    return words
