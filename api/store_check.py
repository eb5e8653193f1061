"""Whether the store answers, and what it holds: asked by health, metrics and the page, and bounded in time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from agent.records import Collections, Contents
from ipc.errors import StoreUnavailable

if TYPE_CHECKING:
    from agent.store.protocol import Reading

#: A store that needs longer for a handful of rows is as good as away. Chosen, not measured.
TIMEOUT_S: Final = 2.0


class StoreCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Either what the store holds, or why it does not say."""

    contents: Contents | None = None
    collections: Collections | None = None
    #: Why there is no answer, in words; None when there is one.
    error: str | None = None

    @property
    def is_connected(self) -> bool:
        """The store answered."""
        return self.error is None


async def check(store: Reading, now_utc: float, timeout_s: float = TIMEOUT_S) -> StoreCheck:
    """Ask the store; an answer that fails or is late is an answer here."""
    try:
        async with asyncio.timeout(timeout_s):
            contents, collections = await asyncio.gather(store.contents(), store.collections(now_utc))
    except StoreUnavailable as error:
        return StoreCheck(error=str(error))
    except TimeoutError:
        return StoreCheck(error=f"the database did not answer within {timeout_s:g} s")
    return StoreCheck(contents=contents, collections=collections)
