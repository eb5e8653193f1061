"""Where a page of a list ends, and the opaque text for it that clients hand back: pure, and the same for every store.

A place is made of the last item's own figures and not of a number of rows, so that nothing which is written meanwhile
shifts what comes behind it.
"""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from agent.records import Order, Page

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.records import Scored

#: A page with so many characters of titles and texts ends, whatever was asked for: 500 posts have a tenth of it as a
#: rule, and 500 of the longest that Reddit takes have five times as many. Chosen, not measured.
MAX_CHARACTERS: Final = 4_000_000

#: What both databases and JSON hold exactly.
_Second = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]


class Place(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The last item of a page."""

    order: Order
    #: What the order goes by; in an order of time the same as ``created_utc``.
    figure: float
    created_utc: _Second
    name: str


def page(ordered: Iterable[tuple[Place, Scored]], limit: int) -> Page:
    """Return the page that the front of a list is: ``limit`` items, fewer where their texts are long, but one.

    No more is taken of ``ordered`` than shows whether there is another page.
    """
    items: list[Scored] = []
    last: Place | None = None
    characters = 0
    for place, scored in ordered:
        if len(items) == limit or characters >= MAX_CHARACTERS:
            return Page(items=items, next=encode(last) if last is not None else None)
        items.append(scored)
        characters += len(scored.item.title) + len(scored.item.content)
        last = place
    return Page(items=items, next=None)


def encode(place: Place) -> str:
    """Return the place as text that fits into an address."""
    return urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def decode(after: str, order: Order) -> Place:
    """Return the place that a text names.

    Raises:
        ValueError: it names none, or one in a list of another order.

    """
    try:
        padded = after + "=" * (-len(after) % 4)
        place = msgspec.json.decode(b64decode(padded, altchars=b"-_", validate=True), type=Place)
    except (ValueError, msgspec.DecodeError) as error:
        raise ValueError("this is no place in a list") from error
    if place.order != order:
        raise ValueError(f"this is a place in a list ordered by {place.order} and not by {order}")
    return place
