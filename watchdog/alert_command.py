"""``sentimentagent alert test``: send one message by every channel, and say how far each came.

The way is that of a real alert, by the same code, but for the spool: a command does not try again.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Final

import click
import msgspec

from ipc.environment import load
from ipc.errors import SettingsError, Unavailable
from ipc.logs import harmless
from watchdog import letter
from watchdog.alerts import NOWHERE, channels
from watchdog.deadman import Deadman
from watchdog.outlet import Rejected
from watchdog.steps import Step, Steps

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from ipc.settings import Settings

#: The steps of a mail, to say which were not come to.
_MAIL: Final = ("settings", "name", "connect", "TLS", "login", "sender", "recipient", "message")
_OTHER: Final = ("settings", "message")


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How far the message came by one channel."""

    channel: str
    steps: tuple[Step, ...]

    @property
    def is_whole(self) -> bool:
        """Whether no step failed."""
        return all(step.outcome == "ok" for step in self.steps)


@click.group()
def alert() -> None:
    """Look after the alerts."""


@alert.command()
@click.option("--json", "as_json", is_flag=True, help="Print each channel's steps as JSON.")
def test(*, as_json: bool) -> None:
    """Send a message by every channel, and say at which step one failed. Exit status 0: all came through."""
    ways = asyncio.run(_ways())
    click.echo(msgspec.json.encode(ways).decode() if as_json else "\n".join(map(describe, ways)))
    sys.exit(0 if all(way.is_whole for way in ways) else 1)


async def _ways() -> list[Way]:
    try:
        settings = load()
    except SettingsError as error:
        return [_nowhere(str(error))]
    message = letter.trial(time.time())
    ways = []
    for channel in channels(settings.mail, settings.alerts):
        steps = Steps()
        ways.append(await _walked(channel.name, steps, channel.send(message, steps)))
    ways += await _signs_of_life(settings)
    return ways or [_nowhere(NOWHERE)]


async def _signs_of_life(settings: Settings) -> list[Way]:
    url = settings.alerts.alert_deadman_url
    if not url:
        return []
    steps = Steps()
    steps.done("ALERT_DEADMAN_URL is set", then="message")
    return [await _walked("sign of life", steps, Deadman(url, lambda: True).call())]


async def _walked(channel: str, steps: Steps, sending: Awaitable[None]) -> Way:
    try:
        await sending
    except (Unavailable, Rejected) as error:
        steps.failed(str(error))
    else:
        if steps.now == "message":
            steps.done("taken", then="end")
    names = _MAIL if channel == "mail" else _OTHER
    known = {step.name for step in steps.behind}
    left = [Step(name=name, outcome="not tried") for name in names if name not in known]
    return Way(channel=channel, steps=(*steps.behind, *left))


def _nowhere(reason: str) -> Way:
    return Way(channel="none", steps=(Step(name="settings", outcome="failed", words=reason),))


def describe(way: Way) -> str:
    """Return the way as lines, one a step."""
    rows = [f"  {step.outcome:<9}  {step.name:<9}  {harmless(step.words)}".rstrip() for step in way.steps]
    return "\n".join([f"{way.channel}: {'came through' if way.is_whole else 'FAILED'}", *rows])
