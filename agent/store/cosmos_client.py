"""The one module that knows Azure's SDK: a database that is spoken to in bounded calls, and its errors in words.

The SDK's defaults wait for minutes, and some answers (410) make it try for ever. So every call here, opening included,
lies in an ``asyncio.timeout``; how many run at once is bounded (the others wait in line, within their own limit); what
each answer costs is measured. It connects at the first call, and again after a call that found nobody there, so
whoever holds it starts before the database is there and recovers by itself.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import random
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError, ServiceRequestError, ServiceResponseError
from azure.cosmos import PartitionKey
from azure.cosmos.aio import CosmosClient, DatabaseProxy
from azure.cosmos.exceptions import CosmosResourceNotFoundError

from agent.store import cosmos_layout, cosmos_words
from agent.store.cosmos_meter import Meter
from ipc.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from types import TracebackType

    from azure.core.pipeline import PipelineResponse

    from agent.store.cosmos_changes import Operation
    from agent.store.cosmos_documents import Document
    from agent.store.cosmos_layout import ContainerSpec
    from ipc.settings import StoreSettings

T = TypeVar("T")

#: What the SDK is told, measured against a server that refuses, hangs, throttles and drops: no call of its own takes
#: longer than 5 s then, where its defaults take up to 4.4 minutes. A total of 0 would be ignored.
_PATIENCE: Final[dict[str, Any]] = {
    "connection_timeout": 2,
    "read_timeout": 4,
    "retry_total": 1,
    "retry_read": 0,
    "retry_connect": 1,
    "retry_backoff_max": 1,
    "retry_throttle_total": 3,
    "retry_throttle_backoff_max": 5,
}
#: How it reads the account when it connects has no other knobs: as it is, it would say "wrong key" after 1.5 s, and
#: whatever else is wrong after 5.
_PATIENCE_AT_FIRST: Final = {
    "AZURE_COSMOS_HEALTH_CHECK_MAX_RETRIES": "1",
    "AZURE_COSMOS_HEALTH_CHECK_RETRY_AFTER_MS": "100",
}
#: Rows that are asked for at once; the service's own default is 100.
_PAGE_ROWS: Final = 1000

_OK: Final = 200
#: Answers to a batch that mean: something is not as it was thought to be, so look and plan again. There already (409),
#: changed since (412), gone since (404).
_LOOK_AGAIN: Final = (404, 409, 412)
_BAD_REQUEST: Final = 400
#: Answers that pass: too slow, moving to another machine, met another write, an error of its own, too busy. 429 is not
#: among them: the SDK waits for as long as the service says.
_PASSING: Final = frozenset({408, 410, 449, 500, 503})
#: Before the second of DB_RETRY_MAX_ATTEMPTS tries; it doubles. Chosen: health has an answer within 2 s.
PAUSE_S: Final = 0.2

# Its errors come to us as exceptions; what it logs beside them are tracebacks of its own background work.
logging.getLogger("azure").setLevel(logging.CRITICAL)


class CosmosDatabase:
    """One database of one account. Documents go in and come out as dictionaries; nothing here knows what they mean."""

    def __init__(self, settings: StoreSettings) -> None:
        """Take the settings; nothing is opened.

        Raises:
            SettingsError: there is no key, and nothing that signs in without one.

        """
        if not settings.cosmos_key:
            _identity()
        for name, value in _PATIENCE_AT_FIRST.items():
            os.environ.setdefault(name, value)
        self._endpoint = settings.cosmos_endpoint
        self._settings = settings
        self._limit_s = settings.cosmos_request_timeout_s
        self._slots = asyncio.Semaphore(settings.cosmos_concurrency)
        self._opening = asyncio.Lock()
        self._client: CosmosClient | None = None
        self._open = AsyncExitStack()
        self.meter = Meter()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._client = None
        await self._open.aclose()

    async def read(self, container: str, pk: str, name: str) -> Document | None:
        """Return a document; None when it is not there."""
        return await self._call("read", lambda it: it.get_container_client(container).read_item(name, pk), {404: None})

    async def create(self, container: str, document: Document) -> bool:
        """Add a document; False when there is one with its id."""

        async def work(database: DatabaseProxy) -> bool:
            await database.get_container_client(container).create_item(document)
            return True

        return await self._call("create", work, {409: False})

    async def replace(self, container: str, document: Document) -> bool:
        """Replace a document by one that was made of it; False when it has changed since, or is gone."""

        async def work(database: DatabaseProxy) -> bool:
            await database.get_container_client(container).replace_item(
                document["id"], document, etag=document["_etag"], match_condition=MatchConditions.IfNotModified
            )
            return True

        return await self._call("replace", work, dict.fromkeys(_LOOK_AGAIN, False))

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> int:
        """Carry out all of it and return 200, or nothing and return 404, 409 or 412: look and plan again."""

        async def work(database: DatabaseProxy) -> int:
            # The SDK takes conditions out of what it is given: a second try needs them again.
            own = [(*operation[:2], dict(*operation[2:])) for operation in operations]
            await database.get_container_client(container).execute_item_batch(own, pk)
            return _OK

        return await self._call("batch", work, {status: status for status in _LOOK_AGAIN})

    async def query(
        self,
        container: str,
        text: str,
        parameters: Mapping[str, object],
        pk: str | None = None,
        *,
        limit_s: float | None = None,
    ) -> list[Any]:
        """Return all rows of a query, within one partition or across them; what comes from outside is a parameter."""
        within: dict[str, Any] = {} if pk is None else {"partition_key": pk}

        async def work(database: DatabaseProxy) -> list[Any]:
            rows = database.get_container_client(container).query_items(
                text,
                parameters=[{"name": f"@{name}", "value": value} for name, value in parameters.items()],
                max_item_count=_PAGE_ROWS,
                **within,
            )
            return [row async for row in rows]

        return await self._call("query", work, limit_s=limit_s)

    async def properties(self, container: str) -> Mapping[str, Any] | None:
        """Return what a container is like; None when it, or its database, is not there."""

        async def work(database: DatabaseProxy) -> Mapping[str, Any] | None:
            try:
                return await database.get_container_client(container).read()
            except CosmosResourceNotFoundError:
                return None

        return await self._call("look at a container", work)

    async def create_database(self) -> None:
        """Create the database; nothing when it is there."""

        async def work(database: DatabaseProxy) -> None:
            await (await self._connected()).create_database_if_not_exists(database.id)

        await self._call("create the database", work)

    async def create_container(self, spec: ContainerSpec) -> None:
        """Create a container; nothing when it is there."""
        await self._call("create a container", lambda it: it.create_container_if_not_exists(spec.name, **_shape(spec)))

    async def mend_container(self, spec: ContainerSpec) -> None:
        """Give a container the indexing policy and the time to live that it must have."""
        await self._call("change a container", lambda it: it.replace_container(spec.name, **_shape(spec)))

    async def _call(
        self,
        what: str,
        work: Callable[[DatabaseProxy], Awaitable[T]],
        otherwise: Mapping[int, T] | None = None,
        *,
        limit_s: float | None = None,
    ) -> T:
        """Do one thing with the database. ``otherwise``: what to return for refusals that are answers.

        Raises:
            StoreUnavailable: it is away, refuses, or takes longer than the limit, in words.

        """
        limit_s = limit_s or self._limit_s
        try:
            async with asyncio.timeout(limit_s), self._slots:
                return await self._tried(work)
        # "from None": the SDK's words may quote signatures and texts, and its traces are not ours to print.
        except TimeoutError:
            raise cosmos_words.late(self._endpoint, what, limit_s) from None
        except HttpResponseError as error:
            substatus = int(getattr(error, "sub_status", None) or 0)
            status = error.status_code or 0
            if otherwise and status in otherwise and substatus != cosmos_words.OWNER_NOT_FOUND:
                return otherwise[status]
            raise self._refusal(what, error, substatus) from None
        except AzureError as error:
            raise cosmos_words.unreached(self._endpoint, what, _reason(error)) from None

    async def _tried(self, work: Callable[[DatabaseProxy], Awaitable[T]]) -> T:
        """Do it, again where that is what the service asks for; whoever calls bounds the time."""
        for number in range(self._settings.db_retry_max_attempts - 1):
            try:
                return await self._once(work)
            except HttpResponseError as error:
                if error.status_code not in _PASSING:
                    raise
            await asyncio.sleep(PAUSE_S * 2**number * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
        return await self._once(work)

    async def _once(self, work: Callable[[DatabaseProxy], Awaitable[T]]) -> T:
        client = await self._connected()
        return await work(client.get_database_client(self._settings.cosmos_database))

    def _refusal(self, what: str, error: HttpResponseError, substatus: int) -> Exception:
        if error.status_code is None:
            return cosmos_words.unreached(self._endpoint, what, "signing in failed")
        if error.status_code == _BAD_REQUEST:
            return RuntimeError(f"Cosmos DB calls our request wrong ({what}, 400/{substatus})")
        headers = {name.lower(): str(value) for name, value in (getattr(error, "headers", None) or {}).items()}
        return cosmos_words.refusal(self._endpoint, what, error.status_code, substatus, headers)

    async def _connected(self) -> CosmosClient:
        """Return the client, after it has read the account once."""
        async with self._opening:
            if self._client is None:
                async with AsyncExitStack() as opening:
                    credential = await self._credential(opening)
                    client = CosmosClient(
                        self._endpoint,
                        credential,
                        # This address and no other: it leads to the region that takes writes, also after a failover.
                        enable_endpoint_discovery=False,
                        no_response_on_write=True,
                        raw_response_hook=self._measure,
                        **_PATIENCE,
                    )
                    # Before it is entered: entering it half leaves a session open.
                    opening.push_async_callback(client.close)
                    await client.__aenter__()
                    self._open = opening.pop_all()
                self._client = client
            return self._client

    async def _credential(self, opening: AsyncExitStack) -> Any:  # noqa: ANN401 - a key, or what azure-identity gives
        if self._settings.cosmos_key:
            return self._settings.cosmos_key.reveal()
        return await opening.enter_async_context(_identity().DefaultAzureCredential())

    def _measure(self, response: PipelineResponse[Any, Any]) -> None:
        """Count an answer: called by the SDK for each, those that it repeats included."""
        answer = response.http_response
        self.meter.note(answer.status_code, float(answer.headers.get("x-ms-request-charge", 0.0)))


def _identity() -> Any:  # noqa: ANN401 - a module that may not be there
    try:
        return importlib.import_module("azure.identity.aio")
    except ImportError as error:
        raise SettingsError(
            "COSMOS_ENDPOINT is set and COSMOS_KEY is not: set it, or install what signs in by Entra ID:"
            " pip install 'sentimentagent[entra]'"
        ) from error


def _shape(spec: ContainerSpec) -> dict[str, Any]:
    return {
        "partition_key": PartitionKey(cosmos_layout.PARTITION_KEY),
        "indexing_policy": spec.indexing_policy,
        "default_ttl": cosmos_layout.DEFAULT_TTL,
    }


def _reason(error: AzureError) -> str:
    """Return why nobody answered, in a word or two of the system's."""
    if isinstance(error, ServiceResponseError):
        return "it does not answer, or breaks off"
    if isinstance(error, ServiceRequestError):
        return "no connection"
    return type(error).__name__
