"""How much of the model's own speed is left when the analyzer scores, for both engines, in one run.

    HF_HUB_OFFLINE=1 python benchmarks/bench_scoring.py [--texts 1000] [--data FOLDER]

Measured on the same texts: the way from decoded items to scores (rules, tokens, batches, merging); the bare forward
pass of the same weights over rows of the same texts that were tokenised and sorted by length before the clock starts,
in batches of 32; and flair's own `predict` with its defaults. Each round runs every way once, so that a busy neighbour
slows all of them, and the median of the ratios within a round is told. Nothing is remembered from round to round.
Without --data the texts are the project's sample data.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import torch
from flair.data import Sentence

from agent.sentiment import flair_engine, onnx_engine
from agent.sentiment.rules import prepare
from agent.sentiment.scoring import score_items
from agent.sources import sample
from ipc.messages import Item

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.sentiment.engine import Engine
    from agent.sentiment.piecewise import PiecewiseEngine

#: Rows of a batch in the bare forward pass, and in flair's predict by default.
BARE_ROWS: Final = 32


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with goemotions/dev.tsv: real comments")
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    items = chosen(given.data, given.texts)
    texts = [text for item in items if (text := prepare(item.title, item.content).text) is not None]
    torch.set_num_threads(1)
    flair, onnx = flair_engine.load("embedded"), onnx_engine.load("embedded")
    ways: dict[str, Callable[[], None]] = {
        "flair, items to scores": scoring(flair, items),
        "flair, bare forward pass": bare(flair, texts),
        "flair, its own predict": predicting(texts, torch.float32),
        "flair, predict in bfloat16": predicting(texts, torch.bfloat16),
        "onnx, items to scores": scoring(onnx, items),
        "onnx, bare forward pass": bare(onnx, texts),
    }
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"Python {platform.python_version()}"
    )
    print(f"torch {torch.__version__}, one thread each; {flair.name}, {onnx.name}")
    words = statistics.mean(len(text.split()) for text in texts)
    print(f"{len(items)} items of {words:.0f} words, {given.rounds} rounds; texts a second of CPU, median:")
    report(ways, len(items), given.rounds)


def chosen(data: Path | None, count: int) -> list[Item]:
    """Return that many items, the same ones each time."""
    if data is None:
        rows = sample.rows()
        found = [
            (rows[number % len(rows)].title, f"{rows[number % len(rows)].content} {number}") for number in range(count)
        ]
    else:
        lines = (data / "goemotions" / "dev.tsv").read_text(encoding="utf-8").rstrip("\n").split("\n")
        found = [("", line.split("\t")[0]) for line in random.Random(1).sample(lines, count)]  # noqa: S311 - the same
    return [
        Item(
            name=f"t1_{number}",
            subreddit="bench",
            author="",
            title=title,
            content=content,
            url="",
            created_utc=0,
            collected_utc=0,
            source="archive",
        )
        for number, (title, content) in enumerate(found)
    ]


def scoring(engine: Engine, items: Sequence[Item]) -> Callable[[], None]:
    """The analyzer's way: rules, tokens, batches, the model, merging."""

    def run() -> None:
        scored, set_aside = score_items(engine, items, lambda _: None)
        if set_aside or len(scored) != len(items):
            raise SystemExit(f"{len(set_aside)} texts were set aside")

    return run


def bare(engine: Engine, texts: Sequence[str]) -> Callable[[], None]:
    """Nothing but the model, over rows that were made before the clock starts."""
    model = cast("PiecewiseEngine", engine).model
    rows = sorted(model.rows(texts), key=len)
    batches = [rows[start : start + BARE_ROWS] for start in range(0, len(rows), BARE_ROWS)]

    def run() -> None:
        for batch in batches:
            model.run(batch)

    return run


def predicting(texts: Sequence[str], kind: torch.dtype) -> Callable[[], None]:
    """What flair's documentation shows: sentences, then predict with its defaults. It loads in float32 itself."""
    model = cast("PiecewiseEngine", flair_engine.load("embedded")).model
    classifier = cast("flair_engine.EmbeddedModel", model).classifier.to(kind)

    def run() -> None:
        classifier.predict([Sentence(text) for text in texts])

    return run


def report(ways: dict[str, Callable[[], None]], count: int, rounds: int) -> None:
    """Run every way once in each round, then print its speed and the ratios within a round."""
    took_s: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, run in ways.items():
            started = time.process_time()
            run()
            if number:  # the first round warms up
                took_s[name].append(time.process_time() - started)
    for name, times in took_s.items():
        print(f"  {name:28}{count / statistics.median(times):8.0f}")
    for one, other in (
        ("flair, items to scores", "flair, bare forward pass"),
        ("flair, items to scores", "flair, its own predict"),
        ("flair, items to scores", "flair, predict in bfloat16"),
        ("onnx, items to scores", "onnx, bare forward pass"),
        ("onnx, items to scores", "flair, items to scores"),
    ):
        ratios = [b / a for a, b in zip(took_s[one], took_s[other], strict=True)]
        print(f"{one} / {other}: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
