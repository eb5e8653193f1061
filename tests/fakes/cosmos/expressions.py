"""The parts of a query that have a value, each of which works its own out from a document.

Values are JSON's and :data:`UNDEFINED`, which is what a missing property is and what comparing different types
gives: a filter keeps a document only when it comes to true.
"""

from __future__ import annotations

import json
import operator
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fakes.cosmos.indexing import Path as Names

Value: TypeAlias = Any


class _Undefined(Enum):
    UNDEFINED = "undefined"


UNDEFINED: Final = _Undefined.UNDEFINED
_COMPARE: Final[dict[str, Callable[[Value, Value], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def rank(value: Value) -> tuple[int, Value]:
    """Return where a value stands in the service's order of types, and of values of one type."""
    match value:
        case _Undefined():
            return 0, 0
        case None:
            return 1, 0
        case bool():
            return 2, value
        case int() | float():
            return 4, value
        case str():
            return 5, value
        case _:
            return (6 if isinstance(value, list) else 7), json.dumps(value, sort_keys=True)


class Expression(ABC):
    """A part of a query."""

    @abstractmethod
    def of(self, document: Value) -> Value:
        """Return the value for a document; for one with aggregates, for the list of all documents."""

    def inner(self) -> Sequence[Expression]:
        """Return what it is made of."""
        return ()

    def paths(self) -> Iterator[Names]:
        """Yield every path that it reads."""
        for part in self.inner():
            yield from part.paths()

    def aggregates(self) -> Iterator[Aggregate]:
        """Yield every aggregate in it."""
        for part in self.inner():
            yield from part.aggregates()


@dataclass(frozen=True)
class Literal(Expression):
    """A constant, or a parameter's value."""

    value: Value

    def of(self, _document: Value) -> Value:
        return self.value


@dataclass(frozen=True)
class Property(Expression):
    """``c.a.b``; with no names, the document."""

    names: Names

    def of(self, document: Value) -> Value:
        value = document
        for name in self.names:
            if not isinstance(value, dict) or name not in value:
                return UNDEFINED
            value = value[name]
        return value

    def paths(self) -> Iterator[Names]:
        yield self.names


@dataclass(frozen=True)
class Compare(Expression):
    """Two values of the same type, compared."""

    sign: str
    left: Expression
    right: Expression

    def of(self, document: Value) -> Value:
        (left_type, left), (right_type, right) = rank(self.left.of(document)), rank(self.right.of(document))
        if left_type != right_type or left_type == 0:
            return UNDEFINED
        return _COMPARE[self.sign](left, right)

    def inner(self) -> Sequence[Expression]:
        return self.left, self.right


@dataclass(frozen=True)
class In(Expression):
    """Whether a value is one of several."""

    value: Expression
    choices: tuple[Expression, ...]

    def of(self, document: Value) -> Value:
        value = rank(self.value.of(document))
        return UNDEFINED if value[0] == 0 else any(rank(choice.of(document)) == value for choice in self.choices)

    def inner(self) -> Sequence[Expression]:
        return self.value, *self.choices


@dataclass(frozen=True)
class _Joined(Expression):
    """Made of parts of one kind."""

    parts: tuple[Expression, ...]

    def inner(self) -> Sequence[Expression]:
        return self.parts


@dataclass(frozen=True)
class Every(_Joined):
    """AND: false if any is, true if all are."""

    def of(self, document: Value) -> Value:
        values = [part.of(document) for part in self.parts]
        if any(value is False for value in values):
            return False
        return True if all(value is True for value in values) else UNDEFINED


@dataclass(frozen=True)
class Either(_Joined):
    """OR: true if any is, false if all are."""

    def of(self, document: Value) -> Value:
        values = [part.of(document) for part in self.parts]
        if any(value is True for value in values):
            return True
        return False if all(value is False for value in values) else UNDEFINED


@dataclass(frozen=True)
class Not(Expression):
    """NOT: of true and false alone."""

    part: Expression

    def of(self, document: Value) -> Value:
        value = self.part.of(document)
        return not value if isinstance(value, bool) else UNDEFINED

    def inner(self) -> Sequence[Expression]:
        return (self.part,)


@dataclass(frozen=True)
class Call(_Joined):
    """IS_DEFINED, STARTSWITH or ARRAY_CONTAINS."""

    name: str

    def of(self, document: Value) -> Value:
        first, *rest = (argument.of(document) for argument in self.parts)
        if self.name == "IS_DEFINED":
            return first is not UNDEFINED
        if self.name == "ARRAY_CONTAINS":
            return isinstance(first, list) and rank(rest[0]) in map(rank, first)
        if not isinstance(first, str) or not isinstance(rest[0], str):
            return UNDEFINED
        return first.lower().startswith(rest[0].lower()) if rest[1:] == [True] else first.startswith(rest[0])

    def paths(self) -> Iterator[Names]:
        first, *rest = self.parts
        inside = ("[]",) if self.name == "ARRAY_CONTAINS" else ()
        yield from ((*path, *inside) for path in first.paths())
        for argument in rest:
            yield from argument.paths()


@dataclass(frozen=True)
class ArrayOf(_Joined):
    """``[a, b]``, without what is undefined."""

    def of(self, document: Value) -> Value:
        return [value for part in self.parts if (value := part.of(document)) is not UNDEFINED]


@dataclass(frozen=True)
class ObjectOf(_Joined):
    """``{"a": x}``, without what is undefined."""

    names: tuple[str, ...]

    def of(self, document: Value) -> Value:
        values = zip(self.names, (part.of(document) for part in self.parts), strict=True)
        return {name: value for name, value in values if value is not UNDEFINED}


@dataclass(frozen=True)
class Aggregate(Expression):
    """COUNT, SUM, MIN or MAX of a list of documents."""

    name: str
    part: Expression

    def of(self, document: Value) -> Value:
        values = [value for each in document if (value := self.part.of(each)) is not UNDEFINED]
        if self.name == "COUNT":
            return len(values)
        if self.name == "SUM":
            numbers = all(rank(value)[0] == 4 for value in values)
            return sum(values) if numbers else UNDEFINED
        best = min if self.name == "MIN" else max
        return best(values, key=rank) if values else UNDEFINED

    def inner(self) -> Sequence[Expression]:
        return (self.part,)

    def aggregates(self) -> Iterator[Aggregate]:
        yield self
