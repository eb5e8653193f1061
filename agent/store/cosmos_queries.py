"""The questions that are asked of Cosmos DB: texts alone. What comes from outside is a parameter, named with @.

Each is served by an index (:mod:`agent.store.cosmos_layout`), so it costs by what it returns and not by what there is.
None groups or counts across partitions but by ``SELECT VALUE``: the SDK refuses the rest.
"""

from __future__ import annotations

from typing import Final

_DAY: Final = "SELECT c.sub, c.day_utc, c.hours FROM c"
DAYS_OF_ALL: Final = f"{_DAY} WHERE c.day_utc >= @first AND c.day_utc <= @last"
DAYS_OF_ONE: Final = f"{_DAY} WHERE c.day_key >= @first AND c.day_key <= @last"
DAYS_FROM: Final = "SELECT TOP @limit c.sub, c.day_utc, c.hours FROM c WHERE c.day_key >= @first ORDER BY c.day_key ASC"
#: A piece of an hour; within one partition, or across them.
PIECE: Final = (
    "SELECT c.sub, c.created_utc, c.score.sentiment, c.compound_nano FROM c"
    " WHERE c.created_utc >= @since AND c.created_utc < @until"
)
ITEMS_EVER: Final = "SELECT c.sub, c.items FROM c WHERE c.day_utc >= 0"

# The order names what the filter fixes, so that one composite index serves both.
RECENT_OF_ALL: Final = (
    "SELECT TOP @limit * FROM c WHERE c.shown = @kind AND c.created_utc >= @since"
    " ORDER BY c.shown DESC, c.created_utc DESC, c.name DESC"
)
RECENT_OF_ONE: Final = (
    "SELECT TOP @limit * FROM c WHERE c.sub = @sub AND c.shown = @kind AND c.created_utc >= @since"
    " ORDER BY c.sub DESC, c.shown DESC, c.created_utc DESC, c.name DESC"
)
ITEM: Final = "SELECT * FROM c WHERE c.name = @name"
DUE: Final = "SELECT TOP @limit * FROM c WHERE c.due_utc < @before ORDER BY c.due_utc ASC"
#: Within the partition of what was set aside. The index finds what was not emptied, which is little; no order.
DUE_SET_ASIDE: Final = (
    "SELECT TOP @limit * FROM c WHERE c.author_key > '' AND c.item.source = 'reddit' AND c.item.collected_utc < @before"
)
NAMED: Final = "SELECT VALUE c.name FROM c WHERE ARRAY_CONTAINS(@names, c.name)"
SCAN: Final = "SELECT TOP @limit * FROM c WHERE c.name > @after ORDER BY c.name ASC"
OF_AUTHOR: Final = "SELECT TOP @limit * FROM c WHERE c.author_key = @author"
SET_ASIDE_OF_AUTHOR: Final = "SELECT * FROM c WHERE c.author_key = @author"

# Each within one partition of ``meta``.
NAMES: Final = "SELECT VALUE c.name FROM c"
LAST_CYCLE: Final = "SELECT TOP 1 VALUE c.cycle FROM c WHERE c.finished_utc > 0 ORDER BY c.finished_utc DESC"
FAILED_SINCE: Final = "SELECT VALUE COUNT(1) FROM c WHERE c.outcome = 'failed' AND c.finished_utc > @since"


def by_ids(count: int) -> str:
    """Return the query for ``count`` documents of one partition, the parameters @id0, @id1, ..."""
    return f"SELECT * FROM c WHERE c.id IN ({', '.join(f'@id{number}' for number in range(count))})"  # noqa: S608 - numbers
