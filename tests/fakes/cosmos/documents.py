"""A container's documents in memory: written with the service's checks, ETags and time to live.

Documents are never changed, only replaced, so that a batch can be taken back (:meth:`Container.all_or_nothing`).
"""

from __future__ import annotations

import base64
import json
import struct
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from fakes.cosmos import charges
from fakes.cosmos.expressions import Property, rank
from fakes.cosmos.indexing import IndexingPolicy, parse_path
from fakes.cosmos.partitions import Key, KeyRange, effective
from fakes.cosmos.refusal import LOOKED_UP_RU, Refused, conflict, not_found, stale

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Body: TypeAlias = dict[str, Any]

#: The service's bounds: a document's size, an id's length, a partition key's length.
DOCUMENT_BYTES: Final = 2 * 1024 * 1024
ID_BYTES: Final = 1023
KEY_BYTES: Final = 2048
LONGEST_TTL_S: Final = 2**31 - 1
SYSTEM: Final = ("_rid", "_self", "_etag", "_attachments", "_ts")


def weigh(body: object) -> int:
    """Return how many bytes something is as JSON."""
    return len(json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass"))


@dataclass(frozen=True)
class Document:
    """One document as it is answered, the system's properties in it."""

    body: Body
    number: int
    key: Key
    range_id: str
    size_bytes: int
    terms: int

    @property
    def id(self) -> str:
        """Its id, which is its own within its partition key."""
        return str(self.body["id"])

    @property
    def etag(self) -> str:
        """Its version."""
        return str(self.body["_etag"])


@dataclass(frozen=True)
class Match:
    """The headers If-Match and If-None-Match, or their like in a batch."""

    etag: str | None = None
    none: str | None = None

    def check(self, found: Document | None) -> None:
        """Refuse (412) what does not match."""
        if self.etag not in {None, "*"} and (found is None or found.etag != self.etag):
            raise stale()
        if self.none is not None and found is not None and self.none in {"*", found.etag}:
            raise stale()


@dataclass(frozen=True)
class Done:
    """What an operation on one document came to."""

    status: int
    document: Document | None
    charge_ru: float


class Container:
    """One container: its settings and its documents.

    Raises:
        Refused: the service would not take the settings.

    """

    def __init__(self, sent: Body, rid: str, ranges: list[KeyRange], now: Callable[[], float]) -> None:
        self.id = str(sent["id"])
        self.rid = rid
        self.ranges = ranges
        # A resource id begins with that of what it is in: four bytes of the database's.
        self._database_rid = base64.b64encode(base64.b64decode(rid)[:4]).decode()
        self.lsn = 0
        self._now = now
        self._by_key: dict[Key, dict[str, Document]] = defaultdict(dict)
        self._by_range: dict[str, dict[int, Document]] = {each.id: {} for each in ranges}
        self._undo: list[tuple[Document | None, Document | None]] | None = None
        self._count = 0
        self.configure(sent)

    def configure(self, sent: Body) -> None:
        """Take new settings; the partition key stays what it was."""
        self.policy, self.default_ttl_s = IndexingPolicy(sent.get("indexingPolicy")), _ttl(sent.get("defaultTtl"))
        self.partition_key = sent.get("partitionKey") or {"paths": ["/_partitionKey"], "kind": "Hash"}
        self.key_paths = [parse_path(path) for path in self.partition_key["paths"]]
        self.settings = {key: value for key, value in sent.items() if key not in SYSTEM}
        self.settings |= {"indexingPolicy": self.policy.definition, "partitionKey": self.partition_key}

    def all(self, range_id: str) -> list[Document]:
        """Return what lives in a physical partition, oldest first."""
        return sorted(filter(self._lives, self._by_range[range_id].values()), key=lambda each: each.number)

    def of_key(self, key: Key) -> list[Document]:
        """Return what has this partition key, oldest first."""
        return sorted(filter(self._lives, self._by_key.get(key, {}).values()), key=lambda each: each.number)

    def range_of(self, key: Key) -> KeyRange:
        """Return the physical partition that a partition key lives in."""
        return next(each for each in self.ranges if each.holds(effective(key)))

    def find(self, key: Key, name: str) -> Document | None:
        """Return a document by its id or its resource id, if it is there and has not expired."""
        found = self._by_key.get(key, {}).get(name)
        if found is None and name.endswith("=="):
            found = next((each for each in self._by_key.get(key, {}).values() if each.body["_rid"] == name), None)
        return found if found is not None and self._lives(found) else None

    def read(self, key: Key, name: str) -> Done:
        """Return a document."""
        found = self._found(key, name)
        return Done(200, found, charges.read(found.size_bytes))

    def create(self, key: Key, body: Body) -> Done:
        """Add a document that must not be there."""
        self._check(key, body)
        if self.find(key, body["id"]) is not None:
            raise conflict(body["id"])
        return self._put(key, body, None)

    def upsert(self, key: Key, body: Body, match: Match) -> Done:
        """Add a document, or write it over the one that is there."""
        self._check(key, body)
        found = self.find(key, body["id"])
        match.check(found)
        return self._put(key, body, found)

    def replace(self, key: Key, name: str, body: Body, match: Match) -> Done:
        """Write a document over the one that must be there."""
        found = self._found(key, name)
        match.check(found)
        self._check(key, body)
        if body["id"] != found.id:
            raise Refused(400, "The id of a document cannot be changed")
        return self._put(key, body, found)

    def delete(self, key: Key, name: str, match: Match) -> Done:
        """Take a document away."""
        found = self._found(key, name)
        match.check(found)
        self._swap(found, None)
        return Done(204, None, charges.write(found.size_bytes, found.terms))

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Take back every write made inside when it ends in an exception."""
        undo: list[tuple[Document | None, Document | None]] = []
        self._undo = undo
        try:
            yield
        except BaseException:
            self._undo = None
            for old, new in reversed(undo):
                self._swap(new, old)
            raise
        finally:
            self._undo = None

    def _found(self, key: Key, name: str) -> Document:
        found = self.find(key, name)
        if found is None:
            raise not_found(name)
        return found

    def _lives(self, document: Document) -> bool:
        if self.default_ttl_s is None:
            return True
        ttl_s = document.body.get("ttl", self.default_ttl_s)
        return bool(ttl_s == -1 or self._now() < document.body["_ts"] + ttl_s)

    def _check(self, key: Key, body: Mapping[str, Any]) -> None:
        name = body.get("id")
        if not isinstance(name, str) or not 0 < len(name.encode()) <= ID_BYTES or set(name) & set("/\\?#"):
            raise Refused(400, "The input name is invalid. Ensure to provide a unique non-empty string for 'id'")
        if self.key_of(body) != key:
            message = "PartitionKey extracted from document doesn't match the one specified in the header"
            raise Refused(400, message, substatus=1001)
        if sum(len(part.encode()) for _, part in key if isinstance(part, str)) > KEY_BYTES:
            raise Refused(400, "The partition key is larger than 2 KB")
        _ttl(body.get("ttl"))
        if weigh(body) > DOCUMENT_BYTES:
            raise Refused(413, "Request size is too large", charge_ru=LOOKED_UP_RU)

    def key_of(self, body: Mapping[str, Any]) -> Key:
        """Return the partition key that a document has."""
        return tuple(rank(Property(path).of(body)) for path in self.key_paths)

    def _put(self, key: Key, body: Body, old: Document | None) -> Done:
        new = self._stamped(key, body, old)
        # One that has expired makes room for its successor, but is not written over: that would cost double.
        self._swap(old or self._by_key[key].get(new.id), new)
        charge = charges.write(new.size_bytes, new.terms) * (2 if old else 1)
        return Done(200 if old else 201, new, charge)

    def _stamped(self, key: Key, body: Body, old: Document | None) -> Document:
        self._count += 1
        number = old.number if old else self._count
        rid = base64.b64encode(base64.b64decode(self.rid) + struct.pack("<Q", number)).decode().replace("/", "-")
        own = {name: value for name, value in body.items() if name not in SYSTEM}
        own |= {"_rid": rid, "_self": f"dbs/{self._database_rid}/colls/{self.rid}/docs/{rid}/"}
        own |= {"_etag": f'"{self._count:08x}-0000-0000-0000-{number:012x}"', "_attachments": "attachments/"}
        own |= {"_ts": int(self._now())}
        return Document(own, number, key, self.range_of(key).id, weigh(own), self.policy.terms(own))

    def _swap(self, old: Document | None, new: Document | None) -> None:
        self.lsn += 1
        if self._undo is not None:
            self._undo.append((old, new))
        if old is not None:
            self._by_key[old.key].pop(old.id, None)
            if new is None or new.number != old.number:
                self._by_range[old.range_id].pop(old.number, None)
        if new is not None:
            self._by_key[new.key][new.id] = new
            self._by_range[new.range_id][new.number] = new


def _ttl(value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not (value == -1 or 0 < value <= LONGEST_TTL_S):
        raise Refused(400, f"The input ttl '{value}' is invalid: a positive integer or -1")
    return value
