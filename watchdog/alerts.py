"""The alerts on their way out: a spool on disk, one file an alert, sent when the mail server takes it.

An alert is on disk before it is tried, so it survives an outage of the mail server and the
watchdog's own restart; its file goes when the server has taken it, so nothing is sent twice that
is known to have been sent. Without an SMTP server an alert is logged, and :attr:`Alerts.words`
says that alerts go nowhere.

Bounded: of more than :data:`MAX_WAITING` the oldest is dropped, with a log line.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from ipc import logs
from ipc.errors import Unavailable
from watchdog import mail
from watchdog.ledger import replace_file
from watchdog.letter import Alert

if TYPE_CHECKING:
    from pathlib import Path

    from ipc.settings import MailSettings

_log = logs.log(__name__)

#: An incident makes two or three, so this is a day of the worst. Chosen, not measured.
MAX_WAITING: Final = 100
_FIRST_RETRY_S: Final = 5.0
#: An outage of hours costs a try every five minutes. Chosen, not measured.
_LONGEST_RETRY_S: Final = 300.0


class Alerts:
    """Takes alerts at any time and sends them in order. One :meth:`run` at a time."""

    def __init__(self, folder: Path, settings: MailSettings, first_retry_s: float = _FIRST_RETRY_S) -> None:
        self._folder = folder
        self._settings = settings
        self._first_retry_s = first_retry_s
        self._waiting: dict[str, Alert] = {}
        self._changed = asyncio.Event()
        self._trouble: str | None = None

    @property
    def waiting(self) -> int:
        """How many are not sent yet."""
        return len(self._waiting)

    @property
    def words(self) -> str:
        """``mail`` when alerts leave the machine, else why they do not."""
        if not self._settings.smtp_host:
            return "nowhere: SMTP_HOST is not set, so alerts are only logged"
        return "mail" if self._trouble is None else f"kept, not sent: {self._trouble}"

    async def load(self) -> None:
        """Take up what the last life of the watchdog could not send."""
        self._waiting = await asyncio.to_thread(_read_all, self._folder)
        self._changed.set()

    async def put(self, alert: Alert) -> None:
        """Log the alert and, where there is somebody to send it to, keep it on disk until it is sent."""
        _log.warning("Alert", alert=alert.id, subject=alert.subject, goes_to=self.words)
        if not self._settings.smtp_host:
            return
        self._waiting[alert.id] = alert
        try:
            await asyncio.to_thread(replace_file, self._path(alert.id), msgspec.json.encode(alert))
        except OSError as error:
            _log.error("Alert not on disk, only in memory", alert=alert.id, reason=str(error))
        while len(self._waiting) > MAX_WAITING:
            oldest = next(iter(self._waiting))
            _log.error("Too many alerts wait: the oldest is dropped", alert=oldest)
            await self._done(oldest)
        self._changed.set()

    async def run(self) -> None:
        """Send for ever, the oldest first; after a failure wait, ever longer, and try again."""
        delay_s = self._first_retry_s
        while True:
            if not self._waiting or not self._settings.smtp_host:
                self._changed.clear()
                await self._changed.wait()
                continue
            alert = next(iter(self._waiting.values()))
            try:
                await mail.send(alert, self._settings)
            except Unavailable as error:
                if self._trouble is None:
                    _log.warning("Alerts can't be sent and are kept", reason=str(error), waiting=self.waiting)
                self._trouble = str(error)
                await asyncio.sleep(delay_s)
                delay_s = min(delay_s * 2, _LONGEST_RETRY_S)
            else:
                _log.info("Alert sent", alert=alert.id)
                self._trouble, delay_s = None, self._first_retry_s
                await self._done(alert.id)

    async def _done(self, alert_id: str) -> None:
        self._waiting.pop(alert_id, None)
        await asyncio.to_thread(self._path(alert_id).unlink, missing_ok=True)

    def _path(self, alert_id: str) -> Path:
        return self._folder / f"{alert_id}.json"


def _read_all(folder: Path) -> dict[str, Alert]:
    alerts = {}
    # Ids begin with their time, so the order of names is the order of events.
    for path in sorted(folder.glob("*.json")):
        try:
            alert = msgspec.json.decode(path.read_bytes(), type=Alert)
        except (OSError, msgspec.MsgspecError) as error:
            _log.error("A kept alert can't be read", path=str(path), reason=str(error))
        else:
            alerts[alert.id] = alert
    return alerts
