"""What a window of time counts in Cosmos DB: the documents of its days, and the items of the hours that it cuts.

Hence exact to the second, and at a cost that goes by days and subreddits and not by items. What the counts come to is
worked out in :mod:`agent.store.cosmos_days`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from agent.store import cosmos_days, cosmos_documents, cosmos_layout, cosmos_queries
from agent.store.cosmos_days import Cell, Window

if TYPE_CHECKING:
    from agent.store.cosmos_client import CosmosDatabase
    from agent.store.cosmos_documents import Document


class Windows:
    """The windows of one database."""

    def __init__(self, database: CosmosDatabase) -> None:
        self._database = database

    async def cells(self, subreddit: str | None, since_utc: int, until_utc: int) -> list[Cell]:
        """Return what the window counts: the hours of its days, and the items of the pieces at its ends."""
        window = Window.cut(since_utc, until_utc)
        days, *pieces = await asyncio.gather(
            self._days(subreddit, window), *(self._piece(subreddit, *piece) for piece in window.pieces)
        )
        counted = [cell for day in days for cell in window.of_day(day)]
        return counted + [cosmos_days.of_row(row) for rows in pieces for row in rows]

    async def _days(self, subreddit: str | None, window: Window) -> list[Document]:
        if window.days is None:
            return []
        if subreddit is None:
            return await self._items(cosmos_queries.DAYS_OF_ALL, first=window.days[0], last=window.days[1])
        first, last = (cosmos_documents.partition(subreddit, day_utc) for day_utc in window.days)
        return await self._items(cosmos_queries.DAYS_OF_ONE, first=first, last=last)

    async def _piece(self, subreddit: str | None, since_utc: int, until_utc: int) -> list[Document]:
        pk = None if subreddit is None else cosmos_documents.partition(subreddit, since_utc)
        return await self._items(cosmos_queries.PIECE, pk, since=since_utc, until=until_utc)

    async def _items(self, text: str, pk: str | None = None, **parameters: object) -> list[Document]:
        return await self._database.query(cosmos_layout.ITEMS, text, parameters, pk)
