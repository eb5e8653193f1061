"""``sentimentagent watch``: look at a system's health from outside of it, for as long as nobody stops that.

It needs nothing of what it watches, so it may run under another user, from cron (``--once``), or on another machine.
"""

from __future__ import annotations

import signal
import sys
import time
from typing import TYPE_CHECKING, Final, TextIO

import click

from ipc.environment import load
from ipc.errors import SettingsError
from ipc.life import EX_CONFIG
from ipc.logs import harmless
from ipc.settings import Secret
from watchdog import onlooker, tellers
from watchdog.start_command import address

if TYPE_CHECKING:
    from types import FrameType

    from ipc.settings import Settings
    from watchdog.tellers import Teller

_TIMEOUT_S: Final = 10.0


@click.command()
@click.option("--interval", "interval_s", type=click.FloatRange(min=1), default=60, show_default=True, help="Seconds.")
@click.option("--api-url", help="Where the API is; by default the one of this copy's settings.")
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(min=0.1), default=_TIMEOUT_S, help="Of one answer, seconds."
)
@click.option(
    "--token-file",
    type=click.File(),
    help="Holds the token that the API needs from another machine (sentimentagent token new).",
)
@click.option("--once", is_flag=True, help="Look once; exit status 0 healthy, 1 degraded, 2 unhealthy or unreachable.")
@click.option("--alert-command", metavar="CMD", help="Run at each change, with the line about it on standard input.")
@click.option("--mail", "by_mail", is_flag=True, help="Mail each change by the settings' SMTP server.")
def watch(  # noqa: PLR0913 - one for each option
    *,
    interval_s: float,
    api_url: str | None,
    timeout_s: float,
    token_file: TextIO | None,
    once: bool,
    alert_command: str | None,
    by_mail: bool,
) -> None:
    """Look at the health from outside, one line a look, and tell of each change of status."""
    settings = None if api_url and not by_mail else _settings(by_mail=by_mail)
    url = api_url or address(settings.api) if settings else str(api_url)
    token = Secret(token_file.read().strip()) if token_file else None
    told: list[Teller] = [tellers.Command(alert_command)] if alert_command else []
    if by_mail and settings:
        told.append(tellers.Mail(settings.mail))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    seen: onlooker.Look | None = None
    while True:
        due_s = time.monotonic() + interval_s
        before, seen = seen, onlooker.look(url, timeout_s, token=token)
        _tell(before, seen, told)
        if once:
            sys.exit(onlooker.EXIT_STATUS[seen.status])
        time.sleep(max(0.0, due_s - time.monotonic()))


def _tell(before: onlooker.Look | None, seen: onlooker.Look, told: list[Teller]) -> None:
    click.echo(onlooker.line(seen))
    words = onlooker.change(before, seen)
    if words is not None:
        click.echo(words)
    for teller in told:
        if words is not None:
            teller.tell(before, seen, words)
        for failure in teller.round():
            click.echo(harmless(f"{onlooker.stamp(seen)} {failure}"), err=True)
    sys.stdout.flush()


def _settings(*, by_mail: bool) -> Settings:
    try:
        settings = load()
    except SettingsError as error:
        click.echo(f"wrong settings: {harmless(str(error))}", err=True)
        sys.exit(EX_CONFIG)
    if by_mail and not settings.mail.smtp_host:
        click.echo("wrong settings: --mail needs SMTP_HOST, ALERT_FROM and ALERT_TO", err=True)
        sys.exit(EX_CONFIG)
    return settings


def _end(_number: int, _frame: FrameType | None) -> None:
    """End at once: nothing that is under way has to be finished."""
    sys.exit(0)
