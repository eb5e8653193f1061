"""The program that sends one message by Apprise and ends: what it takes is on stdin, what it came to on stdout.

A program of its own, since Apprise is somebody else's code for 180 services: it can be ended when it hangs, its memory
(16 MB) goes with it, and what it logs (URLs with their secrets among it) comes into no log of ours.
"""

from __future__ import annotations

import logging
import sys
from typing import Literal

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be sent, and where to."""

    url: str
    title: str
    body: str
    kind: Literal["failure", "warning", "success", "info"]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the URL could be used, whether the service took the message, and what was said of it."""

    is_known: bool
    is_taken: bool
    said: tuple[str, ...] = ()


class _Said(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.words: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.words.append(record.getMessage())


def send(message: Message) -> Outcome:
    """Send once."""
    said = _Said()
    logger = logging.getLogger("apprise")
    logger.propagate = False
    logger.addHandler(said)
    import apprise  # noqa: PLC0415 - an extra: who imports this module for its structs need not have it

    service = apprise.Apprise()
    if not service.add(message.url):
        return Outcome(is_known=False, is_taken=False)
    is_taken = service.notify(
        body=message.body, title=message.title, notify_type=apprise.NotifyType(message.kind), body_format="text"
    )
    return Outcome(is_known=True, is_taken=bool(is_taken), said=tuple(said.words))


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(send(msgspec.json.decode(sys.stdin.buffer.read(), type=Message))))
