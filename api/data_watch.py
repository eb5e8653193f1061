"""What the API sees wrong with the data, told in its beat: a store that is away, data that grows old, silence.

It looks by itself, whether anybody asks or not. What it can't know it does not tell: with the store away nobody is
called silent, and the age of an archive's items says nothing.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from api import silence
from api.store_check import check
from ipc import logs
from ipc.errors import StoreUnavailable
from ipc.messages import Trouble

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.records import Collections, Contents
    from agent.store.protocol import Reading
    from ipc.life import Pulse
    from ipc.settings import Settings

_log = logs.log(__name__)

#: Between two looks at the store. Chosen, not measured: it is asked for a handful of rows.
LOOK_EVERY_S: Final = 5.0
#: Between two looks at each subreddit, which read two weeks of roll-ups. Chosen, not measured.
SILENCE_EVERY_S: Final = 300.0
_MINUTE_S: Final = 60


class DataWatch:
    """Looks for ever, and says what it sees in ``pulse``."""

    def __init__(self, settings: Settings, store: Reading, pulse: Pulse) -> None:
        self._settings = settings
        self._store = store
        self._pulse = pulse
        self._silence_s: float | None = None

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look(time.time())
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self, now_utc: float) -> None:
        """Look once."""
        found = await check(self._store, now_utc)
        self._pulse.gauges |= self._store.gauges()
        self._pulse.see("database", [Trouble(kind="database", reason=found.error)] if found.error else [])
        if found.contents is None or found.collections is None:
            return
        self._pulse.see("stale", self._stale(found.contents, found.collections, now_utc))
        if self._is_live and (self._silence_s is None or time.monotonic() - self._silence_s >= SILENCE_EVERY_S):
            await self._look_for_silence(found.collections, int(now_utc))

    @property
    def _is_live(self) -> bool:
        return self._settings.collector.effective_source == "reddit"

    def _stale(self, contents: Contents, collections: Collections, now_utc: float) -> Iterable[Trouble]:
        """Tell data that is too old, and as far as the store knows why."""
        limit = self._settings.api.freshness_warning_minutes
        if contents.newest_collected_utc is None or self._settings.collector.effective_source == "archive":
            return []
        age = (now_utc - contents.newest_collected_utc) / _MINUTE_S
        if age <= limit:
            return []
        reason = (
            f"the newest data is {age:.0f} minutes old (warning above {limit:g}): {self._why(collections, now_utc)}"
        )
        return [Trouble(kind="stale", reason=reason)]

    def _why(self, collections: Collections, now_utc: float) -> str:
        every_s = self._settings.collector.collection_interval_minutes * _MINUTE_S
        if collections.last_finished_utc is None or now_utc - collections.last_finished_utc > 2 * every_s + _MINUTE_S:
            return "stalled, no collection has ended since two intervals"
        if collections.last_failures:
            causes = ", ".join(sorted({each.cause for each in collections.last_failures}))
            return f"the last collection could not read {len(collections.last_failures)} subreddits ({causes})"
        return "quiet, collections succeed and bring nothing new"

    async def _look_for_silence(self, collections: Collections, now_utc: int) -> None:
        """Tell who is silent; one that could not be read is not: its failure is told by the collector."""
        unread = {each.subreddit.lower() for each in collections.last_failures}
        wanted = [name for name in self._settings.collector.subreddits if name.lower() not in unread]
        try:
            troubles = [found for name in wanted if (found := await self._silent(name, now_utc)) is not None]
        except StoreUnavailable as error:
            _log.debug("Nobody could be asked who is silent", reason=str(error))
            return
        self._silence_s = time.monotonic()
        self._pulse.see("silent", troubles)

    async def _silent(self, subreddit: str, now_utc: int) -> Trouble | None:
        since_utc = now_utc // silence.HOUR_S * silence.HOUR_S - silence.WINDOW_S
        points = await self._store.series(subreddit, since_utc, now_utc, silence.HOUR_S)
        words = silence.judge([point.start_utc for point in points], now_utc)
        return None if words is None else Trouble(kind="silent", subject=subreddit, reason=words)
