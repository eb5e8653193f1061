"""What the collector says of its source in its beat: who can't be read and why, and whether collecting stands still.

Only of a source that is live: an archive or the sample can be neither refused nor late. A cause that passes by itself
is told of a subreddit when two cycles in a row had it; one that lasts, and a source of which nothing could be read, at
once. Nothing is told before a cycle has ended, because nobody knows then.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from ipc.messages import Trouble

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipc.life import Pulse
    from ipc.messages import Cycle

LIVE: Final = "reddit"
#: The causes that stay until somebody does something (the table of them: :mod:`agent.sources.reddit_failures`).
LASTING: Final = frozenset({"bad_credentials", "forbidden", "not_found", "no_such_subreddit"})
#: Between two looks at what time alone changes. Chosen, not measured.
LOOK_EVERY_S: Final = 5.0
#: A cycle that is under way for so many intervals, and for so long, stands still. Chosen: a page has its own deadline.
_STALLED_INTERVALS: Final = 2
_LEAST_STALLED_S: Final = 900.0
#: Failed cycles are counted over this.
_HOUR_S: Final = 3600.0
_MINUTE_S: Final = 60.0


class SourceWatch:
    """Remembers the last cycles and says what follows in ``pulse``. Instants are monotonic."""

    def __init__(self, pulse: Pulse, source: str, interval_s: float, failed_most: int) -> None:
        self._pulse = pulse
        self._is_live = source == LIVE
        self._stalled_s = max(_STALLED_INTERVALS * interval_s, _LEAST_STALLED_S)
        self._failed_most = failed_most
        #: When this life began.
        self.began_at_s = time.monotonic()
        self._began_s: float | None = None
        self._unread: list[Trouble] | None = None
        #: How many cycles in a row could not read a subreddit.
        self._in_a_row: dict[str, int] = {}
        self._failed_s: list[float] = []

    async def run(self) -> None:
        """Look for ever."""
        while True:
            self.look(time.monotonic())
            await asyncio.sleep(LOOK_EVERY_S)

    def began(self, now_s: float) -> None:
        """Note that a cycle begins."""
        self._began_s = now_s

    def ended(self, cycle: Cycle, streams: int, now_s: float) -> None:
        """Note what a cycle of so many ``streams`` could not read, and whether it failed."""
        self._began_s = None
        self._in_a_row = {each.subreddit: self._in_a_row.get(each.subreddit, 0) + 1 for each in cycle.failures}
        self._unread = list(self._told(cycle, streams))
        if cycle.outcome == "failed":
            self._failed_s.append(now_s)
        self.look(now_s)

    def look(self, now_s: float) -> None:
        """Say what is wrong by now."""
        if not self._is_live:
            return
        stalled = list(self._stalled(now_s))
        if stalled or self._unread is not None:
            self._pulse.see("source", [*stalled, *(self._unread or ())])
        self._failed_s = [at_s for at_s in self._failed_s if now_s - at_s < _HOUR_S]
        failed, most = len(self._failed_s), self._failed_most
        words = f"{failed} collections failed in the last hour (warning above {most})"
        if failed > most:
            self._pulse.see("collections", [Trouble(kind="collections", reason=words, severity="warning")])
        elif now_s - self.began_at_s >= _HOUR_S:  # before that, nobody knows what an earlier life has seen fail
            self._pulse.see("collections", [])

    def _told(self, cycle: Cycle, streams: int) -> Iterable[Trouble]:
        failures = cycle.failures
        causes = {each.cause for each in failures}
        if len(failures) == streams > 1 and len(causes) == 1:
            yield Trouble(
                kind="source",
                cause=failures[0].cause,
                reason=f"{failures[0].cause}: none of {streams} subreddits could be read: {failures[0].detail}",
            )
            return
        for each in failures:
            times = self._in_a_row[each.subreddit]
            if each.cause in LASTING or times > 1:
                again = f" ({times} collections in a row)" if times > 1 else ""
                words = f"{each.cause}: {each.detail}{again}"
                yield Trouble(kind="source", subject=each.subreddit, cause=each.cause, reason=words)

    def _stalled(self, now_s: float) -> Iterable[Trouble]:
        if self._began_s is not None and now_s - self._began_s > self._stalled_s:
            doing = f"it waits for: {self._pulse.waiting_for}" if self._pulse.waiting_for else "it is at work"
            words = f"stalled: a collection has not ended for {(now_s - self._began_s) / _MINUTE_S:.0f} min; {doing}"
            yield Trouble(kind="source", cause="stalled", reason=words)
