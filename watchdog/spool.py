"""What waits to be sent by one channel: a folder, one file an alert, and when the last ones went.

An alert is on disk before it is tried, so it survives an outage and the watchdog's own restart; its file goes when it
was taken, so nothing is sent twice that is known to have been sent. Times of sending are kept too, so that a restart
does not begin the hour anew.

Bounded: of more than :data:`MAX_WAITING` the oldest is dropped, with a log line.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from ipc import logs
from watchdog.alert import Alert
from watchdog.ledger import replace_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_log = logs.log(__name__)

#: An incident makes two or three, so this is a day of the worst. Chosen, not measured.
MAX_WAITING: Final = 100


class Spool:
    """Keeps alerts in ``folder``, oldest first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: dict[str, Alert] = {}
        #: When the last alerts were sent, in wall-clock seconds, oldest first.
        self.sent_utc: tuple[float, ...] = ()

    @property
    def waiting(self) -> list[Alert]:
        """What is not sent yet, oldest first."""
        return list(self._waiting.values())

    async def load(self) -> None:
        """Take up what the last life of the watchdog left."""
        self._waiting = await asyncio.to_thread(_read_all, self._folder)
        self.sent_utc = await asyncio.to_thread(_read_sent, self._folder / "sent")

    async def add(self, alert: Alert) -> None:
        """Keep ``alert`` until it is sent; a disk that does not take it is logged, and it stays in memory."""
        try:
            await asyncio.to_thread(replace_file, self._path(alert.id), msgspec.json.encode(alert))
        except OSError as error:
            _log.error("Alert not on disk, only in memory", alert=alert.id, reason=str(error))
        # Not before: sent meanwhile, it would be removed before it is there, and the next life would send it again.
        self._waiting[alert.id] = alert
        while len(self._waiting) > MAX_WAITING:
            oldest = self.waiting[0]
            _log.error("Too many alerts wait: the oldest is dropped", alert=oldest.id, subject=oldest.subject)
            await self._remove(oldest)

    async def sent(self, alerts: Sequence[Alert], sent_utc: tuple[float, ...]) -> None:
        """Forget ``alerts``, which went in one message or never will; the cap must know ``sent_utc``."""
        self.sent_utc = sent_utc
        for alert in alerts:
            await self._remove(alert)
        try:
            await asyncio.to_thread(replace_file, self._folder / "sent", msgspec.json.encode(sent_utc))
        except OSError as error:
            _log.error("When alerts were sent is not on disk", reason=str(error))

    async def _remove(self, alert: Alert) -> None:
        self._waiting.pop(alert.id, None)
        try:
            await asyncio.to_thread(self._path(alert.id).unlink, missing_ok=True)
        except OSError as error:
            _log.error("A sent alert is still on disk", alert=alert.id, reason=str(error))

    def _path(self, alert_id: str) -> Path:
        return self._folder / f"{alert_id}.json"


def _read_all(folder: Path) -> dict[str, Alert]:
    alerts = {}
    # Ids begin with their time, so the order of names is the order of events.
    for path in sorted(folder.glob("*.json")):
        try:
            alert = msgspec.json.decode(path.read_bytes(), type=Alert)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            _log.error("A kept alert can't be read", path=str(path), reason=str(error))
        else:
            alerts[alert.id] = alert
    return alerts


def _read_sent(path: Path) -> tuple[float, ...]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[float, ...])
    except FileNotFoundError:
        return ()
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        _log.error("When alerts were sent can't be read", path=str(path), reason=str(error))
        return ()
