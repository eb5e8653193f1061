"""The control door, as the watchdog knocks at it: a process of its own, and the three services."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from typing import TYPE_CHECKING, Self

import psutil
import pytest
from fakes.examples import WordEngine, example_item, example_settings, living
from fakes.running_api import running_api

from agent.analyzer import Analyzer
from agent.collector import Collector
from agent.sources.protocol import Page
from ipc.channel import ask, connect
from ipc.control_door import ControlDoor
from ipc.intake import Intake
from ipc.life import Pulse
from ipc.messages import Ack, Batch, Drain, Drained, Relieve, Relieved

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from agent.sentiment.engine import Outcome


@pytest.fixture
def path(short_path: Path) -> Path:
    """Return where the door is."""
    return short_path / "control.sock"


async def test_garbage_that_only_a_collection_finds_is_given_back(path: Path) -> None:
    """Cycles of large objects, with the collector of garbage off: the resident set shrinks by them."""
    gc.disable()
    try:
        async with ControlDoor(path, Intake()):
            for _ in range(6):
                cycle: list[object] = [bytearray(b"x") * 10 * 1024 * 1024]
                cycle.append(cycle)
            del cycle
            answer = await ask(path, Relieve(deadline_s=2), 5)
    finally:
        gc.enable()
    assert isinstance(answer, Relieved)
    assert answer.before_mb is not None
    assert answer.after_mb is not None
    assert answer.before_mb - answer.after_mb > 50


async def test_a_relief_waits_for_the_unit_in_hand_and_no_longer_than_its_deadline(path: Path) -> None:
    """A unit that never ends delays it by half of the deadline; then work goes on."""
    intake = Intake()
    async with ControlDoor(path, intake), intake.unit():
        answer = await ask(path, Relieve(deadline_s=0.1), 5)
        assert isinstance(answer, Relieved)
        assert intake.closed is None


async def test_a_drained_process_that_is_not_stopped_goes_on(path: Path) -> None:
    """dask#5999, with whoever asked for the pause dead: nobody is left to end it.

    Whoever asked may be dead by now.
    """
    intake = Intake()
    async with ControlDoor(path, intake):
        assert await ask(path, Drain(deadline_s=0.05), 5) == Drained(items_in=0, items_out=0)
        assert intake.closed == "draining"
        async with asyncio.timeout(2):
            await intake.opened()


class Source:
    """A source of pages of two items, without end."""

    name = "sample"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    def streams(self) -> Sequence[str]:
        return ["aws"]

    async def read(self, _stream: str, _cursor: str | None) -> AsyncIterator[Page]:
        number = 0
        while True:
            number += 2
            await asyncio.sleep(0)
            yield Page(items=(example_item(number), example_item(number + 1)), cursor=str(number))


async def test_a_drained_collector_has_everything_on_disk_or_delivered(short_path: Path, path: Path) -> None:
    """In the midst of pages and acknowledgements: what was put in is there or has left, to the item."""
    settings, pulse = example_settings(short_path), Pulse("collector")
    taken = 0

    async with (
        living(Analyzer(settings, Pulse("analyzer"), WordEngine)),
        ControlDoor(path, pulse.intake),
        living(Collector(settings, pulse, Source())),
    ):
        async with asyncio.timeout(10):
            while pulse.intake.items_in < 300:
                await asyncio.sleep(0.01)
        answer = await ask(path, Drain(deadline_s=2), 5)
        assert isinstance(answer, Drained)
        taken = pulse.intake.items_in
        assert answer == Drained(items_in=taken, items_out=taken)
        assert taken >= 300
        await asyncio.sleep(0.05)
        assert pulse.intake.items_in == taken, "a drained collector reads nothing more"
        pulse.intake.open()
        async with asyncio.timeout(10):
            while pulse.intake.items_in == taken:
                await asyncio.sleep(0.01)


class SlowEngine(WordEngine):
    """An engine that takes 0.2 s for a group."""

    def score(self, texts: Sequence[str], on_progress: object = None) -> list[Outcome]:
        import time  # noqa: PLC0415 - only here

        del on_progress
        time.sleep(0.2)
        return super().score(texts)


async def test_a_drained_analyzer_has_stored_what_it_took_and_takes_nothing_more(short_path: Path, path: Path) -> None:
    """The batch in hand is acknowledged before the answer; the next one waits, unacknowledged, with its sender."""
    settings, pulse = example_settings(short_path), Pulse("analyzer")
    async with living(Analyzer(settings, pulse, SlowEngine)), ControlDoor(path, pulse.intake):
        sender = await connect(settings.folders.socket("analyzer"))
        acknowledged = sender.messages()
        await sender.send(Batch(seq=1, items=(example_item(1), example_item(2, title="poison"))))
        async with asyncio.timeout(5):
            while not pulse.intake.items_in:
                await asyncio.sleep(0.005)
        assert await ask(path, Drain(deadline_s=0.4), 5) == Drained(items_in=2, items_out=2)
        assert await anext(acknowledged) == Ack(seq=1)
        await sender.send(Batch(seq=2, items=(example_item(3),)))
        assert await ask(path, Drain(deadline_s=0.2), 5) == Drained(items_in=2, items_out=2)
        assert await anext(acknowledged) == Ack(seq=2), "not stopped, it goes on"
        await sender.close()


async def test_a_drained_analyzer_stops_at_once(short_path: Path) -> None:
    """A stop must not wait for the opening of the intake."""
    pulse = Pulse("analyzer")
    async with asyncio.timeout(3), living(Analyzer(example_settings(short_path), pulse, WordEngine)):
        pulse.intake.close("draining", 60)
        sender = await connect(short_path / "run" / "analyzer.sock")
        await sender.send(Batch(seq=1, items=(example_item(1),)))
        await asyncio.sleep(0.05)
        await sender.close()


async def test_a_drained_api_answers_that_it_restarts(short_path: Path) -> None:
    """Nobody waits for an answer that does not come; what was answered before is counted."""
    async with running_api(short_path) as api:
        await api.store()
        await api.get("/subreddits")
        intake = api.pulse.intake
        assert (intake.items_in, intake.items_out) == (1, 1)
        intake.close("draining", 60)
        refused = await api.ask("GET", "/api/v1/subreddits")
        assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
        assert (await refused.json())["error"] == "restarting"
        intake.open()
        await api.get("/subreddits")


async def test_every_process_serves_it_and_tells_in_its_beat(short_path: Path) -> None:
    """The life that all of them live opens the door beside the process's own, and closes it."""
    run = short_path / "run"
    code = "import sys; sys.path[:0] = [sys.argv[1]]\nfrom fakes.victim import main\nsys.exit(main('api', sys.argv[2]))"
    tests = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120 - a word for a command line
    command = [sys.executable, "-c", code, tests, str(short_path)]
    child = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, "SENTIMENTAGENT_HOME": str(short_path)}, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(10):
            while not (run / "api-control.sock").exists():
                await asyncio.sleep(0.02)
        assert isinstance(await ask(run / "api-control.sock", Relieve(deadline_s=1), 5), Relieved)
        assert psutil.Process(child.pid).is_running()
        child.send_signal(signal.SIGTERM)
        assert await child.wait() == 0
        assert not (run / "api-control.sock").exists()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


def test_a_beat_tells_that_the_intake_is_closed() -> None:
    """Paused and draining are states of a process that is ready, and of no other."""
    pulse = Pulse("api")
    pulse.intake.closed = "paused"
    assert pulse.beat(0).state == "starting"
    pulse.state = "ready"
    assert pulse.beat(0).state == "paused"
    pulse.intake.closed = "draining"
    assert pulse.beat(0).state == "draining"
