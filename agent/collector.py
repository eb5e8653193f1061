"""The collector: brings posts and comments on an interval, and keeps them until they are acknowledged.

It reads one stream of its source after the other, commits each page with its cursor to the outbox, and
forwards the outbox to the analyzer. Collecting and forwarding know nothing of each other: with the
analyzer away, collection goes on until the outbox is full, and then the source is not read.

A cycle has failed when more than half of its streams could not be read to their end, or when there was
no stream to read; otherwise it has succeeded, and names the streams that failed.
"""

from __future__ import annotations

import asyncio
import sys
import time
import uuid
from contextlib import AsyncExitStack, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Final, Self, TypeVar

import psutil

from agent.outbox import Outbox
from agent.source_watch import SourceWatch
from agent.sources.choose import choose
from agent.sources.deadlines import page_deadline_s
from agent.store.choose import open_reader
from agent.sweep import Sweep
from ipc import logs
from ipc.channel import Connection, Door
from ipc.delivery import Carrier, SocketCarrier
from ipc.errors import SourceUnavailable, Unavailable
from ipc.life import Pulse, run
from ipc.messages import AnyMessage, Collect, Cycle, CycleRunning, CycleStarted, Outcome, SubredditFailure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from agent.sources.protocol import Page, Source
    from agent.sweep import Swept
    from ipc.settings import Settings

_log = logs.log(__name__)

T = TypeVar("T")

#: Between two tries of an outbox that the disk does not take. Chosen, not measured.
DISK_RETRY_S: Final = 2.0
#: Of an error that nobody expected. Chosen, not measured.
MAX_DETAIL_CHARACTERS: Final = 300
_MEGABYTE: Final = 1024 * 1024


