"""HTML by the page's few templates: whatever is filled in is escaped, unless it is :class:`Html` already."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable


class Html(str):
    """Text that is HTML: made by :func:`fill`, or a literal of ours."""

    __slots__ = ()


def fill(template: str, **values: object) -> Html:
    """Return the template, a literal of ours, with each ``{name}`` replaced by its value, escaped."""
    return Html(template.format_map({name: _escaped(value) for name, value in values.items()}))


def joined(parts: Iterable[Html]) -> Html:
    """Return the parts, one a line."""
    return Html("\n".join(parts))


def link(url: str, text: str) -> Html:
    """Return a link, or the text alone where the address is none that a click should open (``javascript:``, ...)."""
    if not is_web_address(url):
        return fill("{text}", text=text)
    return fill('<a href="{url}" rel="noopener nofollow noreferrer">{text}</a>', url=url, text=text)


def is_web_address(url: str) -> bool:
    """Tell whether it is a whole http or https address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.netloc)


def _escaped(value: object) -> str:
    return value if isinstance(value, Html) else escape(str(value))
