"""Where what is told comes from, and what of it could not be read: said beside the figures of most answers.

It changes with what is written alone, so it is asked for once in each state of the store, and for figures that nobody
asked for before one question is enough. A request saw the state before it asks here (api/known_answers.py), hence what
is remembered is never older than what it saw. A store that can't say its state is asked each time.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeVar

import msgspec

from api.answers import named
from api.known_answers import STATE
from api.single_flight import SingleFlight
from ipc.messages import SubredditFailure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Collection

    from agent.store.protocol import Reading

T = TypeVar("T")


class Provenance(msgspec.Struct, frozen=True):
    """What the store says of all that it holds."""

    #: The sources in one string, as answers name them; None for none.
    source: str | None
    failures: tuple[SubredditFailure, ...]

    def unread(self, names: Collection[str] | None) -> dict[str, str]:
        """Return what the last collection could not read of these subreddits, or of all, with the cause."""
        by_name = {each.subreddit: each.cause for each in self.failures}
        if names is None:
            return by_name
        wanted = {name.lower() for name in names}
        return {name: cause for name, cause in by_name.items() if name.lower() in wanted}


class Provenances:
    """Remembers the last."""

    def __init__(self, store: Reading) -> None:
        self._store = store
        self._flights: SingleFlight[Provenance] = SingleFlight()
        self._state: str | None = None
        self._last: Provenance | None = None

    async def beside(self, figures: Awaitable[T]) -> tuple[T, Provenance]:
        """Return figures and their provenance, which is asked for at the same time unless it is remembered."""
        state = STATE.get()
        if state is not None and state == self._state and self._last is not None:
            return await figures, self._last
        return await asyncio.gather(figures, ask(self._store) if state is None else self._remember(state))

    async def _remember(self, state: str) -> Provenance:
        found = await self._flights.run(state, lambda: ask(self._store))
        self._state, self._last = state, found
        return found


async def ask(store: Reading) -> Provenance:
    """Ask the store."""
    contents, collections = await asyncio.gather(store.contents(), store.collections(time.time()))
    return Provenance(named(contents.sources), collections.last_failures)
