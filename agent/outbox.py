"""The outbox: what was collected and is not yet acknowledged, on disk, with the cursors of the sources.

A page's items and its cursor are one transaction, so a kill at any moment loses neither. SQLite in WAL
mode with synchronous=NORMAL: a power cut may undo the last transactions, but whole ones and in order, so
what is undone is read from the source again (its cursor went back too).

Backpressure: at most ``max_items``; :meth:`Outbox.put` waits for room, so that the source is not read.

Every method may raise :class:`~ipc.errors.Unavailable` (a full disk): nothing was changed then, try again.
"""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Final, Self, TypeVar

import msgspec

from agent.store.sqlite_schema import transaction
from ipc.errors import SettingsError, Unavailable
from ipc.messages import Batch, Cycle, Item

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from agent.sources.protocol import Page

#: One frame carries this many items at most: 64 is where batching had paid off in the measurements.
BATCH_ITEMS: Final = 64
#: ... and this many bytes (unless one item alone is larger), so that a window of batches stays small. Chosen.
BATCH_BYTES: Final = 512 * 1024
#: A longer title or text is cut here: one item must fit into a frame whatever its characters. Reddit allows 40,000.
MAX_TEXT_CHARACTERS: Final = 500_000

#: Marks the file as an outbox of this layout: "SAob" and a version (PRAGMA application_id and user_version).
_APPLICATION_ID: Final = 0x53416F62
_VERSION: Final = 1

_SCHEMA: Final = f"""
    BEGIN IMMEDIATE;
    CREATE TABLE entries (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL CHECK (kind IN ('item', 'cycle')),
        name TEXT NOT NULL UNIQUE,
        payload BLOB NOT NULL
    );
    CREATE TABLE cursors (
        source TEXT NOT NULL,
        stream TEXT NOT NULL,
        cursor TEXT NOT NULL,
        PRIMARY KEY (source, stream)
    ) WITHOUT ROWID;
    PRAGMA application_id = {_APPLICATION_ID};
    PRAGMA user_version = {_VERSION};
    COMMIT;
"""

T = TypeVar("T")


