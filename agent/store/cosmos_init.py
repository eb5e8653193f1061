"""Makes the database what the store needs, and sees whether it is: ``sentimentagent store init``, and every start.

Nothing is ever dropped and no document is changed; a container with another indexing policy or time to live is given
ours. What a container costs (request units a second, or serverless) is
the account's own setting: containers are made as the account makes them by default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from agent.store import cosmos_layout
from agent.store.cosmos_layout import ContainerSpec
from agent.store.cosmos_words import MEND
from ipc.errors import SettingsError, StoreUnavailable

if TYPE_CHECKING:
    from agent.store.cosmos_client import CosmosDatabase

_VERSION_ID: Final = "version"


class Step(msgspec.Struct, frozen=True):
    """One thing that is to be done, in words."""

    text: str
    #: The container that is made or mended; None for the mark of the version.
    spec: ContainerSpec | None = None
    is_new: bool = False


async def plan(database: CosmosDatabase, name: str) -> list[Step]:
    """Return what is missing or differs in the database ``name``; nothing when all is as it must be.

    Raises:
        SettingsError: it can't be mended, or belongs to a newer version.
        StoreUnavailable: the account does not answer.

    """
    steps: list[Step] = []
    for spec in cosmos_layout.CONTAINERS:
        found = await database.properties(spec.name)
        if found is None:
            steps.append(Step(_creation(spec, name), spec, is_new=True))
            continue
        differing = cosmos_layout.differences(spec, found)
        for difference in differing:
            if not difference.can_be_mended:
                raise SettingsError(
                    f"{difference.text}, which can't be changed: choose another COSMOS_DATABASE than {name},"
                    " or drop that container when nothing in it is needed"
                )
        if differing:
            reasons = "; ".join(difference.text for difference in differing)
            steps.append(Step(f"change the container {spec.name} of the database {name}: {reasons}", spec))
    if any(step.is_new and step.spec and step.spec.name == cosmos_layout.META for step in steps):
        return [*steps, _mark()]
    return [*steps, *([] if await _has_mark(database, name) else [_mark()])]


async def create(database: CosmosDatabase, steps: list[Step]) -> None:
    """Carry a plan out. What somebody else has made meanwhile is left as it is."""
    if any(step.is_new for step in steps):
        await database.create_database()
    for step in steps:
        if step.spec is None:
            await database.create(cosmos_layout.META, _mark_document())
        elif step.is_new:
            await database.create_container(step.spec)
        else:
            await database.mend_container(step.spec)


async def check(database: CosmosDatabase, name: str) -> None:
    """See that the store can be used.

    Raises:
        SettingsError: it can't be mended, or belongs to a newer version.
        StoreUnavailable: the account does not answer, or something is missing that ``store init`` makes.

    """
    if steps := await plan(database, name):
        missing = "; ".join(step.text for step in steps)
        raise StoreUnavailable(f"Cosmos DB is not ready: {MEND}, which will {missing}")


def described(steps: list[Step]) -> str:
    """Return a plan as text, a line each step."""
    if not steps:
        return "Nothing to do: the database is as it must be.\n"
    return "".join(f"{number}. {step.text}\n" for number, step in enumerate(steps, 1))


def _creation(spec: ContainerSpec, name: str) -> str:
    return (
        f"create the container {spec.name} in the database {name}, partitioned by {cosmos_layout.PARTITION_KEY},"
        f" time to live by item, {len(spec.indexed)} indexed paths and {len(spec.composites)} composite indexes"
    )


def _mark() -> Step:
    return Step(f"mark the layout as version {cosmos_layout.VERSION}")


def _mark_document() -> dict[str, object]:
    return {"id": _VERSION_ID, "pk": cosmos_layout.LAYOUT, "type": "layout", "version": cosmos_layout.VERSION}


async def _has_mark(database: CosmosDatabase, name: str) -> bool:
    mark = await database.read(cosmos_layout.META, cosmos_layout.LAYOUT, _VERSION_ID)
    if mark is not None and mark["version"] > cosmos_layout.VERSION:
        raise SettingsError(
            f"the database {name} was made by a newer version of this program (layout {mark['version']}, this one knows"
            f" {cosmos_layout.VERSION}), and is left alone: install that version, or choose another COSMOS_DATABASE"
        )
    return mark is not None
