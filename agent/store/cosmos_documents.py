"""What an item is as a document of Cosmos DB, and back again: pure, no network and no clock.

A field stands in a document only when a query may find it by that field: a deleted item has no ``shown``, so no query
for recent posts has to leave it out, and no ``due_utc``, so the sweep never comes upon it again.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import msgspec

from agent.records import Kept, Score, Scored, SetAside
from agent.store import cosmos_layout
from ipc.messages import Cycle, Item

Document: TypeAlias = dict[str, Any]

DAY_S: Final = 86_400
#: An item that is past its retention when it is written stays for so long, so that a batch that comes twice is still
#: recognised and not counted again. Chosen, not measured.
LEAST_TTL_S: Final = DAY_S
#: The service's bound of a time to live: 2^31 - 1.
MOST_TTL_S: Final = 2_147_483_647
#: Characters of a text and of a title; what is beyond is cut, for a batch may have 2 MB. Reddit itself takes 40,000 and
#: 300. Chosen.
TEXT_LIMIT: Final = 64_000
TITLE_LIMIT: Final = 2_000
#: The compound is counted in billionths, as integers: sums are the same in whatever order they were added, and an
#: item that is taken out leaves nothing behind. JSON's numbers are exact to 2^53, nine million items a partition.
NANO: Final = 1_000_000_000

_ID_LIMIT: Final = 200
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.-]")
_SCORE_FIELDS: Final = ("sentiment", "confidence", "positive", "neutral", "negative", "rule", "model")


def escape(name: str) -> str:
    """Return an id for ``name``: the service forbids slashes, ``?``, ``#`` and long ones. Two names never share one.

    What is not a plain character becomes ``~`` and two hexadecimal digits a byte, so no name makes an id like ``~day``.
    """
    plain = "".join(_escaped(character) for character in name)
    if len(plain) <= _ID_LIMIT:
        return plain
    return f"{plain[:100]}~~{hashlib.sha256(plain.encode()).hexdigest()}"


def _escaped(character: str) -> str:
    if _PLAIN.match(character):
        return character
    return "".join(f"~{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


def sub(subreddit: str) -> str:
    """Return the form in which spellings of one subreddit are the same."""
    return subreddit.lower()


def partition(subreddit: str, created_utc: int) -> str:
    """Return the partition of an item: its subreddit and the day that it was created on, UTC."""
    return day_key(subreddit, created_utc // DAY_S * DAY_S)


def day_key(subreddit: str, day_utc: int) -> str:
    """Return the partition of a day, which sorts by subreddit and then by time.

    The last ten characters are always the date, so a subreddit may be called anything.
    """
    return f"{sub(subreddit)}|{datetime.fromtimestamp(day_utc, UTC):%Y-%m-%d}"


def ttl_s(created_utc: int, retention_days: int, now_utc: float) -> int:
    """Return the time to live of an item that is written now: the service counts it from its last change."""
    left_s = int(created_utc + retention_days * DAY_S - now_utc)
    return min(max(left_s, LEAST_TTL_S), MOST_TTL_S)


def nano(score: Score) -> int:
    """Return the compound in billionths."""
    return round(score.compound * NANO)


def item_document(kept: Kept, pk: str, write: str, ttl: int) -> Document:
    """Return the document of an item. ``write`` says which write made it."""
    item, score = kept.scored.item, kept.scored.score
    document: Document = {
        "id": escape(item.name),
        "pk": pk,
        "type": "item",
        "write": write,
        "ttl": ttl,
        "sub": sub(item.subreddit),
        "checked_utc": kept.checked_utc,
        **msgspec.to_builtins(item),
        "score": {field: getattr(score, field) for field in _SCORE_FIELDS},
        "compound_nano": nano(score),
    }
    if not item.is_deleted:
        document["shown"] = item.kind
        document["author_key"] = item.author.lower()
        if item.source == "reddit":
            document["due_utc"] = kept.checked_utc
    return document


def kept(document: Document) -> Kept:
    """Return the item that a document holds."""
    return Kept(scored=scored(document), checked_utc=int(document["checked_utc"]), place=document["name"])


def scored(document: Document) -> Scored:
    """Return the item and its score that a document holds."""
    return Scored(item=msgspec.convert(document, Item), score=msgspec.convert(document["score"], Score))


def fitted(item: Item) -> Item:
    """Return the item with its texts cut to what a document takes: itself, but for texts that Reddit never had."""
    if len(item.title) <= TITLE_LIMIT and len(item.content) <= TEXT_LIMIT:
        return item
    return msgspec.structs.replace(item, title=item.title[:TITLE_LIMIT], content=item.content[:TEXT_LIMIT])


def size_bytes(document: Document) -> int:
    """Return how large a document is on its way: escaped to ASCII, which is never less than what the service counts."""
    return len(json.dumps(document))


def cycle_document(cycle: Cycle, ttl: int) -> Document:
    """Return the document of a cycle."""
    return {
        "id": escape(cycle.id),
        "pk": cosmos_layout.CYCLES,
        "type": "cycle",
        "ttl": ttl,
        "finished_utc": cycle.finished_utc,
        "outcome": cycle.outcome,
        "cycle": msgspec.to_builtins(cycle),
    }


def set_aside_document(one: SetAside, ttl: int) -> Document:
    """Return the document of an item that broke the model."""
    return {
        "id": escape(one.item.name),
        "pk": cosmos_layout.SET_ASIDE,
        "type": "set_aside",
        "ttl": ttl,
        "author_key": one.item.author.lower(),
        "failed_utc": one.failed_utc,
        "error": one.error[:TITLE_LIMIT],
        "item": msgspec.to_builtins(fitted(one.item)),
    }


def set_aside(document: Document) -> SetAside:
    """Return the item that broke the model that a document holds."""
    return msgspec.convert(document, SetAside)


def subreddit_document(name: str) -> Document:
    """Return the document that keeps a subreddit's first spelling."""
    return {"id": escape(sub(name)), "pk": cosmos_layout.SUBREDDITS, "type": "subreddit", "name": name}


def counter_document(pk: str, *figures: str) -> Document:
    """Return the document that counts the others of a partition of ``meta``, before it has counted any."""
    return {"id": cosmos_layout.COUNTER_ID, "pk": pk, "type": "counter", **dict.fromkeys(figures, 0)}


def contents_document(write: str, items: int, sources: dict[str, int], subreddits: dict[str, Document]) -> Document:
    """Return the document that says what ``items`` holds. ``write`` says which write made it."""
    place = {"id": cosmos_layout.CONTENTS_ID, "pk": cosmos_layout.CONTENTS, "type": "contents"}
    return {**place, "write": write, "items": items, "sources": sources, "subreddits": subreddits}
