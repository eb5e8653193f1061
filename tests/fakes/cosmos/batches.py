"""Transactional batches: up to 100 operations in one partition key, all of them or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fakes.cosmos.documents import Match
from fakes.cosmos.patching import patch
from fakes.cosmos.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fakes.cosmos.documents import Container, Done
    from fakes.cosmos.partitions import Key

#: The service's bounds.
MOST_OPERATIONS: Final = 100
BATCH_BYTES: Final = 2 * 1024 * 1024
_FAILED_DEPENDENCY: Final = 424


def run(
    container: Container, key: Key, sent: Sequence[Mapping[str, Any]], *, is_minimal: bool
) -> tuple[int, list[dict[str, Any]], float]:
    """Return the status, the result of each operation and what all of them cost; 207 when nothing was done.

    Raises:
        Refused: the batch is too long, or is empty.

    """
    if not 0 < len(sent) <= MOST_OPERATIONS:
        raise Refused(400, f"Batch request has {len(sent)} operations: 1 to {MOST_OPERATIONS} are supported")
    results: list[dict[str, Any]] = []
    try:
        with container.all_or_nothing():
            for operation in sent:
                done = _run_one(container, key, operation)
                results.append(_result(done, is_minimal=is_minimal))
    except Refused as refused:
        failed = {"statusCode": refused.status, "requestCharge": refused.charge_ru, "subStatusCode": refused.substatus}
        charge = refused.charge_ru + sum(result["requestCharge"] for result in results)
        skipped = [{"statusCode": _FAILED_DEPENDENCY, "requestCharge": 0.0} for _ in sent]
        return 207, [*skipped[: len(results)], failed, *skipped[len(results) + 1 :]], charge
    return 200, results, sum(result["requestCharge"] for result in results)


def _result(done: Done, *, is_minimal: bool) -> dict[str, Any]:
    result: dict[str, Any] = {"statusCode": done.status, "requestCharge": round(done.charge_ru, 2)}
    if done.document is not None:
        result["eTag"] = done.document.etag
        if not is_minimal or done.status == 200:
            result["resourceBody"] = done.document.body
    return result


def _run_one(container: Container, key: Key, operation: Mapping[str, Any]) -> Done:
    kind, name, body = operation.get("operationType"), str(operation.get("id")), operation.get("resourceBody")
    match = Match(operation.get("ifMatch"), operation.get("ifNoneMatch"))
    if kind == "Read":
        return container.read(key, name)
    if kind == "Delete":
        return container.delete(key, name, match)
    if not isinstance(body, dict):
        raise Refused(400, f"The operation {kind} of a batch has no resourceBody")
    if kind == "Create":
        return container.create(key, body)
    if kind == "Upsert":
        return container.upsert(key, body, match)
    if kind == "Replace":
        return container.replace(key, name, body, match)
    if kind == "Patch":
        return patch(container, key, name, body, match)
    raise Refused(400, f"A batch knows no operation {kind}")
