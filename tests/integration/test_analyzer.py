from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

import pytest
import structlog
from fakes.examples import WordEngine, example_item, example_settings, living
from fakes.stored import scored
from msgspec.structs import replace

from agent.analyzer import Analyzer
from agent.explaining import DEADLINE_S, MAX_WAITING
from agent.store.choose import open_reader, open_writer
from ipc.channel import ask, connect
from ipc.errors import ModelError
from ipc.life import Pulse
from ipc.messages import Ack, Batch, Cycle, Explain, Explained

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from agent.records import Scored
    from agent.sentiment.engine import Engine, Outcome


async def stored(home: Path, name: str) -> Scored | None:
    """Return what the store holds of an item."""
    async with open_reader(example_settings(home)) as store:
        return await store.item(name)


def door(home: Path) -> Path:
    """Return where the analyzer answers."""
    return home / "run" / "analyzer.sock"


async def test_what_is_acknowledged_is_stored_with_its_score(short_path: Path) -> None:
    """Whoever holds the acknowledgement can read the item back, from another connection, at once."""
    pulse = Pulse("analyzer")
    async with living(Analyzer(example_settings(short_path), pulse, WordEngine)):
        batch = Batch(seq=3, items=(example_item(1, title="I love it"), example_item(2, title="I hate it")))
        assert await ask(door(short_path), batch, 5) == Ack(seq=3)
        first, second = await stored(short_path, "t3_1"), await stored(short_path, "t3_2")
    assert first is not None
    assert second is not None
    assert (first.score.sentiment, first.score.model) == ("positive", "words")
    assert first.score.compound == pytest.approx(0.7)
    assert second.score.sentiment == "negative"
    assert pulse.gauges["scored"] == 2
    assert pulse.progress >= 3


async def test_title_and_body_are_judged_together(short_path: Path) -> None:
    """A neutral title over a clear text takes the text's sentiment."""
    engine = WordEngine()
    async with living(Analyzer(example_settings(short_path), Pulse("analyzer"), lambda: engine)):
        batch = Batch(seq=1, items=(example_item(1, title="About the editor", content="I love it"),))
        await ask(door(short_path), batch, 5)
    (text,) = engine.texts
    assert "About the editor" in text
    assert "I love it" in text


async def test_a_text_that_breaks_the_model_is_set_aside_and_its_batch_goes_on(short_path: Path) -> None:
    """It is kept with its error; its neighbours are scored; the batch is acknowledged."""
    async with living(Analyzer(example_settings(short_path), Pulse("analyzer"), WordEngine)):
        batch = Batch(seq=1, items=(example_item(1), example_item(2, title="poison"), example_item(3)))
        assert await ask(door(short_path), batch, 5) == Ack(seq=1)
        async with open_reader(example_settings(short_path)) as store:
            contents = await store.contents()
    assert (contents.items, contents.set_aside) == (2, 1)


async def test_a_batch_that_comes_again_counts_once(short_path: Path) -> None:
    """After a reconnect the sender repeats what was not acknowledged; totals must not move."""
    batch = Batch(seq=1, items=(example_item(1), example_item(2)))
    async with living(Analyzer(example_settings(short_path), Pulse("analyzer"), WordEngine)):
        for _ in range(3):
            assert await ask(door(short_path), batch, 5) == Ack(seq=1)
        async with open_reader(example_settings(short_path)) as store:
            totals = await store.totals(None, 0, 2_000_000_000)
    assert totals.total == 2


async def test_an_older_look_in_the_same_group_does_not_undo_a_later_one(short_path: Path) -> None:
    """A batch that is sent again after a reconnect may meet what has overtaken it: the store gets both, and decides."""
    first = example_item(1, title="I love it")
    edited = replace(first, title="I hate it", collected_utc=first.collected_utc + 60)
    async with living(Analyzer(example_settings(short_path), Pulse("analyzer"), WordEngine)):
        await ask(door(short_path), Batch(seq=1, items=(edited, first)), 5)
        held = await stored(short_path, "t3_1")
    assert held is not None
    assert (held.item.title, held.score.sentiment) == ("I hate it", "negative")


async def test_what_is_too_old_is_removed_at_the_start_and_stays_counted(short_path: Path) -> None:
    """The analyzer is the only one that writes, so it is the one that removes; and it tells how many."""
    settings = example_settings(short_path, DATA_RETENTION_DAYS="30")
    now_utc = int(time.time())
    old = replace(example_item(1), created_utc=now_utc - 31 * 86_400)
    kept = replace(example_item(2), created_utc=now_utc - 29 * 86_400)
    async with open_writer(settings) as writer:
        await writer.write([scored(old), scored(kept)], [], [])
    with structlog.testing.capture_logs() as events:
        async with living(Analyzer(settings, Pulse("analyzer"), WordEngine)), asyncio.timeout(5):
            while not any(event["event"] == "Retention" for event in events):
                await asyncio.sleep(0.01)
    assert [event["removed"] for event in events if event["event"] == "Retention"] == [1]
    assert await stored(short_path, "t3_1") is None
    assert await stored(short_path, "t3_2") is not None
    async with open_reader(settings) as reader:
        assert (await reader.totals(None, 0, now_utc)).total == 2


