"""The reader's side of the Cosmos DB store: any number of processes, beside one writer.

Windows are counted from the documents of whole days and the items of the two hours that are cut, hence exact to the
second, and at a cost that goes by days and subreddits and not by items. It opens without the database; each call says
what is wrong until it is right.
"""

from __future__ import annotations

import asyncio
import time
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Self, TypeVar

import msgspec

from agent.records import Collections, Contents, Hour, Kept, Latest, Page, Point, Scored, SubredditTotals, Totals
from agent.store import (
    cosmos_days,
    cosmos_documents,
    cosmos_freshness,
    cosmos_init,
    cosmos_layout,
    cosmos_pages,
    cosmos_queries,
    places,
)
from agent.store.cosmos_client import CosmosDatabase
from agent.store.cosmos_days import HOUR_S
from agent.store.cosmos_windows import Windows
from agent.store.query_log import QueryLog
from ipc.errors import SettingsError, StoreUnavailable
from ipc.messages import Cycle, Item

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import TracebackType

    from agent.records import Asked, Kind
    from agent.store.cosmos_documents import Document
    from agent.store.places import Place
    from ipc.settings import StoreSettings

T = TypeVar("T")


class CosmosReader:
    """A :class:`~agent.store.protocol.Reading` of a database. Queries are logged, health's at DEBUG."""

    engine = "cosmos"

    def __init__(self, settings: StoreSettings) -> None:
        self._database = CosmosDatabase(settings)
        self._windows = Windows(self._database)
        self._name = settings.cosmos_database
        self._log = QueryLog(settings.slow_query_ms)
        self._is_checked = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        await self._database.__aexit__(kind, error, trace)

    def gauges(self) -> dict[str, float]:
        """Return the request units that were used and their rate."""
        return self._database.meter.gauges()

    async def totals(self, subreddit: str | None, since_utc: int, until_utc: int) -> Totals:
        """Return the totals of posts and comments created in the window."""
        return await self._ask("totals", self._totals(subreddit, since_utc, until_utc))

    async def _totals(self, subreddit: str | None, since_utc: int, until_utc: int) -> Totals:
        return cosmos_days.totals(await self._windows.cells(subreddit, since_utc, until_utc))

    async def series(self, subreddit: str | None, since_utc: int, until_utc: int, bucket_s: int) -> list[Point]:
        """Return the buckets of the window that hold items, oldest first."""
        _see_that_hours_are_whole(bucket_s)
        return await self._ask("series", self._series(subreddit, since_utc, until_utc, bucket_s))

    async def _series(self, subreddit: str | None, since_utc: int, until_utc: int, bucket_s: int) -> list[Point]:
        return cosmos_days.series(await self._windows.cells(subreddit, since_utc, until_utc), bucket_s)

    async def totals_by_subreddit(self, since_utc: int, until_utc: int, limit: int) -> list[SubredditTotals]:
        """Return the subreddits with the most items in the window, most first."""
        return await self._ask("totals_by_subreddit", self._by_subreddit(since_utc, until_utc, limit))

    async def _by_subreddit(self, since_utc: int, until_utc: int, limit: int) -> list[SubredditTotals]:
        cells, names = await asyncio.gather(self._windows.cells(None, since_utc, until_utc), self._names())
        return cosmos_days.by_subreddit(cells, names, limit)

    async def series_by_subreddit(
        self, since_utc: int, until_utc: int, bucket_s: int, limit: int
    ) -> dict[str, list[Point]]:
        """Return the series of the subreddits with the most items in the window, most first."""
        _see_that_hours_are_whole(bucket_s)
        return await self._ask("series_by_subreddit", self._each_series(since_utc, until_utc, bucket_s, limit))

    async def _each_series(self, since_utc: int, until_utc: int, bucket_s: int, limit: int) -> dict[str, list[Point]]:
        cells, names = await asyncio.gather(self._windows.cells(None, since_utc, until_utc), self._names())
        return cosmos_days.series_by_subreddit(cells, names, bucket_s, limit)

    async def recent(self, subreddit: str | None, since_utc: int, limit: int, kind: Kind = "post") -> list[Scored]:
        """Return the newest items created at or after ``since_utc``, newest first."""
        return await self._ask("recent", self._recent(subreddit, since_utc, limit, kind))

    async def _recent(self, subreddit: str | None, since_utc: int, limit: int, kind: Kind) -> list[Scored]:
        kinds = ("post", "comment") if kind == "all" else (kind,)
        each = await asyncio.gather(*(self._recent_of(subreddit, since_utc, limit, one) for one in kinds))
        found = [cosmos_documents.scored(document) for documents in each for document in documents]
        return sorted(found, key=lambda one: (one.item.created_utc, one.item.name), reverse=True)[:limit]

    async def _recent_of(self, subreddit: str | None, since_utc: int, limit: int, kind: str) -> list[Document]:
        if subreddit is None:
            return await self._items(cosmos_queries.RECENT_OF_ALL, limit=limit, since=since_utc, kind=kind)
        sub = cosmos_documents.sub(subreddit)
        return await self._items(cosmos_queries.RECENT_OF_ONE, limit=limit, since=since_utc, kind=kind, sub=sub)

    async def page(self, asked: Asked, after: str | None, limit: int) -> Page:
        """Return the next items of a list behind the place ``after``."""
        place = places.decode(after, asked.order) if after is not None else None
        return await self._ask("page", self._page(asked, place, limit))

    async def _page(self, asked: Asked, place: Place | None, limit: int) -> Page:
        found: list[Document] = []
        for group in cosmos_pages.questions(asked, place, limit + 1):
            each = await asyncio.gather(*(self._items(text, **parameters) for text, parameters in group))
            found += [document for documents in each for document in documents]
            if len(found) > limit:
                break
        return cosmos_pages.made_of(asked, found, limit)

    async def item(self, name: str) -> Scored | None:
        """Return the item with this fullname, None when unknown or deleted."""
        found = await self._ask("item", self._items(cosmos_queries.ITEM, name=name))
        scored = [cosmos_documents.scored(document) for document in found]
        return next((one for one in scored if not one.item.is_deleted), None)

    async def subreddits(self) -> list[str]:
        """Return the names of all subreddits that have items, sorted without regard to case."""
        names = await self._ask("subreddits", self._names())
        return sorted(names.values(), key=str.lower)

    async def collections(self, now_utc: float) -> Collections:
        """Return what the stored cycles say."""
        return await self._ask("collections", self._collections(now_utc), quiet=True)

    async def _collections(self, now_utc: float) -> Collections:
        cycles = cosmos_layout.CYCLES
        last, failed, counter = await asyncio.gather(
            self._meta(cosmos_queries.LAST_CYCLE, cycles),
            self._meta(cosmos_queries.FAILED_SINCE, cycles, since=now_utc - HOUR_S),
            self._database.read(cosmos_layout.META, cycles, cosmos_layout.COUNTER_ID),
        )
        cycle = msgspec.convert(last[0], Cycle) if last else None
        counted = counter or {}
        return Collections(
            last_finished_utc=cycle.finished_utc if cycle else None,
            last_failures=cycle.failures if cycle else (),
            succeeded=counted.get("succeeded", 0),
            failed=counted.get("failed", 0),
            failed_last_hour=sum(failed),
        )

    async def contents(self) -> Contents:
        """Return what the store holds: two documents are read. Items that have expired are counted still."""
        return await self._ask("contents", self._contents(), quiet=True)

    async def _contents(self) -> Contents:
        items, set_aside = await asyncio.gather(
            self._database.read(cosmos_layout.META, cosmos_layout.CONTENTS, cosmos_layout.CONTENTS_ID),
            self._database.read(cosmos_layout.META, cosmos_layout.SET_ASIDE, cosmos_layout.COUNTER_ID),
        )
        newest: dict[str, int] = items["sources"] if items else {}
        return Contents(
            items=items["items"] if items else 0,
            set_aside=set_aside["set_aside"] if set_aside else 0,
            newest_collected_utc=max(newest.values(), default=None),
            sources=tuple(sorted(newest)),
        )

    async def latest(self) -> list[Latest]:
        """Return how fresh each subreddit is: two documents' worth. Items that have expired are counted still."""
        return await self._ask("latest", self._latest())

    async def _latest(self) -> list[Latest]:
        contents, names = await asyncio.gather(
            self._database.read(cosmos_layout.META, cosmos_layout.CONTENTS, cosmos_layout.CONTENTS_ID), self._names()
        )
        return cosmos_freshness.latest(contents, names)

    async def state(self) -> None:
        """Return None: asking costs request units, and another process's write may be seen a moment late."""
        return

    async def due(self, looked_at_before_utc: int, limit: int) -> list[Item]:
        """Return items of the source ``reddit`` that were last looked at before, longest ago first."""
        return await self._ask("due", self._due(looked_at_before_utc, limit))

    async def _due(self, before: int, limit: int) -> list[Item]:
        documents, set_aside = await asyncio.gather(
            self._items(cosmos_queries.DUE, before=before, limit=limit),
            self._meta(cosmos_queries.DUE_SET_ASIDE, cosmos_layout.SET_ASIDE, before=before, limit=limit),
        )
        found = [(kept.checked_utc, kept.scored.item) for kept in map(cosmos_documents.kept, documents)]
        broken = [cosmos_documents.set_aside(document).item for document in set_aside]
        if broken:  # one that has a score by now is due by that
            names = [one.name for one in broken]
            known = await self._database.query(cosmos_layout.ITEMS, cosmos_queries.NAMED, {"names": names})
            found += [(one.collected_utc, one) for one in broken if one.name not in set(known)]
        return [one for _, one in sorted(found, key=itemgetter(0))[:limit]]

    async def scan(self, after: str | None, limit: int) -> list[Kept]:
        """Return the next items behind the place ``after``, by name."""
        found = await self._ask("scan", self._items(cosmos_queries.SCAN, after=after or "", limit=limit))
        return [cosmos_documents.kept(document) for document in found]

    async def hours(self, after: Hour | None, limit: int) -> list[Hour]:
        """Return the next roll-ups behind ``after``, by subreddit and time."""
        return await self._ask("hours", self._hours(after, limit))

    async def _hours(self, after: Hour | None, limit: int) -> list[Hour]:
        day_key, hour_utc = cosmos_days.place(after) if after else ("", 0)
        # Each of these days has an hour to tell, but for the first, which may have been told to its end.
        days, names = await asyncio.gather(
            self._items(cosmos_queries.DAYS_FROM, first=day_key, limit=limit + 1), self._names()
        )
        sub = cosmos_documents.sub(after.subreddit) if after else None
        cells = (cell for day in days for cell in cosmos_days.cells(day))
        behind = (cell for cell in cells if cell.sub != sub or cell.at_utc > hour_utc)
        return [cosmos_days.hour(cell, names) for cell, _ in zip(behind, range(limit), strict=False)]

    async def _names(self) -> dict[str, str]:
        """Return the first spelling of each subreddit."""
        names = await self._meta(cosmos_queries.NAMES, cosmos_layout.SUBREDDITS)
        return {cosmos_documents.sub(name): name for name in names}

    async def _items(self, text: str, pk: str | None = None, **parameters: object) -> list[Document]:
        return await self._database.query(cosmos_layout.ITEMS, text, parameters, pk)

    async def _meta(self, text: str, pk: str, **parameters: object) -> list[Any]:
        return await self._database.query(cosmos_layout.META, text, parameters, pk)

    async def _check(self) -> None:
        """See once that the database is one that this version reads."""
        if not self._is_checked:
            try:
                await cosmos_init.check(self._database, self._name)
            except SettingsError as error:
                raise StoreUnavailable(str(error)) from error
            self._is_checked = True

    async def _ask(self, name: str, asking: Coroutine[Any, Any, T], *, quiet: bool = False) -> T:
        """Wait for the answer, and log how long it took."""
        began_s = time.perf_counter()
        try:
            await self._check()
            answer = await asking
        finally:
            asking.close()
        self._log.note(name, (time.perf_counter() - began_s) * 1000, _rows(answer), quiet=quiet)
        return answer


def _see_that_hours_are_whole(bucket_s: int) -> None:
    if bucket_s % HOUR_S:
        raise ValueError(f"a bucket of {bucket_s} s is no multiple of an hour")


def _rows(answer: object) -> int:
    if isinstance(answer, Page):
        return len(answer.items)
    return len(answer) if isinstance(answer, list | dict) else 1
