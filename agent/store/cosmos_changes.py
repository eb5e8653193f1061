"""What a batch of looks changes in one partition, given what is known to lie there: pure, no network and no clock.

A plan is a transactional batch: documents created where nothing is known, replaced where a later look changed them
(under the version that was read), and the counts incremented by just that. The service carries out all of it or none.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from agent.store import cosmos_documents, cosmos_freshness, looks
from agent.store.cosmos_days import DAY_ID, MOST_PATCHES, Delta
from agent.store.cosmos_freshness import Fresh
from agent.store.cosmos_layout import COUNTER_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from agent.records import Kept, Scored
    from agent.store.cosmos_documents import Document
    from ipc.messages import Item

#: One operation of a batch, as the SDK takes it: a verb, its arguments, and its conditions.
Operation: TypeAlias = tuple[str, tuple[Any, ...]] | tuple[str, tuple[Any, ...], dict[str, Any]]

#: The service's bound is 100 operations; the rest is for the counts of the day.
CHUNK_ITEMS: Final = 100 - MOST_PATCHES
#: The service's bound is 2 MB; from 1 MB on aiohttp warns that sending it holds the event loop. What a document has
#: beside its item and score is not counted: some 60 kB a batch.
CHUNK_BYTES: Final = 900_000

#: All looks at the items of one partition, by the ids of their documents, each in the order in which they came.
Looks: TypeAlias = "dict[str, list[Scored]]"


class Plan(msgspec.Struct, frozen=True):
    """One batch, and what comes of it once it is carried out."""

    operations: list[Operation]
    #: How many items are new, those of an earlier try that came through unnoticed among them; or are emptied now.
    new: int
    #: When the newest of these items was collected, by source.
    newest: dict[str, int]
    #: The same by subreddit, and how many are new: one subreddit, that of the partition.
    fresh: dict[str, Fresh] = {}


def partitions(scored: Iterable[Scored]) -> dict[str, Looks]:
    """Sort looks by the partition of their item."""
    sorted_out: defaultdict[str, Looks] = defaultdict(dict)
    for look in scored:
        of_partition = sorted_out[cosmos_documents.partition(look.item.subreddit, look.item.created_utc)]
        of_one = of_partition.setdefault(cosmos_documents.escape(look.item.name), [])
        of_one.append(msgspec.structs.replace(look, item=cosmos_documents.fitted(look.item)))
    return dict(sorted_out)


def chunks(of_partition: Looks) -> Iterator[Looks]:
    """Cut the looks of one partition so that each part fits into one batch, whatever it finds there."""
    sizes = {
        name: max(cosmos_documents.size_bytes(msgspec.to_builtins(look)) for look in of_one)
        for name, of_one in of_partition.items()
    }
    for names in cut(sizes):
        yield {name: of_partition[name] for name in names}


def cut(sizes: Mapping[str, int]) -> Iterator[list[str]]:
    """Cut documents, by id and size, into as few parts as there must be batches."""
    part: list[str] = []
    filled = 0
    for name, size in sizes.items():
        if part and (len(part) == CHUNK_ITEMS or filled + size > CHUNK_BYTES):
            yield part
            part, filled = [], 0
        part.append(name)
        filled += size
    if part:
        yield part


def plan(pk: str, of_chunk: Looks, known: Mapping[str, Document], write: str, ttl_s: Callable[[int], int]) -> Plan:
    """Return what to do about these looks when ``known`` are the documents that have their ids."""
    operations: list[Operation] = []
    delta = Delta()
    new = 0
    newest: dict[str, int] = {}
    items: list[Item] = []
    for name, of_one in of_chunk.items():
        document = known.get(name)
        maker = document["write"] if document else write
        before = cosmos_documents.kept(document) if document else None
        after = _after(before, of_one)
        new += maker == write
        item = after.scored.item
        items.append(item)
        newest = latest(newest, {item.source: item.collected_utc})
        if after is before:
            continue
        changed = cosmos_documents.item_document(after, pk, maker, ttl_s(item.created_utc))
        if document is None or before is None:
            delta.add(after.scored)
            operations.append(("create", (changed,)))
        else:
            delta.exchange(before.scored, after.scored)
            operations.append(("replace", (name, changed), {"if_match_etag": document["_etag"]}))
    operations += [("patch", (DAY_ID, increments)) for increments in delta.patches()]
    fresh = {cosmos_documents.sub(items[0].subreddit): cosmos_freshness.of(items, new)} if items else {}
    return Plan(operations, new, newest, fresh)


def _after(before: Kept | None, of_one: Sequence[Scored]) -> Kept:
    """Return what is to be kept after these looks; ``before`` itself when they change nothing."""
    kept = before
    for look in of_one:
        kept = looks.seen(kept, look)
    assert kept is not None  # noqa: S101 - nobody hands in an item without a look
    return kept


def forgetting(known: Mapping[str, Document], author_key: str, ttl_s: Callable[[int], int]) -> Plan:
    """Return what empties the items among ``known`` that are still the author's; what they counted, they count."""
    operations: list[Operation] = []
    for name, document in known.items():
        if document.get("author_key") == author_key:
            kept = cosmos_documents.kept(document)
            emptied_too = msgspec.structs.replace(kept, scored=looks.emptied(kept.scored))
            left_s = ttl_s(kept.scored.item.created_utc)
            changed = cosmos_documents.item_document(emptied_too, document["pk"], document["write"], left_s)
            operations.append(("replace", (name, changed), {"if_match_etag": document["_etag"]}))
    return Plan(operations, len(operations), {})


