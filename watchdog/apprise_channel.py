"""Other channels than mail, by Apprise: one URL each, such as ``slack://...`` or ``ntfy://...``.

Apprise is an extra and 16 MB of memory (measured), so it is imported with the first alert that goes this way. Its URLs
hold secrets: nothing of one but its scheme is ever shown, and what Apprise itself would log is kept from the logs.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import re
import threading
from typing import TYPE_CHECKING, Final

from ipc.errors import Unavailable
from watchdog.aside import Aside

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipc.settings import Secret
    from watchdog.alert import Alert
    from watchdog.steps import Steps

#: Apprise allows 4 s to connect and 4 s to answer, most services need one or two requests. Chosen, not measured.
LIMIT_S: Final = 20.0
#: The words that Apprise has for our tones.
_TYPES: Final = {"trouble": "failure", "warning": "warning", "recovered": "success", "notice": "info"}
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
        self._aside = Aside(limit_s)
        scheme = url.partition("://")[0] if "://" in url else ""
        self.name = re.sub(r"[^a-z0-9+.-]", "", scheme.lower()) or "url"

    @property
    def key(self) -> str:
        """A name for its files: the same for the same URL, and no way back to it."""
        return f"{self.name}-{hashlib.sha256(self._url.encode()).hexdigest()[:12]}"

    async def send(self, alert: Alert, steps: Steps) -> None:
        """Send once, and return when the service has taken it.

        Raises:
            Unavailable: it was not taken, or the URL is none that Apprise knows.

        """
        if not is_installed():
            raise Unavailable(MISSING)
        await self._aside.call(lambda: self._notify(alert, steps))

    def _notify(self, alert: Alert, steps: Steps) -> None:
        said = _Said()
        with said.heard():
            import apprise  # noqa: PLC0415 - see above

            service = apprise.Apprise()
            if not service.add(self._url):
                raise Unavailable(f"Apprise can't use this {self.name} URL")
            steps.done(f"Apprise knows {self.name}", then="message")
            if not service.notify(
                body=alert.text, title=alert.subject, notify_type=_TYPES[alert.tone], body_format="text"
            ):
                reasons = [self._masked(words) for words in said.words]
                raise Unavailable("; ".join(reasons) or "not taken, and Apprise does not say why")
        steps.done("taken", then="end")

    def _masked(self, words: str) -> str:
        return masked(words, re.split(r"[^\w.-]+", self._url))


def masked(words: str, secrets: Iterable[str]) -> str:
    """Return ``words`` without any of ``secrets``."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            words = re.sub(re.escape(secret), "***", words, flags=re.IGNORECASE)
    return words


class _Said(logging.Handler):
    """What Apprise says in one thread while it is heard; meanwhile, and afterwards, the logs get nothing of it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = threading.get_ident()
        self.words: list[str] = []

    def heard(self) -> _Heard:
        return _Heard(self)

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.words.append(record.getMessage())


class _Heard:
    def __init__(self, handler: logging.Handler) -> None:
        self._handler = handler
        self._logger = logging.getLogger("apprise")

    def __enter__(self) -> None:
        self._logger.propagate = False
        self._logger.addHandler(self._handler)

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self._handler)
