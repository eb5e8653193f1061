"""The course of a drill: what was seen when, and what came of it. Values and words; it sees nothing itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

import msgspec

from ipc.errors import SentimentAgentError

if TYPE_CHECKING:
    from collections.abc import Callable

Result = Literal["pass", "fail", "refused"]
Stage = Literal["injected", "detected", "acted", "ready again", "told", "ended", "noted"]


class Refused(SentimentAgentError):
    """The drill is not made: it could not show anything now, or could do harm. Nothing was changed."""


class Failed(SentimentAgentError):
    """The drill was made, and what should have followed did not."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was seen, and how long after the fault was made."""

    stage: Stage
    after_s: float
    words: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What is printed, as JSON."""

    drill: str
    process: str | None
    result: Result
    #: What the drill shows when it passed, else why it did not.
    reason: str
    course: tuple[Seen, ...]


class Course:
    """Takes down what is seen, and tells ``on_seen`` of it."""

    def __init__(self, on_seen: Callable[[Seen], None]) -> None:
        self.seen: list[Seen] = []
        self._on_seen = on_seen
        self._began_s: float | None = None

    def note(self, stage: Stage, words: str) -> None:
        """Note what is seen now; the first thing noted, the fault, is the beginning of all times."""
        now_s = time.monotonic()
        self._began_s = now_s if self._began_s is None else self._began_s
        self.seen.append(Seen(stage=stage, after_s=round(now_s - self._began_s, 2), words=words))
        self._on_seen(self.seen[-1])
