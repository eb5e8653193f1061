"""A post as one row of a table: the columns are the fields of the struct that is answered, nested ones flattened.

Nothing is named here, so that a field that comes to the answer comes to the table by itself.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, Literal

from msgspec import inspect

from api.answers import Post

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal["text", "integer", "number", "moment"]

_KINDS: Final[dict[type[inspect.Type], Kind]] = {
    inspect.StrType: "text",
    inspect.LiteralType: "text",
    inspect.IntType: "integer",
    inspect.FloatType: "number",
    inspect.DateTimeType: "moment",
}


def _columns(kind: inspect.Type, path: str = "") -> Iterator[tuple[str, Kind]]:
    """Yield the path of each value, as Python writes it, and what it is; what may be null is what it is otherwise."""
    match kind:
        case inspect.StructType(fields=fields):
            for field in fields:
                yield from _columns(field.type, f"{path}.{field.name}" if path else field.name)
        case inspect.Metadata(type=inner) | inspect.UnionType(types=(inner, inspect.NoneType())):
            yield from _columns(inner, path)
        case _:
            yield path, _KINDS[type(kind)]


_PATHS: Final = dict(_columns(inspect.type_info(Post)))
#: What each column is, by its name, in the order of a row.
COLUMNS: Final[dict[str, Kind]] = {path.replace(".", "_"): kind for path, kind in _PATHS.items()}

_values: Final = attrgetter(*_PATHS)


def row(post: Post) -> tuple[Any, ...]:
    """Return the values of a post, one a column."""
    values: tuple[Any, ...] = _values(post)
    return values
