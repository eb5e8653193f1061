"""Reads the words, signs and expressions of a query's text, one after the other; knows no statement.

What the expressions are stands in :mod:`fakes.cosmos.grammar`.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from fakes.cosmos.expressions import (
    UNDEFINED,
    Aggregate,
    ArrayOf,
    Call,
    Compare,
    Either,
    Every,
    Expression,
    In,
    Literal,
    Not,
    ObjectOf,
    Property,
    Value,
)
from fakes.cosmos.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_T = TypeVar("_T")
_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
    r"""|(?P<parameter>@\w+)|(?P<word>[A-Za-z_]\w*)|(?P<sign><=|>=|!=|<>|[=<>(),.\[\]{}:*])|(?P<end>\Z))"""
)
_SIGNS: Final = {"=", "!=", "<>", "<", "<=", ">", ">="}
_CALLS: Final = {"IS_DEFINED": (1,), "ARRAY_CONTAINS": (2,), "STARTSWITH": (2, 3)}
_AGGREGATES: Final = {"COUNT", "SUM", "MIN", "MAX"}
_CONSTANTS: Final[dict[str, Value]] = {"TRUE": True, "FALSE": False, "NULL": None, "UNDEFINED": UNDEFINED}


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


class Reader:
    """Stands before one word of a text; :meth:`take` steps on."""

    def __init__(self, text: str, parameters: Mapping[str, Value]) -> None:
        self.text = text
        self._parameters = parameters
        self._tokens = self._cut()
        self._at = 0
        self.root = self._find_root()

    def _cut(self) -> list[_Token]:
        tokens: list[_Token] = []
        at = 0
        while not tokens or tokens[-1].kind != "end":
            match = _TOKEN.match(self.text, at)
            if match is None or match.lastgroup is None:
                raise self.wrong(at)
            tokens.append(_Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup), match.end()))
            at = match.end()
        return tokens

    def _find_root(self) -> str:
        for token, following in zip(self._tokens, self._tokens[1:], strict=False):
            if token.kind == "word" and token.text.upper() == "FROM" and following.kind == "word":
                return following.text
        raise self.wrong(0)

    def wrong(self, at: int) -> Refused:
        """Return the refusal of what stands here."""
        return Refused(400, f"Syntax error, incorrect syntax near '{self.text[at : at + 20]}' (SC1001)")

    @property
    def next(self) -> _Token:
        """What comes next."""
        return self._tokens[self._at]

    def take(self, *wanted: str) -> bool:
        """Step over these words or signs if they come next."""
        coming = [token.text.upper() for token in self._tokens[self._at : self._at + len(wanted)]]
        if coming != list(wanted) or self.next.kind == "string":
            return False
        self._at += len(wanted)
        return True

    def need(self, *wanted: str) -> None:
        """Step over these, or refuse."""
        if not self.take(*wanted):
            raise self.wrong(self.next.start)

    def since(self, start: int) -> str:
        """Return the text from there to the last word that was stepped over."""
        return self.text[start : self._tokens[self._at - 1].end]

    def several(self, read: Callable[[], _T]) -> tuple[_T, ...]:
        """Read one or more, with commas between."""
        parts = [read()]
        while self.take(","):
            parts.append(read())
        return tuple(parts)

    def word(self) -> str:
        """Step over a name and return it."""
        token = self.next
        if token.kind != "word":
            raise self.wrong(token.start)
        self._at += 1
        return token.text

    def either(self) -> Expression:
        """Read a condition."""
        parts = [self._every()]
        while self.take("OR"):
            parts.append(self._every())
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _every(self) -> Expression:
        parts = [self._not()]
        while self.take("AND"):
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def _not(self) -> Expression:
        return Not(self._not()) if self.take("NOT") else self._compared()

    def _compared(self) -> Expression:
        left = self.value()
        if self.next.kind == "sign" and self.next.text in _SIGNS:
            sign = self.next.text
            self._at += 1
            return Compare(sign, left, self.value())
        if self.take("NOT", "IN"):
            return Not(In(left, self._inside(self.value)))
        return In(left, self._inside(self.value)) if self.take("IN") else left

    def _inside(self, read: Callable[[], _T]) -> tuple[_T, ...]:
        self.need("(")
        parts = self.several(read)
        self.need(")")
        return parts

    def value(self, *, may_aggregate: bool = False) -> Expression:
        """Read what has a value and is no comparison."""
        if self.take("("):
            inner = self.either()
            self.need(")")
            return inner
        if self.take("["):
            parts = self.several(lambda: self.value(may_aggregate=may_aggregate))
            self.need("]")
            return ArrayOf(parts)
        if self.take("{"):
            pairs = self.several(lambda: self._pair(may_aggregate=may_aggregate))
            self.need("}")
            return ObjectOf(tuple(part for _, part in pairs), tuple(name for name, _ in pairs))
        return self._constant() or self._named(may_aggregate=may_aggregate)

    def _pair(self, *, may_aggregate: bool) -> tuple[str, Expression]:
        name = self._string()
        self.need(":")
        return name, self.value(may_aggregate=may_aggregate)

    def _string(self) -> str:
        token = self.next
        if token.kind != "string":
            raise self.wrong(token.start)
        self._at += 1
        inner = token.text[1:-1] if token.text[0] == '"' else token.text[1:-1].replace("\\'", "'").replace('"', '\\"')
        return str(json.loads(f'"{inner}"', strict=False))

    def _constant(self) -> Expression | None:
        token = self.next
        if token.kind == "string":
            return Literal(self._string())
        if token.kind == "number":
            value = json.loads(token.text)
        elif token.kind == "parameter" and token.text in self._parameters:
            value = self._parameters[token.text]
        elif token.kind == "word" and token.text.upper() in _CONSTANTS:
            value = _CONSTANTS[token.text.upper()]
        else:
            return None
        self._at += 1
        return Literal(value)

    def _named(self, *, may_aggregate: bool) -> Expression:
        start = self.next.start
        word = self.word()
        if word == self.root:
            return Property(self._names())
        name = word.upper()
        if name in _AGGREGATES and may_aggregate:
            (part,) = self._inside(self.value)
            return Aggregate(name, part)
        arguments = self._inside(self.value) if name in _CALLS else ()
        if len(arguments) not in _CALLS.get(name, ()):
            raise self.wrong(start)
        return Call(arguments, name)

    def _names(self) -> tuple[str, ...]:
        names: list[str] = []
        while True:
            if self.take("."):
                names.append(self.word())
            elif self.take("["):
                names.append(self._string())
                self.need("]")
            else:
                return tuple(names)
