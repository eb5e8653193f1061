"""The comments that stand above the fields of a struct (``#:``), read from its source: they describe what is answered.

They are written once, for whoever reads the code, and told to whoever reads the description of the API. Where there is
no source, there are none.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from typing import Final

_MARK: Final = "#:"
#: A role of reStructuredText: :class:`~api.answers.Stats` is told as Stats.
_ROLE: Final = re.compile(r":\w+:`~?(?:[\w.]+\.)?(\w+)`")

#: The class and the field of a comment.
Notes = dict[tuple[str, str], str]


def notes(module: str) -> Notes:
    """Return the comments of all classes of a module that is imported."""
    try:
        source = inspect.getsource(sys.modules[module])
    except (OSError, TypeError):
        return {}
    lines = source.splitlines()
    return {
        (kind.name, field.target.id): text
        for kind in ast.parse(source).body
        if isinstance(kind, ast.ClassDef)
        for field in kind.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if (text := _above(lines[: field.lineno - 1]))
    }


def of(kind: type, known: dict[str, Notes]) -> dict[str, str]:
    """Return what is said of each field of a struct, inherited ones too.

    ``known`` keeps what was read, by module.
    """
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        if each.__module__ not in known:
            known[each.__module__] = notes(each.__module__)
        found |= {field: text for (name, field), text in known[each.__module__].items() if name == each.__name__}
    return found


def plain(text: str | None) -> str:
    """Return a docstring or a comment as Markdown in one paragraph each."""
    return _ROLE.sub(r"\1", inspect.cleandoc(text or "")).strip()


def _above(lines: list[str]) -> str:
    """Return the comment that ends with the last line."""
    comment: list[str] = []
    for line in reversed(lines):
        if not line.lstrip().startswith(_MARK):
            break
        comment.append(line.lstrip().removeprefix(_MARK).strip())
    return plain(" ".join(reversed(comment)))