async def test_cycles_are_recorded(short_path: Path) -> None:
    """They come with the batches, and health reads them."""
    cycle = Cycle(
        id="c1",
        source="sample",
        started_utc=time.time() - 10,
        finished_utc=time.time(),
        outcome="failed",
        posts=0,
        comments=0,
        new=0,
        memory_delta_mb=0.0,
    )
    async with living(Analyzer(example_settings(short_path), Pulse("analyzer"), WordEngine)):
        await ask(door(short_path), Batch(seq=1, items=(), cycles=(cycle,)), 5)
        async with open_reader(example_settings(short_path)) as store:
            collections = await store.collections(time.time())
    assert (collections.succeeded, collections.failed, collections.failed_last_hour) == (0, 1, 1)


async def test_a_window_of_batches_is_acknowledged_cumulatively_and_in_order(short_path: Path) -> None:
    """Batches that wait together are one group: one transaction, one acknowledgement."""
    async with living(Analyzer(example_settings(short_path), Pulse("analyzer"), WordEngine)):
        connection = await connect(door(short_path))
        for seq in range(1, 31):
            await connection.send(Batch(seq=seq, items=(example_item(seq),)))
        acks = []
        async with asyncio.timeout(5):
            async for message in connection.messages():
                assert isinstance(message, Ack)
                acks.append(message.seq)
                if message.seq == 30:
                    break
        await connection.close()
    assert acks == sorted(acks)
    assert len(acks) <= 30


async def test_a_stop_finishes_and_acknowledges_the_group_in_hand(short_path: Path) -> None:
    """Work that was begun is not thrown away, within the grace."""
    begun = threading.Event()

    class SlowEngine(WordEngine):
        def score(self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None) -> list[Outcome]:
            begun.set()
            time.sleep(0.3)  # a model works in its thread for that long
            return super().score(texts, on_progress)

    async with living(Analyzer(example_settings(short_path), Pulse("analyzer"), SlowEngine)) as stop:
        connection = await connect(door(short_path))
        await connection.send(Batch(seq=1, items=(example_item(1),)))
        await asyncio.to_thread(begun.wait, 5)
        stop.set()
        async with asyncio.timeout(5):
            assert await anext(connection.messages()) == Ack(seq=1)
        await connection.close()
    assert await stored(short_path, "t3_1") is not None


async def test_a_model_that_cannot_be_loaded_ends_the_start_in_its_words(short_path: Path) -> None:
    """And opens no door: nobody sends to an analyzer that can't score."""

    def broken() -> Engine:
        raise ModelError("the model is truncated")

    with pytest.raises(ModelError, match="truncated"):
        async with Analyzer(example_settings(short_path), Pulse("analyzer"), broken):
            pass
    assert not door(short_path).exists()


async def explained(home: Path, title: str, content: str = "") -> Explained:
    """Ask for the words behind a verdict."""
    answer = await ask(door(home), Explain(title=title, content=content), 5)
    assert isinstance(answer, Explained)
    return answer


async def test_the_words_behind_a_verdict_are_told_and_nothing_is_stored(short_path: Path) -> None:
    """From the same rules and the same model as a batch's."""
    async with living(Analyzer(example_settings(short_path), Pulse("analyzer"), WordEngine)):
        answer = await explained(short_path, "I love it")
        async with open_reader(example_settings(short_path)) as store:
            contents = await store.contents()
    assert answer.reason is None
    found = answer.explanation
    assert found is not None
    assert (found.sentiment, found.rule, found.model, found.is_whole) == ("positive", "title_only", "words", True)
    assert found.words[0].word == "love"
    assert found.words[0].effect == pytest.approx(0.6)
    assert contents.items == 0


async def test_a_text_without_words_is_explained_by_its_rule(short_path: Path) -> None:
    """What was deleted has a verdict by rule, and no word drove it."""
    async with living(Analyzer(example_settings(short_path), Pulse("analyzer"), WordEngine)):
        answer = await explained(short_path, "", "[deleted]")
    assert answer.explanation is not None
    assert (answer.explanation.rule, answer.explanation.confidence, answer.explanation.words) == ("gone", 0.0, ())


async def test_a_text_that_breaks_the_model_is_a_reason_without_its_words(short_path: Path) -> None:
    """The error's type alone: its words may quote the text."""
    async with living(Analyzer(example_settings(short_path), Pulse("analyzer"), WordEngine)):
        answer = await explained(short_path, "poison")
    assert answer == Explained(explanation=None, reason="The model failed on this text: ValueError.")


class HeldEngine(WordEngine):
    """Scores nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.began = threading.Event()
        self.let_go = threading.Event()

    def score(self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None) -> list[Outcome]:
        self.began.set()
        assert self.let_go.wait(20)
        return super().score(texts, on_progress)


async def test_an_explanation_waits_for_no_batch_longer_than_a_moment(short_path: Path) -> None:
    """While the model scores, the question is told that, in time; the batch is stored as if nobody had asked."""
    engine = HeldEngine()
    async with living(Analyzer(example_settings(short_path), Pulse("analyzer"), lambda: engine)):
        batch = asyncio.create_task(ask(door(short_path), Batch(seq=1, items=(example_item(1),)), 20))
        assert await asyncio.to_thread(engine.began.wait, 5)
        began_s = time.monotonic()
        answers = await asyncio.gather(*(explained(short_path, "I love it") for _ in range(MAX_WAITING + 1)))
        took_s = time.monotonic() - began_s
        engine.let_go.set()
        assert await batch == Ack(seq=1)
        later = await explained(short_path, "I love it")
    reasons = sorted(answer.reason or "" for answer in answers)
    assert [reason.split()[0] for reason in reasons] == ["The"] * MAX_WAITING + ["Too"]
    assert took_s < DEADLINE_S + 1
    assert later.explanation is not None
