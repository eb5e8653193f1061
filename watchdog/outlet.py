"""One way out for alerts: a channel, its spool, a cap an hour, and ever longer waits while it does not work.

Each channel has its own, so that one that is away holds up no other and makes no other send twice.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, Protocol

from msgspec.structs import replace

from ipc import logs
from ipc.errors import SentimentAgentError, Unavailable
from watchdog import letter
from watchdog.steps import Steps

if TYPE_CHECKING:
    from watchdog.alert import Alert
    from watchdog.spool import Spool

_log = logs.log(__name__)

FIRST_RETRY_S: Final = 5.0
#: An outage of hours costs a try every five minutes. Chosen, not measured.
_LONGEST_RETRY_S: Final = 300.0
_HOUR_S: Final = 3600.0


class Rejected(SentimentAgentError):
    """This message is refused for good: the same again would be refused again, and hold up all that follow."""


class Channel(Protocol):
    """Whatever brings an alert to somebody."""

    @property
    def name(self) -> str:
        """What it is called in words; it shows no secret."""

    @property
    def key(self) -> str:
        """Its own name among all channels, for files."""

    async def send(self, alert: Alert, steps: Steps) -> None:
        """Send once, and return when it was taken; note each step.

        Raises:
            Unavailable: it was not taken.
            Rejected: it never will be.

        """


class Outlet:
    """Takes alerts at any time and sends them in order. One :meth:`run` at a time."""

    def __init__(
        self, channel: Channel, spool: Spool, cap: int, first_retry_s: float = FIRST_RETRY_S, hour_s: float = _HOUR_S
    ) -> None:
        self.channel = channel
        self.spool = spool
        self._cap = cap
        self._hour_s = hour_s
        self._first_retry_s = first_retry_s
        self._changed = asyncio.Event()
        #: Why the last message was not sent; None when it was.
        self.trouble: str | None = None

    async def put(self, alert: Alert) -> None:
        """Keep ``alert`` until it is sent."""
        await self.spool.add(alert)
        self._changed.set()

    async def run(self) -> None:
        """Send for ever, the oldest first; after a failure wait, ever longer, and try again."""
        delay_s = self._first_retry_s
        while True:
            self._changed.clear()
            if not self.spool.waiting:
                await self._changed.wait()
                continue
            if (pause_s := self._pause_s()) > 0:
                await asyncio.sleep(pause_s)
                continue
            is_sent = await self._try()
            _end_if_cancelled()
            if is_sent:
                delay_s = self._first_retry_s
            else:
                await asyncio.sleep(delay_s)
                delay_s = min(delay_s * 2, _LONGEST_RETRY_S)

    def _recent(self) -> tuple[float, ...]:
        """Return when something was sent within the last hour; what a clock that jumped puts elsewhere is forgotten."""
        now_utc = time.time()
        return tuple(utc for utc in self.spool.sent_utc if 0 <= now_utc - utc < self._hour_s)

    def _pause_s(self) -> float:
        """Return how long to wait until the cap lets one more out."""
        recent = self._recent()
        return 0.0 if len(recent) < self._cap else recent[-self._cap] + self._hour_s - time.time()

    def _next(self) -> list[Alert]:
        """Return what goes in one message: the oldest, or all when they are more than the hour has room for."""
        waiting = self.spool.waiting
        return waiting if len(waiting) > self._cap - len(self._recent()) else waiting[:1]

    async def _try(self) -> bool:
        alerts = self._next()
        message = alerts[0] if len(alerts) == 1 else letter.folded(alerts)
        try:
            steps = await self._send(message)
        except Rejected as error:
            await self._give_up(alerts, str(error))
            return True
        except Unavailable as error:
            if self.trouble is None:
                _log.warning(
                    "Alerts can't be sent and are kept",
                    channel=self.channel.name,
                    reason=str(error),
                    waiting=len(self.spool.waiting),
                )
            self.trouble = str(error)
            return False
        _log.info("Alert sent", channel=self.channel.name, alert=message.id, alerts=len(alerts))
        for step in steps.behind:
            if step.outcome == "failed":
                _log.warning("Alert not taken for all", channel=self.channel.name, step=step.name, reason=step.words)
        self.trouble = None
        await self.spool.sent(alerts, (*self._recent(), time.time()))
        return True

    async def _send(self, message: Alert) -> Steps:
        """Send, once more without the attachment where the message is refused for good: it may be that alone."""
        steps = Steps()
        try:
            await self.channel.send(message, steps)
        except Rejected as error:
            if not message.attachment:
                raise
            words = "Alert refused: it is tried without its attachment"
            _log.warning(words, channel=self.channel.name, alert=message.id, reason=str(error))
            steps = Steps()
            await self.channel.send(replace(message, attachment=""), steps)
        return steps

    async def _give_up(self, alerts: list[Alert], reason: str) -> None:
        for each in alerts:
            _log.error(
                "Alert refused for good, and dropped",
                channel=self.channel.name,
                alert=each.id,
                subject=each.subject,
                reason=reason,
            )
        self.trouble = reason
        await self.spool.sent(alerts, self._recent())


def _end_if_cancelled() -> None:
    """Take up a cancellation that was lost on the way.

    Until Python 3.12 `asyncio.wait_for`, which aiosmtplib uses, turns one that comes just as the connection is refused
    into that refusal (cpython#86296). Unheard, it would keep the watchdog from ending, and be taken for its crash.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
