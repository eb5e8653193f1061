"""The feed: what is told to every client that listens, numbered, the newest in a ring of bounded size. No socket here.

A listener has no queue of its own, only a place: it takes what is behind it in the ring. So a slow one costs nothing,
and one that comes back within the ring misses nothing. Belongs to the event loop.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter, deque
from typing import TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from aiohttp import web

    from api.answers import Answer

#: ``hello`` is each listener's own and never in the ring.
Kind = Literal["hello", "data", "health", "system"]

#: Some ten minutes while data comes in every second, an hour while nothing happens. Chosen, not measured.
RING: Final = 512

_encode: Final = msgspec.json.Encoder().encode


class Feed:
    """What was told last, and the ring."""

    def __init__(self) -> None:
        #: A part of every id, so that a number of another life of this process is not taken for one of this.
        self._life = secrets.token_hex(4)
        self._ring: deque[tuple[int, bytes]] = deque(maxlen=RING)
        self._news = asyncio.Event()
        #: The number of the newest event; 0 before the first.
        self.newest = 0
        #: The last of each kind.
        self.last: dict[Kind, Answer] = {}
        #: How many there were of each kind.
        self.told: Counter[Kind] = Counter()
        self.is_closed = False

    def tell(self, kind: Kind, body: Answer) -> None:
        """Tell all listeners; the oldest event leaves a full ring."""
        self.newest += 1
        self._ring.append((self.newest, wire(kind, body, self.id(self.newest))))
        self.last[kind] = body
        self.told[kind] += 1
        self.wake()

    def id(self, number: int) -> str:
        """Return the id by which a listener comes back."""
        return f"{self._life}-{number}"

    def place(self, last_id: str | None) -> int | None:
        """Return the place behind the event with this id; None where what came since then is not known any more."""
        life, _, number = (last_id or "").partition("-")
        if life != self._life or not number.isascii() or not number.isdigit() or len(number) > len(str(self.newest)):
            return None
        place = int(number)
        return place if self._oldest - 1 <= place <= self.newest else None

    def after(self, place: int) -> bytes | None:
        """Return all events behind ``place`` as they are sent; None where some have left the ring."""
        if place < self._oldest - 1:
            return None
        return b"".join(sent for number, sent in self._ring if number > place)

    async def news(self, place: int, limit_s: float) -> bool:
        """Wait for an event behind ``place``, the end, or :meth:`wake`; return False when none came in time."""
        if self.newest > place or self.is_closed:
            return True
        try:
            async with asyncio.timeout(limit_s):
                return await self._news.wait()
        except TimeoutError:
            return False

    def wake(self) -> None:
        """Let every listener look around."""
        self._news.set()
        self._news = asyncio.Event()

    def close(self) -> None:
        """Tell nothing more: every listener leaves."""
        self.is_closed = True
        self.wake()

    async def end(self, _application: web.Application) -> None:
        """Close, as the server asks before it waits for requests in hand."""
        self.close()

    @property
    def _oldest(self) -> int:
        return self._ring[0][0] if self._ring else self.newest + 1


def wire(kind: Kind, body: Answer, event_id: str | None = None) -> bytes:
    """Return an event as it is sent. JSON has no line break, so that its data is one line whatever is in it."""
    head = f"id: {event_id}\n" if event_id else ""
    return f"{head}event: {kind}\ndata: ".encode() + _encode(body) + b"\n\n"
