"""What the API sees wrong with the data, told in its beat: a store that is away, data that grows old, silence.

It looks by itself, whether anybody asks or not. What it can't know it does not tell: with the store away nobody is
called silent, and the age of an archive's or the sample's items says nothing.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from api import silence
from api.store_check import StoreCheck, check
from api.verdict import age_minutes, too_old
from ipc import logs
from ipc.errors import StoreUnavailable
from ipc.messages import Trouble

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.records import Collections
    from agent.store.protocol import Reading
    from ipc.life import Pulse
    from ipc.settings import Settings

_log = logs.log(__name__)

#: Between two looks at the store. Chosen, not measured: it is asked for a handful of rows.
LOOK_EVERY_S: Final = 5.0
#: Between two looks at each subreddit, which read sixty days of roll-ups. Chosen, not measured.
SILENCE_EVERY_S: Final = 300.0
_MINUTE_S: Final = 60
#: Only this source's items can be late.
_LIVE: Final = "reddit"


class DataWatch:
    """Looks for ever, and says what it sees in ``pulse``."""

    def __init__(self, settings: Settings, store: Reading, pulse: Pulse) -> None:
        self._settings = settings
        self._store = store
        self._pulse = pulse
        self._silence_s: float | None = None
        self._silent: dict[str, str] = {}

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
        if self._settings.collector.effective_source != _LIVE:
            return
        if found.collections is None or found.contents is None or found.contents.newest_collected_utc is None:
            self._pulse.see("stale", None)
            self._pulse.see("silent", None)
            self._silence_s = None
            return
        self._pulse.see("stale", self._stale(found, found.collections, now_utc))
        if self._silence_s is None or time.monotonic() - self._silence_s >= SILENCE_EVERY_S:
            await self._look_for_silence(found.collections)

    def _stale(self, found: StoreCheck, collections: Collections, now_utc: float) -> Iterable[Trouble]:
        """Tell data that is too old, and as far as the store knows why."""
        old = too_old(age_minutes(found, now_utc), self._settings.api.freshness_warning_minutes)
        if old is None:
            return []
        cause, words = self._why(collections, now_utc)
        return [Trouble(kind="stale", cause=cause, reason=f"{old}: {words}", severity="warning")]

    def _why(self, collections: Collections, now_utc: float) -> tuple[str, str]:
        every_s = self._settings.collector.collection_interval_minutes * _MINUTE_S
        if collections.last_finished_utc is None or now_utc - collections.last_finished_utc > 2 * every_s + _MINUTE_S:
            return "stalled", "stalled, no collection has been stored for two intervals"
        if collections.last_failures:
            causes = ", ".join(sorted({each.cause for each in collections.last_failures}))
            words = f"the last collection could not read {len(collections.last_failures)} subreddits ({causes})"
            return collections.last_failures[0].cause, words
        return "quiet", "quiet, collections succeed and bring nothing new"

    async def _look_for_silence(self, collections: Collections) -> None:
        """Tell who is silent as of the last stored collection: what was not read since then is not silence.

        One that could not be read is not silent: its failure is told by the collector. Of one that nothing can be
        learned of any more it is said what was said before.
        """
        if collections.last_finished_utc is None:
            return
        unread = {each.subreddit.lower() for each in collections.last_failures}
        wanted = [name for name in self._settings.collector.subreddits if name.lower() not in unread]
        try:
            judged = {name: await self._judge(name, int(collections.last_finished_utc)) for name in wanted}
        except StoreUnavailable as error:
            _log.debug("Nobody could be asked who is silent", reason=str(error))
            return
        self._silence_s = time.monotonic()
        self._silent = {
            name: words or self._silent[name]
            for name, words in judged.items()
            if words or (words is None and name in self._silent)
        }
        self._pulse.see(
            "silent", [Trouble(kind="silent", subject=name, reason=words) for name, words in self._silent.items()]
        )

    async def _judge(self, subreddit: str, at_utc: int) -> str | None:
        since_utc = at_utc // silence.HOUR_S * silence.HOUR_S - silence.LOOK_BACK_S
        points = await self._store.series(subreddit, since_utc, at_utc, silence.HOUR_S)
        return silence.judge([point.start_utc for point in points], at_utc)
