"""Who is told of a change that ``sentimentagent watch`` saw: a command of the operator's, a mail.

A mail that can't be sent is kept, up to a bound, and tried again at every round; a command that fails is said to have
failed, and has had its chance.
"""

from __future__ import annotations

import asyncio
import os
import platform
import shlex
import subprocess
import time
from typing import TYPE_CHECKING, Final, Protocol

from ipc.errors import Unavailable
from watchdog import mail
from watchdog.alert import Alert, section, subject
from watchdog.outlet import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipc.settings import MailSettings
    from watchdog.onlooker import Look

#: A command that takes longer is ended: the next look is due. Chosen, not measured.
COMMAND_S: Final = 30.0
#: Changes whose mails wait: a night of an unreachable mail server. The oldest is dropped. Chosen, not measured.
MAX_WAITING: Final = 20


class Teller(Protocol):
    """One way of telling."""

    def tell(self, before: Look | None, seen: Look, words: str) -> None:
        """Take note of a change; ``words`` are its one line."""

    def round(self) -> Iterator[str]:
        """Tell what is to be told; yield a line for each thing that failed."""


class Command:
    """Runs a program: the line stands on its standard input, WATCH_STATUS and WATCH_BEFORE in its environment."""

    def __init__(self, command: str, limit_s: float = COMMAND_S) -> None:
        self._command = shlex.split(command)
        self._limit_s = limit_s
        self._to_tell: list[tuple[str, dict[str, str]]] = []

    def tell(self, before: Look | None, seen: Look, words: str) -> None:
        """Run it at the end of this round."""
        environ = {"WATCH_STATUS": seen.status, "WATCH_BEFORE": before.status if before else ""}
        self._to_tell.append((words, environ))

    def round(self) -> Iterator[str]:
        """Run it for each change, within the limit."""
        to_tell, self._to_tell = self._to_tell, []
        for words, environ in to_tell:
            try:
                done = subprocess.run(
                    self._command,
                    input=f"{words}\n",
                    env={**os.environ, **environ},
                    text=True,
                    timeout=self._limit_s,
                    check=False,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                yield f"the alert command failed: {error}"
            else:
                if done.returncode:
                    yield f"the alert command ended with {done.returncode}"


class Mail:
    """Mails by the settings' own server."""

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings
        self._to_tell: list[Alert] = []

    def tell(self, before: Look | None, seen: Look, words: str) -> None:
        """Send it at the end of this round, or of a later one."""
        self._to_tell = [*self._to_tell, letter(before, seen, words)][-MAX_WAITING:]

    def round(self) -> Iterator[str]:
        """Send what waits, the oldest first, until one can't be sent."""
        while self._to_tell:
            try:
                asyncio.run(mail.send(self._to_tell[0], self._settings))
            except Unavailable as error:
                yield f"the mail is kept ({len(self._to_tell)} waiting): {error}"
                return
            except Rejected as error:
                yield f"the mail is refused for good, and dropped: {error}"
            del self._to_tell[0]


def letter(before: Look | None, seen: Look, words: str) -> Alert:
    """Return the mail of a change."""
    was = before.status if before else "not looked at"
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(seen.at_utc))
    return Alert(
        id=f"{stamp}-watch-{seen.status}",
        subject=subject(f"{seen.status}, was {was}: {seen.reasons[0] if seen.reasons else 'all is well'}"),
        at_utc=seen.at_utc,
        tone="recovered" if seen.status == "healthy" else "warning" if seen.status == "degraded" else "trouble",
        sections=(
            section("What happened", words),
            section("Why", "; ".join(seen.reasons) or "All is well again."),
            section("What was done", "Nothing: whoever looks from outside tells, and restarts nobody."),
            section(
                "What to do now",
                "Ask the machine that it runs on; it may be down as a whole.",
                commands=(("To see how it is", "sentimentagent status"), ("To find out why", "sentimentagent doctor")),
            ),
            section("Evidence", facts=(("seen from", platform.node()),)),
        ),
    )
