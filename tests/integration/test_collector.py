from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

import pytest
from fakes.examples import example_item, example_settings, living
from fakes.limits import files_of_at_most
from msgspec.structs import replace

from agent.collector import Collector
from agent.sources.protocol import Page
from ipc.channel import Connection, Door, ask
from ipc.errors import SourceUnavailable
from ipc.life import Pulse
from ipc.messages import Ack, AnyMessage, Batch, Collect, Cycle, CycleRunning, CycleStarted, Item

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path


class ListSource:
    """A source whose streams are lists of pages, or an error; the cursor counts the pages that were read."""

    name = "sample"

    def __init__(self, **streams: list[tuple[Item, ...]] | Exception) -> None:
        self.contents = streams
        self.gate = asyncio.Event()
        self.gate.set()
        self.reads = 0
        self.looks: list[list[str]] = []
        self.look_error: SourceUnavailable | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    def streams(self) -> Sequence[str]:
        return list(self.contents)

    async def read(self, stream: str, cursor: str | None) -> AsyncIterator[Page]:
        self.reads += 1
        content = self.contents[stream]
        if isinstance(content, Exception):
            raise content
        await self.gate.wait()
        for number in range(int(cursor or 0), len(content)):
            yield Page(items=content[number], cursor=str(number + 1))

    async def look_again(self, items: Sequence[Item]) -> Page:
        self.looks.append([item.name for item in items])
        if self.look_error:
            raise self.look_error
        return Page(items=tuple(replace(item, upvotes=99, collected_utc=item.collected_utc + 9999) for item in items))


class Analyzer:
    """The far end: acknowledges, and keeps what it was given."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.items: list[Item] = []
        self.cycles: list[Cycle] = []
        self.changed = asyncio.Condition()

    async def take(self, connection: Connection, message: AnyMessage) -> None:
        assert isinstance(message, Batch)
        async with self.changed:
            self.items += message.items
            self.cycles += message.cycles
            self.changed.notify_all()
        await connection.send(Ack(seq=message.seq))

    def door(self) -> Door:
        return Door(self.path, Batch, self.take)

    async def wait_for_cycles(self, count: int) -> None:
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(lambda: len(self.cycles) >= count)


@pytest.fixture
def analyzer(short_path: Path) -> Analyzer:
    """Return a far end at the analyzer's door."""
    return Analyzer(short_path / "run" / "analyzer.sock")


def items(*numbers: int) -> tuple[Item, ...]:
    """Return a page's items."""
    return tuple(example_item(number) for number in numbers)


async def test_a_cycle_runs_at_start_and_everything_arrives_once(short_path: Path, analyzer: Analyzer) -> None:
    """Items of all streams, and the record of the cycle behind them."""
    source = ListSource(aws=[items(1, 2), items(3)], claude=[items(4)])
    pulse = Pulse("collector")
    async with analyzer.door(), living(Collector(example_settings(short_path), pulse, source)):
        await analyzer.wait_for_cycles(1)
    assert [item.name for item in analyzer.items] == ["t3_1", "t3_2", "t3_3", "t3_4"]
    (cycle,) = analyzer.cycles
    assert (cycle.outcome, cycle.posts, cycle.comments, cycle.new) == ("succeeded", 4, 0, 4)
    assert pulse.gauges["outbox_max_items"] == 200_000
    assert pulse.facts["source"] == "sample"


async def test_one_failing_stream_fails_alone_and_by_name(short_path: Path, analyzer: Analyzer) -> None:
    """The others are read; the cycle succeeds and says what is missing."""
    source = ListSource(
        aws=[items(1)],
        banned=SourceUnavailable("r/banned is banned", "not_found"),
        odd=KeyError("surprise\u202e" + "!" * 10_000),
        claude=[items(2)],
        artificial=[items(3)],
    )
    async with analyzer.door(), living(Collector(example_settings(short_path), Pulse("collector"), source)):
        await analyzer.wait_for_cycles(1)
    assert [item.name for item in analyzer.items] == ["t3_1", "t3_2", "t3_3"]
    (cycle,) = analyzer.cycles
    assert cycle.outcome == "succeeded"
    assert [(failure.subreddit, failure.cause) for failure in cycle.failures] == [
        ("banned", "not_found"),
        ("odd", "unexpected"),
    ]
    assert cycle.failures[1].detail.startswith("KeyError: 'surprise\\u202e!!!")
    assert len(cycle.failures[1].detail) < 400


