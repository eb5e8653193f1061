"""Carries a request out on the account and says what to answer; knows nothing of HTTP's connections."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from fakes.cosmos import batches, feeds
from fakes.cosmos.account import CONTROL_RU, Account, account_json, container_json
from fakes.cosmos.patching import patch
from fakes.cosmos.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fakes.cosmos.documents import Container, Done
    from fakes.cosmos.partitions import Key
    from fakes.cosmos.requests import Asked

_IN_CONTAINER: Final = 5
_OF_DOCUMENT: Final = 6


@dataclass(frozen=True)
class Answer:
    """A status and a body; None is no body."""

    status: int
    body: Any
    charge_ru: float
    headers: Mapping[str, str] = field(default_factory=dict)
    is_scan: bool = False


def answer(account: Account, url: str, consistency: str, asked: Asked) -> Answer:
    """Carry it out.

    Raises:
        Refused: what the service says no to.

    """
    if len(asked.segments) >= _IN_CONTAINER:
        return _in_container(account, asked)
    if not asked.segments:
        return Answer(200, account_json(url, consistency), 0.0)
    if len(asked.segments) <= 2:
        return _database(account, asked)
    return _container(account, asked)


def _database(account: Account, asked: Asked) -> Answer:
    match asked.method, *asked.segments:
        case "GET", "dbs":
            databases = [each.as_json() for each in account.databases.values()]
            return Answer(200, {"_rid": "", "Databases": databases, "_count": len(databases)}, CONTROL_RU)
        case "POST", "dbs" if not asked.says("x-ms-documentdb-isquery"):
            return Answer(201, account.create_database(asked.json).as_json(), CONTROL_RU)
        case "GET", "dbs", name:
            return Answer(200, account.database(name).as_json(), CONTROL_RU)
        case "DELETE", "dbs", name:
            account.drop(name)
            return Answer(204, None, CONTROL_RU)
    raise _outside(asked)


def _container(account: Account, asked: Asked) -> Answer:
    database = account.database(asked.segments[1])
    match asked.method, *asked.segments[2:]:
        case "GET", "colls":
            listed = [container_json(database, each) for each in database.containers.values()]
            return Answer(200, {"_rid": "", "DocumentCollections": listed, "_count": len(listed)}, CONTROL_RU)
        case "POST", "colls" if not asked.says("x-ms-documentdb-isquery"):
            made = account.create_container(database.id, asked.json)
            return Answer(201, container_json(database, made), CONTROL_RU)
        case "GET", "colls", name:
            return Answer(200, container_json(database, account.container(database.id, name)), CONTROL_RU)
        case "PUT", "colls", name:
            changed = account.replace_container(database.id, name, asked.json)
            return Answer(200, container_json(database, changed), CONTROL_RU)
        case "DELETE", "colls", name:
            account.drop(database.id, name)
            return Answer(204, None, CONTROL_RU)
    raise _outside(asked)


def _outside(asked: Asked) -> Refused:
    return Refused(405, f"{asked.method} /{'/'.join(asked.segments)} is outside the fake's subset")


def _in_container(account: Account, asked: Asked) -> Answer:
    container = account.container(asked.segments[1], asked.segments[3])
    intended = asked.headers.get("x-ms-cosmos-intended-collection-rid", container.rid)
    if intended != container.rid:
        raise Refused(400, "The container was dropped and made again since it was read", substatus=1024)
    kind = asked.kind
    if kind == "pkranges":
        status, body, headers = feeds.ranges(container, asked)
        return Answer(status, body, 0.0, headers)
    if asked.segments[4] != "docs":
        raise _outside(asked)
    if kind == "query_plan":
        return Answer(200, feeds.plan(container, asked), 0.0)
    if kind in {"query", "feed"}:
        found = feeds.query(container, asked)
        headers = {"x-ms-item-count": str(len(found.rows))}
        if found.continuation is not None:
            headers["x-ms-continuation"] = found.continuation
        body = {"_rid": container.rid, "Documents": found.rows, "_count": len(found.rows)}
        return Answer(200, body, found.charge_ru, headers, found.is_scan)
    return _with_session(account, asked, container, _documents(container, asked))


def _documents(container: Container, asked: Asked) -> Answer:
    key = asked.key
    if key is None or len(key) != len(container.key_paths):
        raise Refused(400, "Partition key provided either doesn't correspond to definition in the collection")
    is_minimal = asked.headers.get("Prefer", "").lower() == "return=minimal"
    if asked.kind == "batch":
        if len(asked.body) > batches.BATCH_BYTES:
            raise Refused(413, "Request size is too large: a batch may have 2 MB")
        status, results, charge = batches.run(container, key, asked.json, is_minimal=is_minimal)
        return Answer(status, results, charge)
    done = _one(container, key, asked)
    if done.document is None:
        return Answer(done.status, None, done.charge_ru)
    headers = {"etag": done.document.etag}
    if asked.method == "GET" and asked.headers.get("If-None-Match") == done.document.etag:
        return Answer(304, None, done.charge_ru, headers)
    body = None if is_minimal and asked.method != "GET" else done.document.body
    return Answer(done.status, body, done.charge_ru, headers)


def _one(container: Container, key: Key, asked: Asked) -> Done:
    name = asked.segments[5] if len(asked.segments) == _OF_DOCUMENT else ""
    match asked.kind:
        case "create":
            return container.create(key, asked.json)
        case "upsert":
            return container.upsert(key, asked.json, asked.match)
        case "replace":
            return container.replace(key, name, asked.json, asked.match)
        case "patch":
            return patch(container, key, name, asked.json, asked.match)
        case "delete":
            return container.delete(key, name, asked.match)
        case "read" if asked.method == "GET":
            return container.read(key, name)
    raise _outside(asked)


def _with_session(account: Account, asked: Asked, container: Container, given: Answer) -> Answer:
    """Add what an SDK keeps for session consistency: how far the physical partition had got."""
    range_id = container.range_of(asked.key or ()).id
    database = account.database(asked.segments[1])
    headers = {
        "x-ms-session-token": f"{range_id}:-1#{container.lsn}",
        "x-ms-documentdb-partitionkeyrangeid": range_id,
        "x-ms-alt-content-path": f"dbs/{database.id}/colls/{container.id}",
    }
    return Answer(given.status, given.body, given.charge_ru, {**headers, **given.headers})
