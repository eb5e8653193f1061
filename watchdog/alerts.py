"""All ways out for alerts: each alert is logged, and goes to every channel that is set.

Without one, an alert is only logged, and :attr:`Alerts.words` says that alerts go nowhere.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from ipc import logs
from watchdog import apprise_channel
from watchdog.apprise_channel import AppriseChannel
from watchdog.outlet import FIRST_RETRY_S, Outlet
from watchdog.spool import Spool

if TYPE_CHECKING:
    from pathlib import Path

    from ipc.settings import AlertSettings, MailSettings
    from watchdog.alert import Alert
    from watchdog.commands import Commands
    from watchdog.outlet import Channel

_log = logs.log(__name__)

NOWHERE: Final = "nowhere: SMTP_HOST is not set, nor ALERT_URLS, so alerts are only logged"


def channels(mail: MailSettings, settings: AlertSettings) -> list[Channel]:
    """Return every channel that is set."""
    mails: list[Channel] = []
    if mail.smtp_host:
        # 2 MB that a watchdog without it does without. Now, and not with the first mail: after an upgrade on the spot
        # what would be found then is another version.
        from watchdog.mail import Mail  # noqa: PLC0415 - as just said

        mails.append(Mail(mail))
    return [*mails, *(AppriseChannel(url) for url in apprise_channel.urls(settings.alert_urls))]


class Alerts:
    """Takes alerts at any time and sends them in order. One :meth:`run` at a time."""

    def __init__(
        self,
        folder: Path,
        mail: MailSettings,
        settings: AlertSettings,
        commands: Commands,
        first_retry_s: float = FIRST_RETRY_S,
    ) -> None:
        #: What an alert can tell the operator to type.
        self.commands = commands
        known = channels(mail, settings)
        usable = [each for each in known if each.name == "mail" or apprise_channel.is_installed()]
        #: What is set and can't be used, because the extra is not installed.
        self._missing = [each.name for each in known if each not in usable]
        self._folder = folder
        self._keys = {each.key for each in known}
        self._outlets = [
            Outlet(each, Spool(folder / each.key), settings.alert_cap_per_hour, first_retry_s) for each in usable
        ]

    @property
    def waiting(self) -> int:
        """How many are not sent yet, on the channel that is furthest behind."""
        return max((len(outlet.spool.waiting) for outlet in self._outlets), default=0)

    @property
    def words(self) -> str:
        """The channels, such as ``mail and slack``; where alerts do not leave by one, its name, a colon and why."""
        if not self._outlets and not self._missing:
            return NOWHERE
        well = [outlet.channel.name for outlet in self._outlets if outlet.trouble is None]
        ill = [
            f"{each.channel.name} {'kept, ' if each.spool.waiting else ''}not sent: {each.trouble}"
            for each in self._outlets
            if each.trouble
        ]
        if self._missing:
            ill.append(f"{' and '.join(self._missing)} not used: {apprise_channel.MISSING}")
        return "; ".join([*([" and ".join(well)] if well else []), *ill])

    def holds(self, thread: str) -> bool:
        """Tell whether anything about the incident ``thread`` is still to be sent."""
        alerts = (alert for outlet in self._outlets for alert in outlet.spool.waiting)
        return any(thread in {alert.id, *alert.replies_to} for alert in alerts)

    async def load(self) -> None:
        """Take up what the last life of the watchdog could not send."""
        await asyncio.to_thread(self._inherit)
        for outlet in self._outlets:
            await outlet.spool.load()

    def _inherit(self) -> None:
        """Let the only channel of a scheme have what waits for one of it that is set no more: its URL was corrected."""
        left = [path for path in sorted(self._folder.glob("*/")) if path.name not in self._keys]
        for folder in left:
            files = list(folder.glob("*.json"))
            heirs = [each for each in self._outlets if each.channel.name == folder.name.rpartition("-")[0]]
            if files and len(heirs) == 1:
                _log.warning("Alerts go to the channel in its place", was=folder.name, alerts=len(files))
                _move(files, self._folder / heirs[0].channel.key)
            elif files:
                _log.warning("Alerts wait for a channel that is set no more", folder=str(folder), alerts=len(files))

    async def put(self, alert: Alert) -> None:
        """Log the alert and keep it on disk until each channel has sent it."""
        _log.warning("Alert", alert=alert.id, subject=alert.subject, goes_to=self.words)
        for outlet in self._outlets:
            await outlet.put(alert)

    async def run(self) -> None:
        """Send for ever, each channel at its own pace."""
        async with asyncio.TaskGroup() as tasks:
            for outlet in self._outlets:
                tasks.create_task(outlet.run(), name=f"alerts to {outlet.channel.name}")
            await asyncio.Event().wait()


def _move(files: list[Path], folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        for path in files:
            path.replace(folder / path.name)
    except OSError as error:
        _log.error("Alerts can't be moved", folder=str(folder), reason=str(error))
