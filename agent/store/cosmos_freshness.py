"""What a write brings to each subreddit, and what comes of it in the document ``contents``: pure, no network.

It spans partitions, so no batch can keep it exact: it is added up with each write and counted anew when one has failed
in the middle, as the number of all items is.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final

import msgspec

from agent.records import Latest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agent.store.cosmos_documents import Document
    from ipc.messages import Item

#: Where ``contents`` keeps it, by the form in which spellings of a subreddit are the same.
FIELD: Final = "subreddits"


class Fresh(msgspec.Struct, frozen=True):
    """The items of one subreddit, and when the newest of them were created and collected."""

    items: int = 0
    newest_created_utc: int | None = None
    newest_collected_utc: int | None = None


class Brought(msgspec.Struct, frozen=True):
    """What a write has brought, of all partitions together."""

    new: int = 0
    #: When the newest item of each source was collected.
    newest: dict[str, int] = {}
    fresh: dict[str, Fresh] = {}


def of(items: Iterable[Item], new: int) -> Fresh:
    """Return what a batch of one subreddit brings: items of which so many are new."""
    seen = [(item.created_utc, item.collected_utc) for item in items]
    return Fresh(
        items=new,
        newest_created_utc=max((created for created, _ in seen), default=None),
        newest_collected_utc=max((collected for _, collected in seen), default=None),
    )


def added(*parts: Mapping[str, Fresh]) -> dict[str, Fresh]:
    """Add up by subreddit."""
    each: defaultdict[str, list[Fresh]] = defaultdict(list)
    for part in parts:
        for sub, fresh in part.items():
            each[sub].append(fresh)
    return {sub: _sum(all_of_it) for sub, all_of_it in each.items()}


def recounted(known: Mapping[str, Fresh], days: Iterable[Mapping[str, Any]]) -> dict[str, Fresh]:
    """Return what is known with the items as the documents of all days count them."""
    items: Counter[str] = Counter()
    for day in days:
        items[day["sub"]] += int(day["items"])
    return {
        sub: msgspec.structs.replace(known.get(sub, Fresh()), items=items[sub])
        for sub in dict.fromkeys([*known, *items])
    }


def stored(contents: Document | None) -> dict[str, Fresh]:
    """Return what ``contents`` says; nothing where it was written before any of this was noted."""
    return msgspec.convert(contents.get(FIELD, {}) if contents else {}, dict[str, Fresh])


def latest(contents: Document | None, names: Mapping[str, str]) -> list[Latest]:
    """Return how fresh each subreddit is, sorted by name. ``names`` are the first spellings."""
    known = stored(contents)
    told = [(name, known.get(sub, Fresh())) for sub, name in names.items()]
    return [
        Latest(
            subreddit=name,
            items=fresh.items,
            newest_created_utc=fresh.newest_created_utc,
            newest_collected_utc=fresh.newest_collected_utc,
        )
        for name, fresh in sorted(told, key=lambda pair: pair[0].lower())
    ]


def _sum(parts: Iterable[Fresh]) -> Fresh:
    all_of_it = list(parts)
    created = [part.newest_created_utc for part in all_of_it if part.newest_created_utc is not None]
    collected = [part.newest_collected_utc for part in all_of_it if part.newest_collected_utc is not None]
    return Fresh(sum(part.items for part in all_of_it), max(created, default=None), max(collected, default=None))
