"""The way of one message, step by step: which step is under way, and what each that is behind came to."""

from __future__ import annotations

from typing import Literal

import msgspec


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step that is over."""

    name: str
    outcome: Literal["ok", "failed", "not tried"]
    words: str = ""


class Steps:
    """Kept by whoever sends, read by whoever asks where it stopped."""

    def __init__(self, first: str = "settings") -> None:
        self.now = first
        self.behind: list[Step] = []

    def done(self, words: str, then: str) -> None:
        """Note what the step under way came to; ``then`` is under way from now on."""
        self.behind.append(Step(name=self.now, outcome="ok", words=words))
        self.now = then

    def failed(self, words: str) -> None:
        """Note that the step under way failed; it may go on all the same."""
        self.behind.append(Step(name=self.now, outcome="failed", words=words))
