"""What the writer keeps in the container ``meta``: cycles, what was set aside, names, and what ``items`` holds.

The first two are counted in the batch that stores them, exactly. What ``items`` holds spans partitions, so no batch can
keep it: it is added up as items are written, and counted anew from the documents of the days when a write has failed in
the middle, and at each start.
"""

from __future__ import annotations

import uuid
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from agent.store import (
    cosmos_batches,
    cosmos_changes,
    cosmos_documents,
    cosmos_freshness,
    cosmos_layout,
    cosmos_queries,
)
from agent.store.cosmos_batches import Place
from agent.store.cosmos_layout import CONTENTS, CONTENTS_ID, CYCLES, META, SET_ASIDE
from ipc import logs
from ipc.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from agent.records import SetAside
    from agent.store.cosmos_changes import Plan
    from agent.store.cosmos_client import CosmosDatabase
    from agent.store.cosmos_documents import Document
    from agent.store.cosmos_freshness import Brought
    from ipc.messages import Cycle

_log = logs.log(__name__)

#: The count of all days reads a document a day and subreddit: 10,000 in two years of fourteen subreddits, which is a
#: second or two of a small container's request units. Beyond this it is left for the next start. Chosen.
RECOUNT_LIMIT_S: Final = 20.0


class Meta:
    """The writer's hand in ``meta``. ``ttl_s`` says how long what was created at a time lives on."""

    def __init__(self, database: CosmosDatabase, ttl_s: Callable[[int], int]) -> None:
        self._database = database
        self._ttl_s = ttl_s
        self._named: set[str] = set()
        self._newest: dict[str, int] = {}
        #: What ``contents`` says may be wrong: a write has begun and not ended well, or nobody has looked yet.
        self.is_in_doubt = True

    async def name(self, subreddits: Iterable[str]) -> None:
        """Keep the first spelling of each subreddit."""
        for subreddit in subreddits:
            if (sub := cosmos_documents.sub(subreddit)) not in self._named:
                await self._database.create(META, cosmos_documents.subreddit_document(subreddit))
                self._named.add(sub)

    async def set_aside(self, all_of_it: Iterable[SetAside]) -> None:
        """Keep what is not there yet, and count it; of what is, keep the later look."""
        documents = [cosmos_documents.set_aside_document(one, self._ttl_s(one.item.created_utc)) for one in all_of_it]
        await self._put(
            documents, cosmos_changes.setting_aside, cosmos_documents.counter_document(SET_ASIDE, "set_aside")
        )

    async def cycles(self, cycles: Iterable[Cycle]) -> None:
        """Keep those that are not there yet, and count them by outcome."""
        documents = [cosmos_documents.cycle_document(one, self._ttl_s(int(one.finished_utc))) for one in cycles]
        counter = cosmos_documents.counter_document(CYCLES, "succeeded", "failed")
        await self._put(documents, partial(cosmos_changes.counting, figure="outcome"), counter)

    async def _put(self, listed: list[Document], planned: Callable[..., Plan], counter: Document) -> None:
        documents = {document["id"]: document for document in reversed(listed)}  # of one that comes twice, the first
        for ids in cosmos_changes.cut({name: cosmos_documents.size_bytes(one) for name, one in documents.items()}):
            part = {name: documents[name] for name in ids}
            await cosmos_batches.carry_out(self._database, Place(META, counter), ids, partial(planned, part))

    async def empty(self, names: Iterable[str]) -> None:
        """Empty what was set aside of these items: they are gone where they came from."""
        for ids in cosmos_changes.cut({cosmos_documents.escape(name): 0 for name in names}):
            parameters = {f"id{number}": name for number, name in enumerate(ids)}
            await self._empty(await self._of_set_aside(cosmos_queries.by_ids(len(ids)), parameters))

    async def forget(self, author_key: str) -> None:
        """Empty what was set aside of an author."""
        await self._empty(await self._of_set_aside(cosmos_queries.SET_ASIDE_OF_AUTHOR, {"author": author_key}))

    async def _of_set_aside(self, text: str, parameters: Mapping[str, object]) -> list[Document]:
        return await self._database.query(META, text, parameters, SET_ASIDE)

    async def _empty(self, found: list[Document]) -> None:
        known = {document["id"]: document for document in found}
        counter = cosmos_documents.counter_document(SET_ASIDE, "set_aside")
        plan = partial(cosmos_changes.emptying, ttl_s=self._ttl_s)
        for ids in cosmos_changes.cut(dict.fromkeys(known, 0)):
            part = {name: known[name] for name in ids}
            await cosmos_batches.carry_out(self._database, Place(META, counter), ids, plan, part)

    async def tell_contents(self, brought: Brought, *, recount: bool) -> None:
        """Add what a write has brought, or count anew; in doubt no more once it is done."""
        is_known = all(self._newest.get(source, -1) >= collected for source, collected in brought.newest.items())
        if is_known and not brought.new and not recount:
            self.is_in_doubt = False
            return
        mark = uuid.uuid4().hex
        for _ in range(cosmos_batches.TRIES):
            found = await self._database.read(META, CONTENTS, CONTENTS_ID)
            if found and found["write"] == mark:  # it came through, and only its answer was lost
                self._newest, self.is_in_doubt = found["sources"], False
                return
            document = await self._contents(mark, found, brought, recount=recount)
            if await self._write_contents(document, found):
                self._newest, self.is_in_doubt = document["sources"], False
                return
        raise StoreUnavailable("others keep changing what the store says of its contents")

    async def _contents(self, mark: str, found: Document | None, brought: Brought, *, recount: bool) -> Document:
        items = (found["items"] if found else 0) + brought.new
        fresh = cosmos_freshness.added(cosmos_freshness.stored(found), brought.fresh)
        if recount and (days := await self._days()) is not None:
            items = sum(int(day["items"]) for day in days)
            fresh = cosmos_freshness.recounted(fresh, days)
        sources = cosmos_changes.latest(found["sources"] if found else {}, brought.newest)
        return cosmos_documents.contents_document(mark, items, sources, msgspec.to_builtins(fresh))

    async def _write_contents(self, document: Document, found: Document | None) -> bool:
        if found is None:
            return await self._database.create(META, document)
        return await self._database.replace(META, document | {"_etag": found["_etag"]})

    async def _days(self) -> list[Document] | None:
        """Return what all days have counted; None when that can't be had, for no write must wait for it."""
        try:
            return await self._database.query(
                cosmos_layout.ITEMS, cosmos_queries.ITEMS_EVER, {}, limit_s=RECOUNT_LIMIT_S
            )
        except StoreUnavailable as error:
            _log.warning(
                "Stored items could not be counted: their number may be wrong until the next start", reason=str(error)
            )
            return None