@pytest.mark.parametrize(("failing", "outcome"), [(0, "succeeded"), (1, "succeeded"), (2, "failed"), (3, "failed")])
async def test_a_cycle_fails_when_more_than_half_of_its_streams_do(
    short_path: Path, analyzer: Analyzer, failing: int, outcome: str
) -> None:
    """The rule that is written down in the module."""
    error = SourceUnavailable("slow down", "rate_limited")
    source = ListSource(**{f"r{number}": error if number < failing else [] for number in range(3)})
    async with analyzer.door(), living(Collector(example_settings(short_path), Pulse("collector"), source)):
        await analyzer.wait_for_cycles(1)
    assert analyzer.cycles[0].outcome == outcome


async def test_collect_starts_a_cycle_now_and_never_a_second_one(short_path: Path, analyzer: Analyzer) -> None:
    """While one runs, the answer names it."""
    source = ListSource(aws=[items(1)])
    door = short_path / "run" / "collector.sock"
    async with analyzer.door(), living(Collector(example_settings(short_path), Pulse("collector"), source)):
        await analyzer.wait_for_cycles(1)
        source.gate.clear()
        started = await ask(door, Collect(), 1)
        running = await ask(door, Collect(), 1)
        source.gate.set()
        await analyzer.wait_for_cycles(2)
    assert isinstance(started, CycleStarted)
    assert running == CycleRunning(cycle_id=started.cycle_id)
    assert [cycle.id for cycle in analyzer.cycles][1:] == [started.cycle_id]
    assert source.reads == 2


async def test_a_full_disk_is_waited_for_and_nothing_is_lost(short_path: Path, analyzer: Analyzer) -> None:
    """The page in hand is kept, the beat says what is waited for, and all of it arrives when there is room."""
    source = ListSource(aws=[items(*range(1, 500))])
    source.gate.clear()
    pulse = Pulse("collector")
    async with living(Collector(example_settings(short_path), pulse, source)):
        async with asyncio.timeout(5):
            while source.reads == 0:
                await asyncio.sleep(0.01)
        with files_of_at_most(32 * 1024):
            source.gate.set()
            async with asyncio.timeout(5):
                while pulse.waiting_for != "disk":
                    await asyncio.sleep(0.01)
        async with analyzer.door():
            await analyzer.wait_for_cycles(1)
    assert {item.name for item in analyzer.items} == {f"t3_{number}" for number in range(1, 500)}
    assert analyzer.cycles[0].failures == ()


async def test_with_the_analyzer_away_nothing_is_lost_over_a_restart(short_path: Path, analyzer: Analyzer) -> None:
    """The outbox holds what was collected; the next life delivers it and reads the source from its cursor."""
    source = ListSource(aws=[items(1, 2), items(3)])
    collector = Collector(example_settings(short_path), Pulse("collector"), source)
    pulse = Pulse("collector")
    async with living(collector):
        async with asyncio.timeout(5):
            while collector._cycle_id is not None or source.reads == 0:
                await asyncio.sleep(0.01)
    source.contents = {"aws": [items(1, 2), items(3), items(4)]}
    async with analyzer.door(), living(Collector(example_settings(short_path), pulse, source)):
        await analyzer.wait_for_cycles(2)
        async with asyncio.timeout(5):
            while pulse.gauges["outbox_items"]:
                await asyncio.sleep(0.01)
    assert [item.name for item in analyzer.items] == ["t3_1", "t3_2", "t3_3", "t3_4"]
    assert [cycle.new for cycle in analyzer.cycles] == [3, 1]


async def test_a_full_outbox_stops_reading_and_says_so(short_path: Path, analyzer: Analyzer) -> None:
    """With the analyzer away for long: bounded on disk, and the beat names what is waited for."""
    source = ListSource(aws=[items(1, 2), items(3, 4), items(5, 6)])
    pulse = Pulse("collector")
    settings = example_settings(short_path, OUTBOX_MAX_ITEMS="3")
    async with living(Collector(settings, pulse, source)):
        async with asyncio.timeout(5):
            while pulse.waiting_for != "outbox" or pulse.gauges["outbox_items"] != 2:
                await asyncio.sleep(0.01)
        async with analyzer.door():
            await analyzer.wait_for_cycles(1)
    assert [item.name for item in analyzer.items] == [f"t3_{number}" for number in range(1, 7)]
