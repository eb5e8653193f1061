"""The analyzer: scores the sentiment of what the collector sends, and stores it.

    batches -> one group -> texts by the rules -> scores, off the loop -> one transaction -> Ack

An acknowledgement leaves after the transaction that holds the batch. With the store away nothing is
acknowledged and nothing more is taken; with the process killed, the sender sends again, and the store
keeps each item once. A text that breaks the model is set aside with its error, and its batch goes on.
"""

from __future__ import annotations

import asyncio
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from agent.explaining import Explaining
from agent.retention import retain_every_hour
from agent.sentiment.choose import open_engine
from agent.sentiment.model_folder import is_hub_name
from agent.sentiment.remembering import Remembering
from agent.sentiment.scoring import score_items
from agent.store.choose import open_writer
from ipc import logs
from ipc.channel import Connection, Door
from ipc.delivery import WINDOW
from ipc.errors import ModelError, SettingsError, StoreUnavailable, WireError
from ipc.life import Pulse, run
from ipc.messages import Ack, AnyMessage, Batch, Explain

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from types import TracebackType

    from agent.records import Scored, SetAside
    from agent.sentiment.engine import Engine
    from agent.store.protocol import Writing
    from ipc.messages import Cycle, Item
    from ipc.settings import AnalyzerSettings, Settings

_log = logs.log(__name__)

T = TypeVar("T")

#: Batches that are scored and committed together at most: enough to sort texts by length, and to make the
#: disk's wait for one commit small beside the scoring. Chosen.
GROUP_BATCHES: Final = WINDOW
#: Batches that wait here: a window of each of four connections. One sender never fills it; beyond it the door
#: stops reading (the backpressure of this boundary).
WAITING_BATCHES: Final = 4 * WINDOW
#: A group is scored within this and ITEM_DEADLINE_S an item, or the model is stuck: a long post takes about
#: 0.06 s on one core (docs/model.md), and this allows for eight times that.
GROUP_DEADLINE_S: Final = 30.0
ITEM_DEADLINE_S: Final = 0.5
#: Between two tries of a store that is away.
STORE_RETRY_S: Final = 2.0


