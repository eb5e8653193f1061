"""Changes single properties of a document: add, set, replace, incr, remove. ``move`` is outside the fake's subset."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from fakes.cosmos.documents import SYSTEM
from fakes.cosmos.grammar import parse_condition
from fakes.cosmos.refusal import Refused, stale

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fakes.cosmos.documents import Body, Container, Done, Match
    from fakes.cosmos.partitions import Key

#: The service's bound.
MOST_OPERATIONS: Final = 10
_OPERATIONS: Final = {"add", "set", "replace", "incr", "remove"}
_Place: TypeAlias = dict[str, Any] | list[Any]


def patch(container: Container, key: Key, name: str, sent: Mapping[str, Any], match: Match) -> Done:
    """Change a document by what was sent: ``{"operations": [...], "condition": "FROM c WHERE ..."}``."""
    old = container.read(key, name).document
    operations = sent.get("operations") or []
    if not 0 < len(operations) <= MOST_OPERATIONS:
        raise Refused(400, f"A patch needs 1 to {MOST_OPERATIONS} operations, not {len(operations)}")
    if old is not None and "condition" in sent and parse_condition(sent["condition"]).of(old.body) is not True:
        raise stale()
    body = copy.deepcopy(old.body) if old is not None else {}
    for operation in operations:
        _apply(body, operation, {path[0] for path in container.key_paths})
    return container.replace(key, name, body, match)


def _apply(body: Body, operation: Mapping[str, Any], key_names: set[str]) -> None:
    kind, path = operation.get("op"), str(operation.get("path", ""))
    names = [name.replace("~1", "/").replace("~0", "~") for name in path.split("/")[1:]]
    if kind not in _OPERATIONS or not names or not path.startswith("/"):
        raise Refused(400, f"The patch operation '{kind}' of the path '{path}' is none")
    if names[0] in {"id", *SYSTEM, *key_names}:
        raise Refused(400, f"The path '{path}' cannot be patched: it is the id, the partition key or the system's")
    place: _Place = body
    for name in names[:-1]:
        place = _inside(place, name, path)
    if isinstance(place, list):
        _change_list(place, names[-1], operation)
    else:
        _change(place, names[-1], operation)


def _inside(place: _Place, name: str, path: str) -> _Place:
    inner: object = None
    if isinstance(place, list):
        inner = place[int(name)] if name.isdecimal() and int(name) < len(place) else None
    else:
        inner = place.get(name)
    if not isinstance(inner, dict | list):
        raise _missing(path)
    return inner


def _missing(path: str) -> Refused:
    return Refused(400, f"The path '{path}' of a patch names nothing in the document")


def _change(place: dict[str, Any], name: str, operation: Mapping[str, Any]) -> None:
    kind = operation["op"]
    if kind in {"replace", "remove"} and name not in place:
        raise _missing(operation["path"])
    if kind == "remove":
        del place[name]
    elif kind == "incr":
        place[name] = _sum(place.get(name, 0), operation)
    else:
        place[name] = operation["value"]


def _change_list(place: list[Any], name: str, operation: Mapping[str, Any]) -> None:
    kind = operation["op"]
    last = len(place) if kind == "add" else len(place) - 1
    at = len(place) if name == "-" else int(name) if name.isdecimal() else last + 1
    if at > last:
        raise _missing(operation["path"])
    if kind == "add":
        place.insert(at, operation["value"])
    elif kind == "remove":
        del place[at]
    else:
        place[at] = _sum(place[at], operation) if kind == "incr" else operation["value"]


def _sum(old: object, operation: Mapping[str, Any]) -> float:
    value = operation.get("value")
    for each in (old, value):
        if not isinstance(each, int | float) or isinstance(each, bool):
            raise Refused(400, f"Only a number can be incremented, and by a number: '{operation['path']}'")
    return old + value  # type: ignore[operator, no-any-return]  # both are numbers: just checked