class Outbox:
    """A bounded queue on disk; one process, one event loop. An async context manager."""

    def __init__(self, path: Path, max_items: int) -> None:
        self._path = path
        self._max_items = max_items
        self._changed = asyncio.Condition()
        # SQLite waits on the disk: its one thread keeps that off the loop, and the calls in order.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="outbox")
        self._depth = 0
        self._items_at_open = 0
        #: Items that were settled since the opening.
        self.items_settled = 0

    @property
    def depth(self) -> int:
        """How many items and cycles wait for their acknowledgement."""
        return self._depth

    @property
    def max_items(self) -> int:
        """The bound that :meth:`put` keeps."""
        return self._max_items

    async def __aenter__(self) -> Self:
        """Open or create the file.

        Raises:
            SettingsError: the file is not an outbox, or is damaged.
            Unavailable: it can't be opened for now: a full disk, a lock, a permission.

        """
        try:
            self._depth = await self._in_thread(self._open)
        except sqlite3.DatabaseError as error:
            self._thread.shutdown()
            raise SettingsError(
                f"the outbox {self._path} can't be used ({error}): move it away to begin a new one;"
                " what it held is then read from the source again where the source still has it"
            ) from error
        except BaseException:
            self._thread.shutdown()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        await self._in_thread(self._close)
        self._thread.shutdown()

    async def cursor(self, source: str, stream: str) -> str | None:
        """Return how far ``stream`` has been read, None when never."""
        return await self._in_thread(lambda: self._cursor(source, stream))

    async def has_room(self, items: int) -> bool:
        """Tell whether ``items`` more fit now."""
        return self._depth == 0 or self._depth + items <= self._max_items

    async def put(self, source: str, stream: str, page: Page) -> int:
        """Keep a page's items and its cursor; return how many of the items were not waiting already.

        Waits while the outbox is full. Cancelled, it has kept all of the page or nothing.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._depth == 0 or self._depth + len(page.items) <= self._max_items)
            new = await asyncio.shield(self._in_thread(lambda: self._put(source, stream, page)))
            self._changed.notify_all()
        return new

    async def put_cycle(self, cycle: Cycle) -> None:
        """Keep the record of a cycle. Not bounded: there is one an interval."""
        async with self._changed:
            await asyncio.shield(
                self._in_thread(lambda: self._insert([("cycle", cycle.id, msgspec.msgpack.encode(cycle))]))
            )
            self._changed.notify_all()

    async def next_batch(self, after: int) -> Batch:
        """Return the oldest entries beyond seq ``after`` as one batch; wait until there is one."""
        async with self._changed:
            while True:
                batch = await self._in_thread(lambda: self._batch(after))
                if batch is not None:
                    return batch
                await self._changed.wait()

    async def settle(self, seq: int) -> None:
        """Forget everything up to and including ``seq``: it is durably stored elsewhere."""
        async with self._changed:
            await asyncio.shield(self._in_thread(lambda: self._settle(seq)))
            self._changed.notify_all()

    async def items_added(self) -> int:
        """Return how many items more than at the opening are on disk; negative when more have left than came."""
        return await self._in_thread(self._items) - self._items_at_open

    async def _in_thread(self, call: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, call)
        except sqlite3.OperationalError as error:  # what the world around the file does to it; nothing is wrong in it
            raise Unavailable(f"the outbox {self._path} can't be used for now: {error}") from error

    # What follows runs in the thread.

    def _open(self) -> int:
        self._db = sqlite3.connect(self._path, isolation_level=None)
        try:
            return self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> int:
        if self._is_empty():
            self._db.executescript(_SCHEMA)
        if (self._number("PRAGMA application_id"), self._number("PRAGMA user_version")) != (_APPLICATION_ID, _VERSION):
            raise sqlite3.DatabaseError(f"it is not an outbox of version {_VERSION}")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._items_at_open = self._items()
        return self._number("SELECT count(*) FROM entries")

    def _items(self) -> int:
        return self._number("SELECT count(*) FROM entries WHERE kind = 'item'")

    def _is_empty(self) -> bool:
        return self._number("SELECT count(*) FROM sqlite_master") == 0

    def _close(self) -> None:
        self._db.close()

    def _number(self, query: str) -> int:
        with closing(self._db.execute(query)) as rows:
            return int(rows.fetchone()[0])

    def _cursor(self, source: str, stream: str) -> str | None:
        query = "SELECT cursor FROM cursors WHERE source = ? AND stream = ?"
        row = self._db.execute(query, (source, stream)).fetchone()
        return str(row[0]) if row else None

    def _put(self, source: str, stream: str, page: Page) -> int:
        rows = [("item", item.name, msgspec.msgpack.encode(_fitting(item))) for item in page.items]
        return self._insert(rows, None if page.cursor is None else (source, stream, page.cursor))

    def _insert(self, rows: list[tuple[str, str, bytes]], cursor: tuple[str, str, str] | None = None) -> int:
        with transaction(self._db):
            before = self._db.total_changes
            self._db.executemany("INSERT OR IGNORE INTO entries (kind, name, payload) VALUES (?, ?, ?)", rows)
            new = self._db.total_changes - before
            if cursor is not None:
                self._db.execute("INSERT OR REPLACE INTO cursors VALUES (?, ?, ?)", cursor)
        self._depth += new
        return new

    def _batch(self, after: int) -> Batch | None:
        items: list[Item] = []
        cycles: list[Cycle] = []
        seq = size = 0
        query = "SELECT seq, kind, payload FROM entries WHERE seq > ? ORDER BY seq LIMIT ?"
        for row_seq, kind, payload in self._db.execute(query, (after, BATCH_ITEMS)).fetchall():
            size += len(payload)
            if seq and size > BATCH_BYTES:
                break
            seq = row_seq
            if kind == "item":
                items.append(msgspec.msgpack.decode(payload, type=Item))
            else:
                cycles.append(msgspec.msgpack.decode(payload, type=Cycle))
        return Batch(seq=seq, items=tuple(items), cycles=tuple(cycles)) if seq else None

    def _settle(self, seq: int) -> None:
        with transaction(self._db):
            kinds = [kind for (kind,) in self._db.execute("DELETE FROM entries WHERE seq <= ? RETURNING kind", (seq,))]
        self._depth -= len(kinds)
        self.items_settled += kinds.count("item")


def _fitting(item: Item) -> Item:
    """Return ``item`` with texts that no frame could carry cut."""
    if len(item.title) <= MAX_TEXT_CHARACTERS and len(item.content) <= MAX_TEXT_CHARACTERS:
        return item
    title, content = item.title[:MAX_TEXT_CHARACTERS], item.content[:MAX_TEXT_CHARACTERS]
    return msgspec.structs.replace(item, title=title, content=content)
