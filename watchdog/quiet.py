"""The quiet window: the time of day at which a planned restart disturbs least. Pure; local time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import time


class Quiet(msgspec.Struct, frozen=True):
    """From one minute of the day to another, over midnight where the second is the earlier."""

    begins: int
    ends: int

    @classmethod
    def of(cls, words: str) -> Quiet | None:
        """Return the window of a setting like ``03:00-05:00``; None for an empty one."""
        if not words:
            return None
        begins, ends = (int(part[:2]) * 60 + int(part[3:]) for part in words.split("-"))
        return cls(begins, ends)

    def holds(self, now: time.struct_time) -> bool:
        """Return whether it is now."""
        minute = now.tm_hour * 60 + now.tm_min
        if self.begins <= self.ends:
            return self.begins <= minute < self.ends
        return minute >= self.begins or minute < self.ends
