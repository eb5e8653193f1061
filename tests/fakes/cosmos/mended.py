"""What stands before the npm emulator so that a store can run on it at all: three of its faults are made good.

    it answers                                                  here
    500 to a read of a document that is not there               404
    400 to a query within one partition                         the same query with the partition in its WHERE
    400 to a batch with a patch, 500 to one with a replace,     looked at first, then done as the emulator can:
    and keeps the first half of one that fails                  all of it or none

That they are its faults is seen by tests/integration/test_cosmos_emulator.py (``KNOWN_FAULTS``), which asks it bare.
All else passes through: the queries, which are what a second opinion is wanted on, are answered by the emulator alone.
"""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from aiohttp import ClientSession, web
from fakes.cosmos.requests import Asked
from yarl import URL

from agent.store import cosmos_queries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

_LONGEST_BODY: Final = 8 * 1024 * 1024
#: Of a connection and not of what is asked over it.
_HOPS: Final = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "keep-alive"})
_PARTITION: Final = "x-ms-documentdb-partitionkey"
_ACROSS: Final = "x-ms-documentdb-query-enablecrosspartition"
_BATCH: Final = "x-ms-cosmos-is-batch-request"
#: How our queries are built; one that is not is not understood, and fails loudly.
_QUERY: Final = re.compile(r"(?P<head>SELECT .+ FROM c)(?: WHERE (?P<where>.+?))?(?P<order> ORDER BY .+)?", re.DOTALL)
_NOT_FOUND: Final = {"code": "NotFound", "message": "Entity with the specified id does not exist in the system."}
_FAILED_DEPENDENCY: Final = 424


class Mended:
    """Answers in the emulator's name. Batches are carried out one at a time, so that nothing comes in between."""

    def __init__(self, session: ClientSession, url: str) -> None:
        self._session = session
        self._url = URL(url)
        self._turn = asyncio.Lock()

    async def serve(self, request: web.Request) -> web.Response:
        """Answer a request."""
        asked = await Asked.read(request)
        headers = {name.lower(): value for name, value in asked.headers.items() if name.lower() not in _HOPS}
        target = self._url.join(URL(request.raw_path, encoded=True))
        if asked.kind == "batch":
            async with self._turn:
                return await self._batch(target, headers, asked.json)
        body = asked.body
        if asked.kind == "query" and _PARTITION in headers:
            body = _within(json.loads(headers.pop(_PARTITION)), asked.json)
            headers[_ACROSS] = "true"
        answer = await self._pass(asked.method, target, headers, body)
        if (asked.method, asked.kind, answer.status) == ("GET", "read", 500):
            return web.json_response(_NOT_FOUND, status=404)
        return answer

    async def _pass(self, method: str, target: URL, headers: Mapping[str, str], body: bytes) -> web.Response:
        async with self._session.request(method, target, headers=headers, data=body) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOPS}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)

    async def _batch(self, target: URL, headers: dict[str, str], operations: list[dict[str, Any]]) -> web.Response:
        """Carry out a batch that would succeed; else say which of it fails, and do nothing."""
        key = json.loads(headers[_PARTITION])
        known = await self._known(target, headers, key, [_id(each) for each in operations])
        for number, operation in enumerate(operations):
            if status := _refusal(operation, known.get(_id(operation))):
                results = [{"statusCode": _FAILED_DEPENDENCY} for _ in operations]
                results[number] = {"statusCode": status}
                return web.json_response(results, status=207)
        patches = [each for each in operations if each["operationType"] == "Patch"]
        rest = [each | {"partitionKey": json.dumps(key)} for each in operations if each not in patches]
        if rest:
            done = await self._pass("POST", target, headers, json.dumps(rest).encode())
            assert {each["statusCode"] for each in json.loads(_body(done))} <= {200, 201, 204}, _body(done)
        single = {name: value for name, value in headers.items() if name != _BATCH}
        for each in patches:
            where = target.joinpath(_id(each))
            done = await self._pass("PATCH", where, single, json.dumps(each["resourceBody"]).encode())
            assert done.status == 200, _body(done)
        return web.json_response([{"statusCode": 200, "requestCharge": 1} for _ in operations])

    async def _known(
        self, target: URL, headers: Mapping[str, str], key: list[str], ids: Sequence[str]
    ) -> dict[str, dict[str, Any]]:
        """Return what lies in the partition under these ids."""
        asked = {
            "query": cosmos_queries.by_ids(len(ids)),
            "parameters": [{"name": f"@id{number}", "value": name} for number, name in enumerate(ids)],
        }
        own = {name: value for name, value in headers.items() if name not in {_PARTITION, _BATCH}}
        own |= {_ACROSS: "true", "x-ms-documentdb-isquery": "true", "x-ms-max-item-count": "-1"}
        found = await self._pass("POST", target, own | {"content-type": "application/query+json"}, _within(key, asked))
        return {each["id"]: each for each in json.loads(_body(found))["Documents"]}


def _within(key: list[str], asked: dict[str, Any]) -> bytes:
    """Put the partition into a query."""
    cut = _QUERY.fullmatch(asked["query"])
    assert cut is not None, asked["query"]
    where = "c.pk = @partition" + (f" AND ({cut['where']})" if cut["where"] else "")
    parameters = [*asked.get("parameters", ()), {"name": "@partition", "value": key[0]}]
    query = f"{cut['head']} WHERE {where}{cut['order'] or ''}"
    return json.dumps({"query": query, "parameters": parameters}).encode()


def _id(operation: Mapping[str, Any]) -> str:
    return str(operation.get("id") or operation["resourceBody"]["id"])


def _refusal(operation: Mapping[str, Any], known: Mapping[str, Any] | None) -> int | None:
    """Return the status with which the service refuses an operation; None when it carries it out."""
    if operation["operationType"] == "Create":
        return 409 if known else None
    if known is None:
        return 404
    return 412 if operation.get("ifMatch") not in {None, known["_etag"]} else None


def _body(answer: web.Response) -> str:
    assert isinstance(answer.body, bytes)
    return answer.body.decode()


@asynccontextmanager
async def mended(url: str) -> AsyncIterator[str]:
    """Stand before the emulator at ``url`` while inside; yields the address to use."""
    async with ClientSession() as session:
        app = web.Application(client_max_size=_LONGEST_BODY)
        app.router.add_route("*", "/{path:.*}", Mended(session, url).serve)
        runner = web.AppRunner(app, shutdown_timeout=0.01, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
        finally:
            await runner.cleanup()
