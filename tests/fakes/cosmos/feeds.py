"""What is read in pages: queries, their plans, all documents, and the list of physical partitions.

A query goes to one partition key (a header says so, or its conditions do), to the physical partition that an SDK
names, or, if it is plain, from one physical partition to the next: a page never crosses from one to another, so
that pages may be empty though more follow, as the service's may.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final

from fakes.cosmos import planning, searching
from fakes.cosmos.grammar import parse
from fakes.cosmos.partitions import effective
from fakes.cosmos.refusal import Refused
from fakes.cosmos.searching import PAGE_ITEMS, Page, Paging

if TYPE_CHECKING:
    from fakes.cosmos.documents import Container, Document
    from fakes.cosmos.grammar import Query
    from fakes.cosmos.partitions import Key
    from fakes.cosmos.requests import Asked

_EVERYTHING: Final = {"query": "SELECT * FROM c"}
#: Nothing splits here, so that the list of ranges has one version.
_RANGES_ETAG: Final = '"1"'


def query(container: Container, asked: Asked) -> Page:
    """Return a page of a query, or of all documents."""
    if "A-IM" in asked.headers:
        raise Refused(400, "The change feed of documents is outside the fake's subset")
    read = parse(_EVERYTHING if asked.kind == "feed" else asked.json)
    paging = _paging(asked)
    key, range_id = asked.key, asked.headers.get("x-ms-documentdb-partitionkeyrangeid")
    if key is not None:
        return _page_of_key(container, read, key, paging)
    if range_id is not None:
        if range_id not in {each.id for each in container.ranges}:
            raise Refused(410, "The requested resource is no longer available at the server.", substatus=1002)
        return _page(container, read, _within(asked, container.all(range_id)), paging)
    if asked.kind == "query" and not asked.says("x-ms-documentdb-query-enablecrosspartition"):
        raise Refused(
            400,
            "Cross partition query is required but disabled. Please set x-ms-documentdb-query-enablecrosspartition "
            "to true, specify x-ms-documentdb-partitionkey, or revise your query to avoid this exception.",
        )
    return _by_gateway(container, read, paging)


def _within(asked: Asked, documents: list[Document]) -> list[Document]:
    """Return the documents in the part of a physical partition that an SDK's feed range names."""
    low, high = asked.headers.get("x-ms-start-epk", ""), asked.headers.get("x-ms-end-epk", "FF")
    return [each for each in documents if low <= effective(each.key) < high]


def _by_gateway(container: Container, read: Query, paging: Paging) -> Page:
    key = planning.key_in(read, container)
    if key is not None:
        return _page_of_key(container, read, key, paging)
    if planning.must_be_planned(read):
        message = "The provided cross partition query can not be directly served by the gateway."
        raise Refused(400, message, substatus=planning.NOT_SERVABLE)
    at, token = _decoded(paging.token)
    page = _page(container, read, container.all(container.ranges[at].id), Paging(paging.items, token))
    following = (at, page.continuation) if page.continuation is not None else (at + 1, None)
    if following[0] == len(container.ranges):
        return page
    continuation = base64.b64encode(json.dumps(following).encode()).decode()
    return Page(page.rows, continuation, page.charge_ru, page.is_scan)


def _paging(asked: Asked) -> Paging:
    wanted = int(asked.headers.get("x-ms-max-item-count", str(PAGE_ITEMS)))
    return Paging(wanted if wanted > 0 else PAGE_ITEMS, asked.headers.get("x-ms-continuation"))


def _decoded(token: str | None) -> tuple[int, str | None]:
    if token is None:
        return 0, None
    try:
        at, inner = json.loads(base64.b64decode(token))
    except (ValueError, TypeError) as error:
        raise Refused(400, "Invalid Continuation Token") from error
    return int(at), inner


def _page(container: Container, read: Query, documents: list[Document], paging: Paging) -> Page:
    return searching.run(read, container.policy, documents, set(), paging)


def _page_of_key(container: Container, read: Query, key: Key, paging: Paging) -> Page:
    return searching.run(read, container.policy, container.of_key(key), set(container.key_paths), paging)


def plan(container: Container, asked: Asked) -> dict[str, Any]:
    """Return the plan of a query."""
    supported = asked.headers.get("x-ms-cosmos-supported-query-features", "")
    return planning.plan(parse(asked.json), container, supported)


def ranges(container: Container, asked: Asked) -> tuple[int, Any, dict[str, str]]:
    """Return the physical partitions: a change feed, which ends with 304 for who has read them all."""
    headers = {"etag": _RANGES_ETAG}
    if asked.headers.get("If-None-Match") == _RANGES_ETAG:
        return 304, None, headers
    listed = [
        {
            "_rid": container.rid,
            "id": each.id,
            "_etag": _RANGES_ETAG,
            "minInclusive": each.low,
            "maxExclusive": each.high,
            "ridPrefix": int(each.id),
            "throughputFraction": 1 / len(container.ranges),
            "status": "online",
            "parents": [],
        }
        for each in container.ranges
    ]
    return 200, {"_rid": container.rid, "PartitionKeyRanges": listed, "_count": len(listed)}, headers
