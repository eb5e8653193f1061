"""The sweep: looks again at what is stored, a bounded part of it after each cycle, the oldest look first.

It asks the store what is due, and the source how that is now. What comes back goes the way of all items, through the
outbox; what is gone where it came from is emptied by the store. It writes nothing itself, and remembers nothing: what
was not looked at is due still.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec

from agent.sources.deadlines import page_deadline_s
from ipc import logs
from ipc.errors import SourceUnavailable, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from agent.sources.protocol import Page, Source
    from agent.store.protocol import Reading
    from ipc.life import Pulse
    from ipc.settings import CollectorSettings

_log = logs.log(__name__)

#: As many as Reddit is asked for at once.
_ITEMS_AT_ONCE: Final = 100
_HOUR_S: Final = 3600


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """What one sweep has seen."""

    looked_at: int
    deleted: int


class Sweep:
    """Looks at up to RECHECK_ITEMS stored items whose last look is RECHECK_AFTER_HOURS old; 0 hours is never.

    ``keep(stream, page)`` takes what was seen.
    """

    def __init__(
        self,
        store: Reading,
        source: Source,
        keep: Callable[[str, Page], Awaitable[int]],
        pulse: Pulse,
        settings: CollectorSettings,
    ) -> None:
        self._store = store
        self._source = source
        self._keep = keep
        self._pulse = pulse
        self._after_s = settings.recheck_after_hours * _HOUR_S
        self._items = settings.recheck_items
        self._deadline_s = page_deadline_s(settings)  # a look is one request, as a page is

    async def run(self, is_over: Callable[[], bool]) -> Swept:
        """Look; a store or a source that is away ends it, or ``is_over`` between two requests; the next goes on."""
        looked_at = deleted = 0
        try:
            due = await self._store.due(int(time.time() - self._after_s), self._items) if self._after_s else []
            for start in range(0, len(due), _ITEMS_AT_ONCE):
                if is_over():
                    break
                async with self._pulse.intake.unit():
                    with self._pulse.unit("sweep", self._deadline_s):
                        page = await self._source.look_again(due[start : start + _ITEMS_AT_ONCE])
                    await self._keep("sweep", page)
                looked_at += len(page.items)
                deleted += sum(item.is_deleted for item in page.items)
        except (SourceUnavailable, StoreUnavailable) as error:
            _log.info("Sweep ended early: the rest is due still", looked_at=looked_at, reason=str(error))
        if looked_at:
            _log.info("Sweep", looked_at=looked_at, deleted=deleted)
        return Swept(looked_at=looked_at, deleted=deleted)