class Collector:
    """The service that :mod:`ipc.life` runs as the process ``collector``."""

    def __init__(self, settings: Settings, pulse: Pulse, source: Source | None = None) -> None:
        self._interval_s = settings.collector.collection_interval_minutes * 60
        self._page_deadline_s = page_deadline_s(settings.collector)
        self._pulse = pulse
        self._source = source or choose(settings.collector)
        self._outbox = Outbox(settings.folders.outbox, settings.collector.outbox_max_items)
        self._store = open_reader(settings)
        self._sweep = Sweep(self._store, self._source, self._keep, pulse, settings.collector)
        self._carrier: Carrier = SocketCarrier(settings.folders.socket("analyzer"), self._settle)
        self._door = Door(settings.folders.socket("collector"), Collect, self._on_message)
        self._cycle_id: str | None = None
        self._requested = asyncio.Event()
        self._watch = SourceWatch(pulse, self._source.name, self._interval_s, settings.api.failed_collections_warning)
        self._open = AsyncExitStack()
        pulse.facts["source"] = self._source.name
        pulse.intake.count = self._count

    async def __aenter__(self) -> Self:
        """Open the outbox and the source, then the door."""
        async with AsyncExitStack() as opening:
            await opening.enter_async_context(self._outbox)
            await opening.enter_async_context(self._source)
            await opening.enter_async_context(self._store)
            await opening.enter_async_context(self._door)
            self._open = opening.pop_all()
        self._tell_depth()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close in reverse order."""
        await self._open.__aexit__(kind, error, trace)

    async def work(self, stop: asyncio.Event) -> None:
        """Collect and forward until ``stop``.

        Stopping drains nothing: what was collected is on disk, and a page in hand is fetched again.
        """
        async with asyncio.TaskGroup() as tasks:
            working = [
                tasks.create_task(self._carrier.run(), name="deliver"),
                tasks.create_task(self._forward(), name="forward"),
                tasks.create_task(self._collect(), name="collect"),
                tasks.create_task(self._watch.run(), name="source watch"),
            ]
            await stop.wait()
            for task in working:
                task.cancel()

    async def _on_message(self, connection: Connection, _message: AnyMessage) -> None:
        if self._cycle_id is not None:
            await connection.send(CycleRunning(cycle_id=self._cycle_id))
            return
        self._cycle_id = _new_cycle_id()
        self._requested.set()
        await connection.send(CycleStarted(cycle_id=self._cycle_id))

    async def _collect(self) -> None:
        """Run a cycle now and on the interval, or when one is asked for; never two at once."""
        while True:
            due_s = time.monotonic() + self._interval_s
            self._cycle_id = self._cycle_id or _new_cycle_id()
            self._requested.clear()
            await self._cycle(self._cycle_id)
            self._cycle_id = None
            # Whoever asks for a cycle now gets it: what was not looked at is due still.
            self._tell_sweep(await self._sweep.run(self._requested.is_set))
            with self._pulse.waiting("interval"):
                try:
                    async with asyncio.timeout(max(0.0, due_s - time.monotonic())):
                        await self._requested.wait()
                except TimeoutError:
                    pass

    async def _cycle(self, cycle_id: str) -> None:
        memory_before = _rss_bytes()
        started_utc, started_s = time.time(), time.monotonic()
        tally = _Tally()
        streams = self._source.streams()
        self._watch.began(started_s)
        _log.info("Collection cycle started", cycle_id=cycle_id, source=self._source.name, streams=len(streams))
        for stream in streams:
            await self._read(stream, tally)
        cycle = Cycle(
            id=cycle_id,
            source=self._source.name,
            started_utc=started_utc,
            finished_utc=time.time(),
            outcome=_outcome(len(streams), len(tally.failures)),
            posts=tally.posts,
            comments=tally.comments,
            new=tally.new,
            gaps=len(tally.with_gap),
            failures=tuple(tally.failures),
            memory_delta_mb=round((_rss_bytes() - memory_before) / _MEGABYTE, 2),
        )
        await self._on_disk(lambda: self._outbox.put_cycle(cycle))
        self._tell_cycle(cycle, tally, time.monotonic() - started_s)
        self._watch.ended(cycle, len(streams), time.monotonic())

    async def _read(self, stream: str, tally: _Tally) -> None:
        """Read one stream to its end; whatever is wrong with it is its own failure."""
        try:
            await self._read_pages(stream, tally)
        except SourceUnavailable as error:
            tally.failures.append(SubredditFailure(subreddit=stream, cause=error.cause, detail=str(error)))
            _log.warning(
                "Subreddit not read: its new posts are missing", stream=stream, cause=error.cause, detail=str(error)
            )
        except Exception as error:  # noqa: BLE001 - one odd stream must not end the cycle of the others
            # It may quote what was read, and goes into health, mails and the page.
            detail = logs.harmless(f"{type(error).__name__}: {error}", MAX_DETAIL_CHARACTERS)
            tally.failures.append(SubredditFailure(subreddit=stream, cause="unexpected", detail=detail))
            _log.exception("Subreddit not read, unexpected error: its new posts are missing", stream=stream)

    async def _read_pages(self, stream: str, tally: _Tally) -> None:
        cursor = await self._on_disk(lambda: self._outbox.cursor(self._source.name, stream))
        pages = aiter(self._source.read(stream, cursor))
        while True:
            async with self._pulse.intake.unit():
                with self._pulse.unit("page", self._page_deadline_s):
                    page = await anext(pages, None)
                if page is None:
                    return
                tally.add(stream, page, await self._keep(stream, page))
                self._tell_page(stream, page)

    async def _keep(self, stream: str, page: Page) -> int:
        if not await self._outbox.has_room(len(page.items)):
            _log.warning("Outbox full: the source is not read until the analyzer takes more", items=self._outbox.depth)
        with self._pulse.waiting("outbox"):
            new = await self._on_disk(lambda: self._outbox.put(self._source.name, stream, page))
        self._pulse.intake.items_in += new
        self._tell_depth()
        return new

    async def _on_disk(self, use: Callable[[], Awaitable[T]], *, is_collecting: bool = True) -> T:
        """Use the outbox, again and again for as long as the disk refuses; return what came of it.

        What the process waits for is said by the task that collects alone: two would overwrite each other's words.
        """
        while True:
            try:
                return await use()
            except Unavailable as error:
                _log.error(
                    "Outbox away: nothing is collected or delivered until the disk takes it again", reason=str(error)
                )
                with self._pulse.waiting("disk") if is_collecting else nullcontext():
                    await asyncio.sleep(DISK_RETRY_S)

    async def _forward(self) -> None:
        """Offer the outbox, batch after batch, to the carrier. A restart begins with the oldest again."""
        offered = 0
        while True:
            batch = await self._on_disk(partial(self._outbox.next_batch, offered), is_collecting=False)
            await self._carrier.offer(batch)
            offered = batch.seq

    async def _settle(self, seq: int) -> None:
        await self._on_disk(lambda: self._outbox.settle(seq), is_collecting=False)
        self._pulse.progress += 1
        self._tell_depth()

    async def _count(self) -> None:
        """Count what has left the outbox, and what is there on disk beyond what the start found there."""
        self._pulse.intake.items_out = self._outbox.items_settled + await self._outbox.items_added()

    def _tell_depth(self) -> None:
        self._pulse.gauges |= {"outbox_items": self._outbox.depth, "outbox_max_items": self._outbox.max_items}

    def _tell_page(self, stream: str, page: Page) -> None:
        if page.gap:
            _log.warning("Gap: the listing ended before the last seen item", stream=stream)
        if page.rejected_count:
            _log.warning("Items rejected", stream=stream, count=page.rejected_count, first="; ".join(page.rejected[:5]))

    def _tell_sweep(self, swept: Swept) -> None:
        gauges = self._pulse.gauges
        gauges |= {
            "looked_again": gauges.get("looked_again", 0) + swept.looked_at,
            "found_deleted": gauges.get("found_deleted", 0) + swept.deleted,
        }

    def _tell_cycle(self, cycle: Cycle, tally: _Tally, duration_s: float) -> None:
        gauges = self._pulse.gauges
        counter = f"cycles_{cycle.outcome}"
        gauges[counter] = gauges.get(counter, 0) + 1
        gauges |= {
            "gaps": gauges.get("gaps", 0) + cycle.gaps,
            "rejected": gauges.get("rejected", 0) + tally.rejected,
            "last_cycle_failed_subreddits": len(cycle.failures),
            "last_cycle_duration_s": duration_s,
        }
        _log.info(
            f"Collection cycle {cycle.outcome}",
            cycle_id=cycle.id,
            source=cycle.source,
            posts=cycle.posts,
            comments=cycle.comments,
            new=cycle.new,
            gaps=cycle.gaps,
            rejected=tally.rejected,
            failed_subreddits=len(cycle.failures),
            failed=",".join(f"{failure.subreddit}:{failure.cause}" for failure in cycle.failures) or "none",
            duration_s=round(duration_s, 3),
            memory_delta_mb=cycle.memory_delta_mb,
        )


class _Tally:
    """What a cycle has seen so far."""

    def __init__(self) -> None:
        self.posts = 0
        self.comments = 0
        self.new = 0
        self.with_gap: set[str] = set()
        self.rejected = 0
        self.failures: list[SubredditFailure] = []

    def add(self, stream: str, page: Page, new: int) -> None:
        posts = sum(item.kind == "post" for item in page.items)
        self.posts += posts
        self.comments += len(page.items) - posts
        self.new += new
        if page.gap:
            self.with_gap.add(stream)
        self.rejected += page.rejected_count


def _outcome(streams: int, failed: int) -> Outcome:
    return "failed" if streams == 0 or failed * 2 > streams else "succeeded"


def _new_cycle_id() -> str:
    return uuid.uuid4().hex[:12]


def _rss_bytes() -> int:
    return int(psutil.Process().memory_info().rss)


def main() -> None:
    """Run the process ``collector``."""
    sys.exit(run("collector", Collector))
