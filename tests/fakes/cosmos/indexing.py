"""A container's indexing policy: what is indexed, which orders a composite index serves, what a document adds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from fakes.cosmos.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: The names from the document's root to a value; "[]" stands for the elements of an array.
Path: TypeAlias = tuple[str, ...]

_DEFAULT: Final = {"indexingMode": "consistent", "automatic": True, "includedPaths": [{"path": "/*"}]}
_ETAG_PATH: Final = '/"_etag"/?'
_SEGMENT: Final = re.compile(r'/(?:"((?:[^"\\]|\\.)*)"|([^/"]+))')
#: Indexed whatever the policy says, unless it says "none".
_ALWAYS: Final = {("id",), ("_ts",)}


class _Pattern(NamedTuple):
    path: Path
    is_exact: bool

    def fits(self, path: Path) -> bool:
        return path == self.path if self.is_exact else path[: len(self.path)] == self.path

    @property
    def precision(self) -> tuple[int, bool]:
        return len(self.path), self.is_exact


def parse_path(text: str) -> Path:
    """Return the names in a path such as ``/a/"b c"/[]``.

    Raises:
        Refused: it is none.

    """
    found = list(_SEGMENT.finditer(text))
    if "".join(match[0] for match in found) != text or not found:
        raise Refused(400, f"The indexing path '{text}' could not be accepted")
    return tuple(match[1] or match[2] for match in found)


def _pattern(text: str) -> _Pattern:
    path = parse_path(text)
    if path[-1] not in {"?", "*"}:
        raise Refused(400, f"The indexing path '{text}' could not be accepted, failed near its end")
    return _Pattern(path[:-1], path[-1] == "?")


class IndexingPolicy:
    """One policy, as it was sent and completed the way the service completes it.

    Raises:
        Refused: the service would not take it.

    """

    def __init__(self, sent: Mapping[str, Any] | None) -> None:
        policy: dict[str, Any] = _DEFAULT | dict(sent or {})
        self.is_off = policy["indexingMode"] == "none"
        if self.is_off and policy["automatic"]:
            raise Refused(400, "The indexing mode 'none' needs automatic indexing to be off")
        excluded = list(policy.get("excludedPaths", []))
        if not self.is_off and _ETAG_PATH not in [path["path"] for path in excluded]:
            excluded.append({"path": _ETAG_PATH})
        self.definition: dict[str, Any] = policy | {"excludedPaths": excluded}
        self._rules = [(_pattern(each["path"]), True) for each in policy.get("includedPaths", [])]
        self._rules += [(_pattern(each["path"]), False) for each in excluded]
        if not self.is_off and not any(not rule.path and not rule.is_exact for rule, _ in self._rules):
            raise Refused(400, 'The special mandatory indexing path "/*" is not provided in any of the path type sets')
        self._rules.sort(key=lambda rule: rule[0].precision, reverse=True)
        self._composites = [self._composite(each) for each in policy.get("compositeIndexes", [])]

    @staticmethod
    def _composite(sent: Sequence[Mapping[str, str]]) -> list[tuple[Path, bool]]:
        if len(sent) < 2:
            raise Refused(400, "A composite index needs two paths or more")
        return [(parse_path(each["path"]), each.get("order", "ascending") == "descending") for each in sent]

    def covers(self, path: Path) -> bool:
        """Say whether values at this path are indexed: the most precise rule that fits decides."""
        if self.is_off:
            return False
        return path in _ALWAYS or next((included for rule, included in self._rules if rule.fits(path)), False)

    def orders(self, terms: Sequence[tuple[Path, bool]]) -> bool:
        """Say whether an index serves this order, each term a path and whether it descends.

        Several terms need a composite index of just these paths, in these directions or all of them turned round.
        """
        if len(terms) == 1:
            return self.covers(terms[0][0])
        turned = [(path, not descends) for path, descends in terms]
        return list(terms) in self._composites or turned in self._composites

    def terms(self, document: Mapping[str, Any]) -> int:
        """Return how many index entries a document has."""
        single = sum(self.covers(path) for path in _leaves(document, ()))
        return single + sum(all(path[0] in document for path, _ in each) for each in self._composites)


def _leaves(value: object, path: Path) -> Iterator[Path]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, (*path, name))
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, (*path, "[]"))
    else:
        yield path
