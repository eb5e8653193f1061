"""The writer's side of the Cosmos DB store: exact and bounded.

Partitions are written side by side, a few at a time; within one, batch after batch. A write that fails in the middle
may be repeated whole: what is done already is recognised and done no second time.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from agent.store import (
    cosmos_adoption,
    cosmos_batches,
    cosmos_changes,
    cosmos_days,
    cosmos_documents,
    cosmos_freshness,
    cosmos_init,
    cosmos_queries,
)
from agent.store.cosmos_batches import Place
from agent.store.cosmos_client import CosmosDatabase
from agent.store.cosmos_freshness import Brought
from agent.store.cosmos_layout import ITEMS
from agent.store.cosmos_meta import Meta
from agent.store.query_log import QueryLog
from ipc.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType

    from agent.records import Hour, Scored, SetAside
    from agent.store.cosmos_changes import Looks, Plan
    from agent.store.cosmos_documents import Document
    from ipc.messages import Cycle, Item
    from ipc.settings import StoreSettings

#: How many items of an author are looked up at once.
_FORGET_AT_ONCE: Final = 500


class CosmosWriter:
    """A :class:`~agent.store.protocol.Writing` of a database. ``clock`` is the wall clock that times to live go by."""

    def __init__(self, settings: StoreSettings, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock
        self._database = CosmosDatabase(settings)
        self._meta = Meta(self._database, self._ttl_s)
        self._log = QueryLog(settings.slow_query_ms)
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """See that the containers are as they must be, and count what they hold.

        Raises:
            SettingsError: they can't be mended, or belong to a newer version.
            StoreUnavailable: the account is away, or ``sentimentagent store init`` has not been run.

        """
        try:
            await cosmos_init.check(self._database, self._settings.cosmos_database)
            await self._meta.tell_contents(Brought(), recount=True)
        except BaseException:
            await self._database.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        await self._database.__aexit__(kind, error, trace)

    def gauges(self) -> dict[str, float]:
        """Return the request units that were used, their rate, and how often there were none left."""
        return self._database.meter.gauges()

    async def write(self, scored: Sequence[Scored], set_aside: Sequence[SetAside], cycles: Sequence[Cycle]) -> int:
        """Store all of it durably and return how many scored items were new. One write at a time: others wait."""
        began_s = time.perf_counter()
        async with self._turn:
            recount, self._meta.is_in_doubt = self._meta.is_in_doubt, True
            brought = await self._write_items(scored)
            await self._meta.set_aside(set_aside)
            await self._look_at(one.item for one in set_aside)
            await self._meta.empty(one.item.name for one in scored if one.item.is_deleted)
            await self._meta.cycles(cycles)
            await self._meta.tell_contents(brought, recount=recount)
        self._log.note("write", (time.perf_counter() - began_s) * 1000, brought.new)
        return brought.new

    async def retain(self, created_from_utc: int) -> int:  # noqa: ARG002 - the protocol's name for it
        """Return 0: each item carries its time to live, and the service removes it by itself."""
        return 0

    async def forget(self, author: str) -> int:
        """Empty every item of ``author`` and return how many there were."""
        author_key, forgotten = author.lower(), 0
        async with self._turn:
            await self._meta.forget(author_key)
            while emptied := await self._forget_some(author_key):
                forgotten += emptied
        return forgotten

    async def adopt(self, hours: Sequence[Hour]) -> int:
        """Take over roll-ups without their items; return how many were taken."""
        taken = 0
        async with self._turn:
            await self._meta.name(dict.fromkeys(hour.subreddit for hour in hours))
            for pk, of_day in cosmos_adoption.by_partition(hours).items():
                known = await cosmos_batches.read(self._database, _place(pk), [cosmos_days.DAY_ID])
                plan = partial(cosmos_adoption.plan, of_day)
                done = await cosmos_batches.carry_out(self._database, _place(pk), [cosmos_days.DAY_ID], plan, known)
                taken += done.adopted
        return taken

    async def _forget_some(self, author_key: str) -> int:
        found = await self._database.query(
            ITEMS, cosmos_queries.OF_AUTHOR, {"author": author_key, "limit": _FORGET_AT_ONCE}
        )
        return sum([await self._forget(pk, known, author_key) for pk, known in _by_partition(found).items()])

    async def _forget(self, pk: str, known: dict[str, Document], author_key: str) -> int:
        emptied = 0
        plan = partial(cosmos_changes.forgetting, author_key=author_key, ttl_s=self._ttl_s)
        for ids in cosmos_changes.cut(dict.fromkeys(known, 0)):
            part = {name: known[name] for name in ids}
            emptied += (await cosmos_batches.carry_out(self._database, _place(pk), ids, plan, part)).new
        return emptied

    async def _look_at(self, items: Iterable[Item]) -> None:
        """Note the look at items whose new text broke the model: what was scored before stays, and is not due."""
        partitions: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for one in items:
            of_partition = partitions[cosmos_documents.partition(one.subreddit, one.created_utc)]
            of_partition[cosmos_documents.escape(one.name)] = one.collected_utc
        for pk, at_utc in partitions.items():
            plan = partial(cosmos_changes.looked_at, at_utc=at_utc, ttl_s=self._ttl_s)
            for ids in cosmos_changes.cut(dict.fromkeys(at_utc, 0)):
                known = await cosmos_batches.read(self._database, _place(pk), ids)
                await cosmos_batches.carry_out(self._database, _place(pk), ids, plan, known)

    async def _write_items(self, scored: Iterable[Scored]) -> Brought:
        """Write all partitions; return what that brings."""
        partitions = cosmos_changes.partitions(scored)
        await self._meta.name(dict.fromkeys(one.item.subreddit for one in scored))
        write, lanes = uuid.uuid4().hex, asyncio.Semaphore(self._settings.cosmos_concurrency)

        async def write_one(pk: str, looks: Looks) -> list[Plan]:
            async with lanes:
                return [await self._write_chunk(pk, chunk, write) for chunk in cosmos_changes.chunks(looks)]

        try:
            async with asyncio.TaskGroup() as tasks:
                writing = [tasks.create_task(write_one(*one)) for one in partitions.items()]
        except ExceptionGroup as errors:
            if away := errors.subgroup(StoreUnavailable):
                # One is as good as another. The others were stopped, and what they did is recognised the next time.
                raise away.exceptions[0] from None
            raise
        return _summed(plan for task in writing for plan in task.result())

    async def _write_chunk(self, pk: str, looks: Looks, write: str) -> Plan:
        def plan(known: Mapping[str, Document]) -> Plan:
            return cosmos_changes.plan(pk, looks, known, write, self._ttl_s)

        return await cosmos_batches.carry_out(self._database, _place(pk), list(looks), plan)

    def _ttl_s(self, created_utc: int) -> int:
        return cosmos_documents.ttl_s(created_utc, self._settings.data_retention_days, self._clock())


def _place(pk: str) -> Place:
    return Place(ITEMS, cosmos_days.day_document(pk))


def _summed(plans: Iterable[Plan]) -> Brought:
    done = list(plans)
    newest: dict[str, int] = {}
    for plan in done:
        newest = cosmos_changes.latest(newest, plan.newest)
    return Brought(sum(plan.new for plan in done), newest, cosmos_freshness.added(*(plan.fresh for plan in done)))


def _by_partition(found: Iterable[Document]) -> dict[str, dict[str, Document]]:
    partitions: defaultdict[str, dict[str, Document]] = defaultdict(dict)
    for document in found:
        partitions[document["pk"]][document["id"]] = document
    return dict(partitions)