class Analyzer:
    """The service that :mod:`ipc.life` runs as the process ``analyzer``."""

    def __init__(self, settings: Settings, pulse: Pulse, load: Callable[[], Engine] | None = None) -> None:
        self._pulse = pulse
        self._load = load or (lambda: _load(settings.analyzer))
        self._settings = settings
        self._door = Door(settings.folders.socket("analyzer"), (Batch, Explain), self._on_message)
        self._waiting: asyncio.Queue[tuple[Connection, Batch]] = asyncio.Queue(WAITING_BATCHES)
        # The model is used from this one thread, so that beats go on while it works.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Open the store (so that readers find it at once), load the model, then open the door.

        Raises:
            ModelError: the model can't be loaded.
            SettingsError: the model's files are not there, or not whole; or the database is not ours, or was made by
                a newer version.

        """
        async with AsyncExitStack() as opening:
            self._store = await self._open_store(opening)
            opening.callback(self._thread.shutdown, wait=False, cancel_futures=True)
            with self._pulse.waiting("model"):
                began_s = time.monotonic()
                self._engine = await asyncio.get_running_loop().run_in_executor(self._thread, self._load)
            _log.info("Model loaded", model=self._engine.name, after_s=round(time.monotonic() - began_s, 2))
            self._pulse.facts["model"] = self._engine.name
            self._explaining = Explaining(self._engine, self._thread)
            await opening.enter_async_context(self._door)
            self._open = opening.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close in reverse order."""
        await self._open.__aexit__(kind, error, trace)

    async def _open_store(self, opening: AsyncExitStack) -> Writing:
        """Open the store, trying again for as long as it is away."""
        while True:
            try:
                return await opening.enter_async_context(open_writer(self._settings))
            except StoreUnavailable as error:
                await self._wait_for_store(error)

    async def work(self, stop: asyncio.Event) -> None:
        """Score group after group until ``stop``; the group in hand is finished and acknowledged first."""
        async with asyncio.TaskGroup() as tasks:
            retention = tasks.create_task(
                retain_every_hour(self._store, self._settings.store.data_retention_days), name="retention"
            )
            await self._score_groups(stop)
            retention.cancel()

    async def _score_groups(self, stop: asyncio.Event) -> None:
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            while not stop.is_set():
                group = await self._next_group(stopping)
                if group:
                    with self._pulse.intake.in_hand():
                        await self._settle(group)
        finally:
            stopping.cancel()

    async def _on_message(self, connection: Connection, message: AnyMessage) -> None:
        if isinstance(message, Explain):
            await connection.send(await self._explaining.answer(message))
            return
        assert isinstance(message, Batch)  # noqa: S101 - the door takes nothing else
        await self._waiting.put((connection, message))
        self._pulse.gauges["waiting_batches"] = self._waiting.qsize()

    async def _next_group(self, stopping: asyncio.Task[bool]) -> list[tuple[Connection, Batch]]:
        """Wait for a batch and take those that wait with it; an empty list when it is time to stop."""
        with self._pulse.waiting("items"):
            first = await _unless(stopping, self._waiting.get())
        # Not taken before the intake is open: it is not acknowledged, and the sender has it still.
        while first and self._pulse.intake.closed:
            with self._pulse.waiting("intake"):
                if not await _unless(stopping, self._pulse.intake.opened()):
                    return []
        if first is None:
            return []
        group = [first]
        while len(group) < GROUP_BATCHES and not self._waiting.empty():
            group.append(self._waiting.get_nowait())
        return group

    async def _settle(self, group: Sequence[tuple[Connection, Batch]]) -> None:
        """Score, store and acknowledge the batches of ``group``."""
        # By name and look: a later look at an item is another text, perhaps, and the store knows what to make of both.
        items = list({(item.name, item.collected_utc): item for _, batch in group for item in batch.items}.values())
        cycles = list({cycle.id: cycle for _, batch in group for cycle in batch.cycles}.values())
        began_s = time.monotonic()
        self._pulse.intake.items_in += len(items)
        with self._pulse.unit("batch", GROUP_DEADLINE_S + ITEM_DEADLINE_S * len(items)):
            scored, set_aside = await self._score(items)
        scored_s = time.monotonic()
        new = await self._write(scored, set_aside, cycles)
        self._pulse.intake.items_out += len(scored) + len(set_aside)
        stored_s = time.monotonic()
        await _acknowledge(group)
        self._tell(len(items), new, len(set_aside), scored_s - began_s, stored_s - scored_s)

    async def _score(self, items: Sequence[Item]) -> tuple[list[Scored], list[SetAside]]:
        loop = asyncio.get_running_loop()

        def progressed(texts: int) -> None:
            loop.call_soon_threadsafe(self._progressed, texts)

        scored, set_aside = await loop.run_in_executor(self._thread, score_items, self._engine, items, progressed)
        for failed in set_aside:
            # Only what comes before the colon, the error's type: its words may quote the text. The store has them.
            _log.error("Text set aside: it has no score", item=failed.item.name, error=failed.error.partition(":")[0])
        return scored, set_aside

    def _progressed(self, texts: int) -> None:
        self._pulse.progress += texts

    async def _write(self, scored: list[Scored], set_aside: list[SetAside], cycles: list[Cycle]) -> int:
        """Write until it is done. While the store is away nothing is acknowledged and nothing more is taken."""
        while True:
            try:
                return await self._store.write(scored, set_aside, cycles)
            except StoreUnavailable as error:
                await self._wait_for_store(error)

    async def _wait_for_store(self, error: StoreUnavailable) -> None:
        retry_s = error.retry_after_s or STORE_RETRY_S
        _log.error("Store away: nothing is acknowledged until it is back", error=str(error), retry_s=retry_s)
        with self._pulse.waiting("store"):
            await asyncio.sleep(retry_s)

    def _tell(self, items: int, new: int, set_aside: int, scoring_s: float, storing_s: float) -> None:
        gauges = self._pulse.gauges
        gauges |= {
            "scored": gauges.get("scored", 0) + items - set_aside,
            "set_aside": gauges.get("set_aside", 0) + set_aside,
            "last_batch_items": items,
            "last_batch_scoring_s": scoring_s,
            "waiting_batches": self._waiting.qsize(),
            **self._store.gauges(),
        }
        _log.info(
            "Batch stored",
            items=items,
            new=new,
            set_aside=set_aside,
            scoring_ms=round(scoring_s * 1000, 1),
            storing_ms=round(storing_s * 1000, 1),
        )


async def _unless(stopping: asyncio.Task[bool], waited_for: Coroutine[Any, Any, T]) -> T | None:
    """Return what ``waited_for`` brings; None when it is time to stop before that."""
    waiting = asyncio.ensure_future(waited_for)
    await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if waiting.done():
        return waiting.result()
    waiting.cancel()
    return None


async def _acknowledge(group: Sequence[tuple[Connection, Batch]]) -> None:
    """Tell each sender how far its batches are stored."""
    highest = {connection: batch.seq for connection, batch in group}
    for connection, seq in highest.items():
        try:
            await connection.send(Ack(seq=seq))
        except WireError as error:
            _log.warning("Acknowledgement not delivered: the sender will send again", reason=str(error))


def _load(settings: AnalyzerSettings) -> Engine:
    """Open the model that the settings name. What only the operator can mend ends the process at once, for good."""
    model, engine = settings.sentiment_model, settings.sentiment_engine
    try:
        return Remembering(open_engine(model, engine=engine, threads=settings.analyzer_threads))
    except ModelError as error:
        if engine == "flair" and is_hub_name(model):
            raise
        raise SettingsError(f"SENTIMENT_MODEL: {error}") from error


def main() -> None:
    """Run the process ``analyzer``."""
    sys.exit(run("analyzer", Analyzer))