def emptying(known: Mapping[str, Document], ttl_s: Callable[[int], int]) -> Plan:
    """Return what empties what was set aside and is among ``known``; what was counted is counted still."""
    operations: list[Operation] = []
    for name, document in known.items():
        one = cosmos_documents.set_aside(document)
        if not one.item.is_deleted:
            emptied = looks.emptied_set_aside(one)
            changed = cosmos_documents.set_aside_document(emptied, ttl_s(one.item.created_utc))
            operations.append(("replace", (name, changed), {"if_match_etag": document["_etag"]}))
    return Plan(operations, 0, {})


def counting(documents: Mapping[str, Document], known: Mapping[str, Document], figure: str) -> Plan:
    """Return what creates those documents that are not known, and counts them by what they say in ``figure``."""
    fresh = [document for name, document in documents.items() if name not in known]
    counts = Counter(document[figure] for document in fresh)
    operations: list[Operation] = [("create", (document,)) for document in fresh]
    if fresh:
        increments = [{"op": "incr", "path": f"/{path}", "value": value} for path, value in counts.items()]
        operations.append(("patch", (COUNTER_ID, increments)))
    return Plan(operations, len(fresh), {})


def setting_aside(documents: Mapping[str, Document], known: Mapping[str, Document]) -> Plan:
    """Return what creates and counts those that are not known, and puts a later look in the place of an earlier one."""
    planned = counting(documents, known, "type")
    later = [
        ("replace", (name, document), {"if_match_etag": known[name]["_etag"]})
        for name, document in documents.items()
        if name in known and _is_later(document["item"], known[name]["item"])
    ]
    return msgspec.structs.replace(planned, operations=[*planned.operations, *later])


def _is_later(look: Document, last: Document) -> bool:
    return not last["is_deleted"] and bool(look["collected_utc"] > last["collected_utc"])


def looked_at(known: Mapping[str, Document], at_utc: Mapping[str, int], ttl_s: Callable[[int], int]) -> Plan:
    """Return what says when these items were looked at last, and changes nothing else of them."""
    operations: list[Operation] = []
    for name, document in known.items():
        before = cosmos_documents.kept(document)
        if before.checked_utc < at_utc[name] and not before.scored.item.is_deleted:
            after = msgspec.structs.replace(before, checked_utc=at_utc[name])
            left_s = ttl_s(before.scored.item.created_utc)
            changed = cosmos_documents.item_document(after, document["pk"], document["write"], left_s)
            operations.append(("replace", (name, changed), {"if_match_etag": document["_etag"]}))
    return Plan(operations, 0, {})


def latest(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Return the later time of each source."""
    return {source: max(each[source] for each in (one, other) if source in each) for source in {**one, **other}}
