"""Where a page of a list ends, as the opaque text that clients hand back: pure, and the same for every store.

A place is made of the last item's own figures and not of a number of rows, so that nothing which is written meanwhile
shifts what comes behind it.
"""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode
from typing import Annotated

import msgspec

from agent.records import Order

#: What both databases and JSON hold exactly.
_Second = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]


class Place(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The last item of a page."""

    order: Order
    #: What the order goes by; in an order of time the same as ``created_utc``.
    figure: float
    created_utc: _Second
    name: str


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
