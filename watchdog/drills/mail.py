"""The drill of the alerts' way out: a mail server that is away, and is back.

Nobody can take the operator's mail server away, and a running watchdog has no hook for it. So the outage is made in the
drill's own process, with the watchdog's own code and a spool of the drill's own: first an address of this machine at
which nobody listens, then, as another life of the watchdog would, the server of the settings.
"""

from __future__ import annotations

import asyncio
import socket
import tempfile
import time
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from watchdog import letter
from watchdog.drills.course import Failed, Refused
from watchdog.mail import Mail
from watchdog.outlet import Outlet
from watchdog.spool import Spool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ipc.settings import MailSettings
    from watchdog.drills.exercise import Exercise

#: One alert is sent, so any cap that lets one out is as good.
_CAP: Final = 10
_RETRY_S: Final = 1.0


async def mail(exercise: Exercise) -> str:
    """An alert that can't be sent is kept on disk, and is sent by the next life once the server answers."""
    scene, settings = exercise.scene, exercise.scene.settings
    if not settings.mail.smtp_host:
        raise Refused("SMTP_HOST is not set: no mail leaves this machine, so there is nothing to drill")
    with tempfile.TemporaryDirectory(prefix="drill-alerts-", dir=settings.folders.state) as folder:
        alert = letter.trial(time.time())
        kept = Path(folder) / f"{alert.id}.json"
        with socket.socket() as nobody:  # bound and not listening: whoever connects is refused, and nobody else gets it
            nobody.bind(("127.0.0.1", 0))
            away = msgspec.structs.replace(settings.mail, smtp_host="127.0.0.1", smtp_port=nobody.getsockname()[1])
            async with _sending(Path(folder), away) as outlet:
                exercise.course.note("injected", f"an alert for a mail server that is away: {alert.id}")
                await outlet.put(alert)
                trouble = await scene.until(lambda: _trouble(outlet), "the alert is kept")
                exercise.course.note("detected", trouble)
        if not kept.exists():
            raise Failed(f"the alert that could not be sent is not in {kept}")
        exercise.course.note("acted", "the alert is kept on disk")
        async with _sending(Path(folder), settings.mail) as outlet:
            try:
                await scene.until(lambda: _is_sent(outlet), "the alert is sent")
            except Failed as failure:
                raise Failed(f"{failure}: {outlet.trouble or 'no answer yet'}") from failure
        exercise.course.note("told", f"{settings.mail.smtp_host} port {settings.mail.smtp_port} has taken the mail")
        if kept.exists():
            raise Failed(f"the alert was sent and is still in {kept}: it would be sent again")
    return "an alert was kept while the mail server was away, and sent once it was back"


@asynccontextmanager
async def _sending(folder: Path, settings: MailSettings) -> AsyncIterator[Outlet]:
    """Run one life of the outlet that mails what is in ``folder`` while inside."""
    spool = Spool(folder)
    await spool.load()
    outlet = Outlet(Mail(settings), spool, _CAP, _RETRY_S)
    sending = asyncio.create_task(outlet.run(), name="alerts")
    try:
        yield outlet
    finally:
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending


async def _trouble(outlet: Outlet) -> str | None:
    return outlet.trouble


async def _is_sent(outlet: Outlet) -> bool:
    # What is refused for good waits no more either, and leaves its trouble.
    return not outlet.spool.waiting and outlet.trouble is None
