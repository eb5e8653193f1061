"""Roll-ups that come from another store, without their items: what is added to a day that knows nothing of the hour.

Pure: no network and no clock.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import msgspec

from agent.store import cosmos_days
from agent.store.cosmos_changes import Operation
from agent.store.cosmos_days import DAY_ID, HOUR_S, PATCH_OPERATIONS
from agent.store.cosmos_documents import DAY_S, NANO, day_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from agent.records import Hour
    from agent.store.cosmos_documents import Document

_FIGURES: Final = ("positive", "neutral", "negative")


class Adoption(msgspec.Struct, frozen=True):
    """What is added to one day, and how many hours that is."""

    operations: list[Operation]
    adopted: int


def by_partition(hours: Iterable[Hour]) -> dict[str, list[Hour]]:
    """Sort hours by the partition of their day."""
    partitions: defaultdict[str, list[Hour]] = defaultdict(list)
    for hour in hours:
        partitions[day_key(hour.subreddit, hour.hour_utc // DAY_S * DAY_S)].append(hour)
    return dict(partitions)


def plan(hours: Sequence[Hour], known: Mapping[str, Document]) -> Adoption:
    """Return what to add, when ``known`` holds the day's document; the day must be as it was read then."""
    day = known.get(DAY_ID)
    counted = {cell.at_utc for cell in cosmos_days.cells(day)} if day else set()
    unknown = [hour for hour in hours if hour.hour_utc not in counted]
    increments = [each for hour in unknown for each in _increments(hour)]
    conditions = {"if_match_etag": day["_etag"]} if day else {}
    cuts = range(0, len(increments), PATCH_OPERATIONS)
    operations: list[Operation] = [
        # Of several patches of one document the first changes its version: the batch is all or nothing anyway.
        ("patch", (DAY_ID, increments[at : at + PATCH_OPERATIONS]), dict(conditions) if at == 0 else {})
        for at in cuts
    ]
    return Adoption(operations, len(unknown))


def _increments(hour: Hour) -> list[dict[str, Any]]:
    path = f"/hours/{hour.hour_utc % DAY_S // HOUR_S:02d}"
    values = {figure: getattr(hour, figure) for figure in _FIGURES} | {"nano": round(hour.compound_sum * NANO)}
    return [{"op": "incr", "path": f"{path}/{name}", "value": value} for name, value in values.items() if value]
