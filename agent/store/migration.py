"""From one store to another: every item with its score, then the roll-ups that outlived theirs, then a count of both.

It may be broken off at any moment and goes on where it was: the place is written down after each batch, and what is
sent twice is stored once. Processes may go on writing to the new store meanwhile, and should no more to the old one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from ipc import logs
from ipc.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from agent.records import Hour, Scored
    from agent.store.protocol import Reading, Writing

_log = logs.log(__name__)

#: Items that are written at once. Chosen: some tens of partitions of Cosmos DB, side by side.
ITEMS_AT_ONCE: Final = 1000
#: How often one batch is tried while the new store is away or throttles, and how long is waited in between.
TRIES: Final = 20
RETRY_S: Final = 3.0


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a migration has come; what is written down."""

    #: The place in the old store behind which it goes on.
    after: str | None = None
    read: int = 0
    new: int = 0


class Migrated(msgspec.Struct, frozen=True, kw_only=True):
    """What was moved, and what both sides hold."""

    read: int
    #: Of those, how many the new store did not have.
    new: int
    hours_adopted: int
    items_before: int
    items_after: int
    #: Hours of which the new store counts less than the old one: none, when all has gone well.
    hours_short: int
    #: Items that broke the model: they stay in the old store.
    set_aside: int

    @property
    def is_whole(self) -> bool:
        """Whether everything that the old store counts is counted in the new one."""
        return not self.hours_short


async def migrate(  # noqa: PLR0913 - both sides, where to remember, and its pace
    source: Reading,
    writer: Writing,
    target: Reading,
    place: Path,
    on_progress: Callable[[Progress], None],
    *,
    at_once: int = ITEMS_AT_ONCE,
    tries: int = TRIES,
) -> Migrated:
    """Move everything from ``source`` to ``writer``, whose readers' side is ``target``; ``place`` remembers how far.

    Raises:
        StoreUnavailable: one of them stays away; begun again, it goes on.

    """
    progress = await asyncio.to_thread(_load, place)
    while kept := await source.scan(progress.after, at_once):
        new = await _write(writer, [each.scored for each in kept], tries)
        progress = Progress(after=kept[-1].place, read=progress.read + len(kept), new=progress.new + new)
        await asyncio.to_thread(_save, place, progress)
        on_progress(progress)
    adopted = await _adopt(source, writer)
    short = await _short(source, target)
    before, after = await source.contents(), await target.contents()
    await asyncio.to_thread(place.unlink, missing_ok=True)
    return Migrated(
        read=progress.read,
        new=progress.new,
        hours_adopted=adopted,
        items_before=before.items,
        items_after=after.items,
        hours_short=short,
        set_aside=before.set_aside,
    )


async def _write(writer: Writing, scored: Sequence[Scored], tries: int) -> int:
    for left in range(tries - 1, -1, -1):
        try:
            return await writer.write(scored, [], [])
        except StoreUnavailable as error:
            if not left:
                raise
            _log.warning("The new store is away: tried again", reason=str(error), tries_left=left)
            await asyncio.sleep(error.retry_after_s or RETRY_S)
    raise AssertionError


async def _adopt(source: Reading, writer: Writing) -> int:
    adopted, after = 0, None
    while hours := await source.hours(after, ITEMS_AT_ONCE):
        adopted += await writer.adopt(hours)
        after = hours[-1]
    return adopted


async def _short(source: Reading, target: Reading) -> int:
    """Return how many hours the new store counts less of than the old one."""
    counted = {_key(hour): _total(hour) for hour in await _all(target)}
    return sum(counted.get(_key(hour), 0) < _total(hour) for hour in await _all(source))


async def _all(store: Reading) -> list[Hour]:
    every: list[Hour] = []
    while hours := await store.hours(every[-1] if every else None, ITEMS_AT_ONCE):
        every += hours
    return every


def _key(hour: Hour) -> tuple[str, int]:
    return hour.subreddit.lower(), hour.hour_utc


def _total(hour: Hour) -> int:
    return hour.positive + hour.neutral + hour.negative


def _load(place: Path) -> Progress:
    try:
        return msgspec.json.decode(place.read_bytes(), type=Progress)
    except (FileNotFoundError, msgspec.MsgspecError):
        return Progress()


def _save(place: Path, progress: Progress) -> None:
    new = place.with_name(f"{place.name}.new")
    new.write_bytes(msgspec.json.encode(progress))
    new.replace(place)
