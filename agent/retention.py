"""Retention: removes items from the store that are older than DATA_RETENTION_DAYS, at the start and then every hour.

The analyzer runs it beside its work, because it is the only one that writes; the store does it in steps so short that
no acknowledgement waits for more than one. What is counted stays counted: roll-ups are not removed.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from ipc import logs
from ipc.errors import StoreUnavailable

if TYPE_CHECKING:
    from agent.store.protocol import Writing

_log = logs.log(__name__)

_HOUR_S: Final = 3600
_DAY_S: Final = 24 * _HOUR_S


def created_from_utc(days: int, now_utc: float) -> int:
    """Return the beginning of the first hour that is kept: whole hours leave, so that totals stay exact to the hour."""
    return int(now_utc - days * _DAY_S) // _HOUR_S * _HOUR_S


async def retain_every_hour(store: Writing, days: int) -> None:
    """Remove what is too old, for ever; a store that is away is tried again an hour later."""
    while True:
        from_utc = created_from_utc(days, time.time())
        began_s = time.monotonic()
        try:
            removed = await store.retain(from_utc)
        except StoreUnavailable as error:
            _log.warning("Retention put off: the store is away", reason=str(error), retry_s=_HOUR_S)
        else:
            took_s = round(time.monotonic() - began_s, 2)
            _log.info("Retention", removed=removed, created_from_utc=from_utc, days=days, took_s=took_s)
        await asyncio.sleep(_HOUR_S)
