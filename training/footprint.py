"""Measure what the engine costs: seconds to load, texts a second, and resident memory over many mixed texts.

    HF_HUB_OFFLINE=1 python -m training.footprint --data FOLDER [--engine flair] [--texts 100000] [--model embedded]

The texts are GoEmotions' comments and whole posts, 100 a call as the analyzer hands them over; the watchdog's limits of
memory come from the plateau that is printed. The slope is that of a line through what was held after each call of the
second half. Run it on an otherwise quiet machine.
"""

import argparse
import importlib
import json
import platform
import random
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from agent.sentiment.engine import Engine
from agent.sentiment.rules import prepare

#: Texts a call, as the analyzer hands them over.
BATCH = 100
#: The share of whole posts in the mix, the others are comments. Chosen.
POST_SHARE = 0.15


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with goemotions/ and the posts")
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--engine", choices=["flair", "onnx"], default="flair", help="as the setting SENTIMENT_ENGINE")
    parser.add_argument("--model", default="embedded", help="as the setting SENTIMENT_MODEL")
    given = parser.parse_args()
    comments, posts = list(_comments(given.data)), list(_posts(given.data))
    print(f"{platform.machine()}, Python {platform.python_version()}, {rss_mb():.0f} MB before the import")
    started = time.perf_counter()
    load = importlib.import_module(f"agent.sentiment.{given.engine}_engine").load
    print(f"import {time.perf_counter() - started:.1f} s, {rss_mb():.0f} MB")
    started = time.perf_counter()
    engine = load(given.model)
    print(f"load {engine.name} {time.perf_counter() - started:.2f} s, {rss_mb():.0f} MB")
    for name, texts in (("comments", comments[:3000]), ("posts", posts[:300])):
        started = time.process_time()
        for start in range(0, len(texts), BATCH):
            engine.score(texts[start : start + BATCH])
        took_s = time.process_time() - started
        print(f"{name}: {len(texts) / took_s:.0f} a CPU second, {sum(map(len, texts)) / took_s / 1000:.0f}k characters")
    _mixed(engine, comments, posts, given.texts)


def _mixed(engine: Engine, comments: list[str], posts: list[str], texts: int) -> None:
    """Score so many mixed texts and print the memory on the way, then its slope over the second half."""
    rng = random.Random(1)  # noqa: S311 - the same mix each time
    held_mb: list[float] = []
    for done in range(BATCH, texts + 1, BATCH):
        engine.score([rng.choice(posts if rng.random() < POST_SHARE else comments) for _ in range(BATCH)])
        held_mb.append(rss_mb())
        if done % (texts // 10) == 0:
            print(f"after {done} mixed texts: {held_mb[-1]:.0f} MB now, {max(held_mb):.0f} MB at most", flush=True)
    half = held_mb[len(held_mb) // 2 :]
    slope = statistics.linear_regression(range(len(half)), half).slope * 10_000 / BATCH
    print(f"slope over the second half: {slope:+.2f} MB in 10,000 texts")


def rss_mb() -> float:
    """Return this process's resident memory in MiB."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096 / 2**20


def _comments(data: Path) -> Iterator[str]:
    for line in (data / "goemotions" / "dev.tsv").read_text(encoding="utf-8").rstrip("\n").split("\n"):
        if text := prepare("", line.split("\t")[0]).text:
            yield text


def _posts(data: Path) -> Iterator[str]:
    command = ["zstd", "-dcq", str(data / "reddit_posts_2013.ndjson.zst")]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    for line in raw.decode().rstrip("\n").split("\n"):
        post = json.loads(line)
        if post["selftext"] and (text := prepare(post["title"], post["selftext"]).text):
            yield text


if __name__ == "__main__":
    main()
