"""Carries plans out, a batch at a time, so that each thing is done once whatever comes in between.

A batch is all or nothing, so counting and keeping never part. When the service says that something is not as the plan
took it to be (there already, changed, gone), what is there is read and the plan made anew. That covers a batch that
came twice, another writer's, and one of our own that came through although its answer was lost.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar

from agent.store import cosmos_queries
from ipc.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agent.store.cosmos_changes import Operation
    from agent.store.cosmos_client import CosmosDatabase
    from agent.store.cosmos_documents import Document

#: How often a plan is made anew. Two writers that race for one partition need two or three. Chosen, not measured.
TRIES: Final = 10
#: The longest wait between two of them; the first is near nothing. Chosen, not measured.
PAUSE_S: Final = 0.2

_OK: Final = 200
_NOT_FOUND: Final = 404


class Planned(Protocol):
    """Anything that knows its operations; none when there is nothing to do."""

    @property
    def operations(self) -> Sequence[Operation]:
        """What to do, all or nothing."""


P = TypeVar("P", bound=Planned)


class Place(NamedTuple):
    """A partition that counts what it holds."""

    container: str
    #: The document that is patched along, as it is when it has counted nothing: created when it is missing.
    counter: Document


async def carry_out(
    database: CosmosDatabase,
    place: Place,
    ids: Sequence[str],
    plan: Callable[[Mapping[str, Document]], P],
    known: Mapping[str, Document] | None = None,
) -> P:
    """Do what ``plan`` says when it is told which documents with these ids are there; return the plan that was done.

    The first plan is made on ``known``, by default on the hope that none is.

    Raises:
        StoreUnavailable: the database is away, or others keep changing the same documents.

    """
    planned = plan(known or {})
    for number in range(TRIES):
        status = await _batch(database, place, planned.operations)
        if status == _OK:
            return planned
        if status == _NOT_FOUND:
            await database.create(place.container, place.counter)
        await asyncio.sleep(random.uniform(0, min(PAUSE_S, 0.01 * 2**number)))  # noqa: S311 - jitter, not a secret
        planned = plan(await read(database, place, ids))
    raise StoreUnavailable(f"others keep changing what is to be written to the container {place.container}")


async def _batch(database: CosmosDatabase, place: Place, operations: Sequence[Operation]) -> int:
    return await database.batch(place.container, place.counter["pk"], operations) if operations else _OK


async def read(database: CosmosDatabase, place: Place, ids: Sequence[str]) -> dict[str, Document]:
    """Return the documents with these ids, by id; those that are not there are left out."""
    parameters = {f"id{number}": name for number, name in enumerate(ids)}
    found = await database.query(place.container, cosmos_queries.by_ids(len(ids)), parameters, place.counter["pk"])
    return {document["id"]: document for document in found}
