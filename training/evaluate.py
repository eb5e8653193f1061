"""Measure a model on labelled texts, with VADER beside it on the same texts in the same run.

    HF_HUB_OFFLINE=1 python -m training.evaluate FILE [--model embedded] [--threads 1]

FILE has a text a line: `label TAB text`, with the label positive, neutral or negative; or GoEmotions' own format (text,
indices, id), when its labels.txt stands beside it. Each text goes the service's way: rules, then engine.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.sentiment.engine import SENTIMENTS, TextFailure
from agent.sentiment.rules import prepare
from training.data import group

#: How many bins of confidence the calibration error is counted in: the usual 15.
BINS = 15


@dataclass(frozen=True, slots=True)
class Answer:
    """What one judge said of one text."""

    sentiment: str
    confidence: float


def read(file: Path) -> list[tuple[str, str]]:
    """Return (label, text) of every line that has one of the three labels, by the grouping rule for GoEmotions."""
    lines = [line.split("\t") for line in file.read_text(encoding="utf-8").rstrip("\n").split("\n")]
    if lines[0][0] in SENTIMENTS:
        return [(label, text) for label, text in lines]
    names = (file.parent / "labels.txt").read_text(encoding="utf-8").split()
    found = [(group({names[int(index)] for index in indices.split(",")}), text) for text, indices, *_ in lines]
    return [(SENTIMENTS[label], text) for label, text in found if label is not None]


def by_model(model: str, texts: Sequence[str], threads: int) -> tuple[str, list[Answer], float]:
    """Return the model's name, its answers and texts a second (rules, tokens and scoring; loading is not counted)."""
    from agent.sentiment import flair_engine  # noqa: PLC0415 - takes seconds; --help should not

    engine = flair_engine.load(model, threads=threads)
    started = time.perf_counter()
    prepared = [prepare("", text) for text in texts]
    outcomes = iter(engine.score([one.text for one in prepared if one.text is not None]))
    answers = []
    for one in prepared:
        outcome = one.fixed or next(outcomes)
        if isinstance(outcome, TextFailure):
            raise SystemExit(outcome.error)
        answers.append(Answer(outcome.sentiment, outcome.confidence))
    return engine.name, answers, len(texts) / (time.perf_counter() - started)


def by_vader(texts: Sequence[str]) -> tuple[list[Answer], float] | None:
    """Return VADER's answers by its authors' thresholds of 0.05, and texts a second; None where it is missing."""
    try:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer  # noqa: PLC0415
    except ImportError:
        return None
    vader = SentimentIntensityAnalyzer()
    started = time.perf_counter()
    compounds = [vader.polarity_scores(text)["compound"] for text in texts]
    speed = len(texts) / (time.perf_counter() - started)
    edge = 0.05
    sides = [0 if value >= edge else 2 if value <= -edge else 1 for value in compounds]
    return [Answer(SENTIMENTS[side], abs(value)) for side, value in zip(sides, compounds, strict=True)], speed


def report(name: str, labels: Sequence[str], answers: Sequence[Answer], speed: float, *, calibrated: bool) -> float:
    """Print the figures of one judge and return its macro-F1."""
    pairs = [(label, answer.sentiment) for label, answer in zip(labels, answers, strict=True)]
    accuracy = sum(label == said for label, said in pairs) / len(pairs)
    lines, scores = [], []
    for sentiment in SENTIMENTS:
        both = sum(label == said == sentiment for label, said in pairs)
        said_so = sum(said == sentiment for _, said in pairs)
        are_so = sum(label == sentiment for label, _ in pairs)
        precision, recall = both / max(1, said_so), both / max(1, are_so)
        scores.append(2 * precision * recall / max(1e-12, precision + recall))
        as_what = ", ".join(f"{said} {pairs.count((sentiment, said))}" for said in SENTIMENTS)
        lines.append(
            f"  {sentiment:9} precision {precision:.3f} recall {recall:.3f} F1 {scores[-1]:.3f} of {are_so} ({as_what})"
        )
    macro = sum(scores) / len(scores)
    error = f", calibration error {calibration_error(labels, answers):.3f}" if calibrated else ""
    print(f"{name}: macro-F1 {macro:.4f}, accuracy {accuracy:.4f}{error}, {speed:.0f} texts/s")
    print("\n".join(lines))
    return macro


def calibration_error(labels: Sequence[str], answers: Sequence[Answer]) -> float:
    """Return the expected calibration error: how far confidence is from being right, averaged over texts."""
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for label, answer in zip(labels, answers, strict=True):
        bins[min(BINS - 1, int(answer.confidence * BINS))].append((answer.confidence, answer.sentiment == label))
    gaps = [abs(sum(confidence - right for confidence, right in one)) for one in bins]
    return sum(gaps) / len(labels)


def main() -> None:
    """Print the figures of the model and of VADER."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--model", default="embedded", help="as the setting SENTIMENT_MODEL")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    rows = read(given.file)
    labels, texts = [label for label, _ in rows], [text for _, text in rows]
    print(f"{len(rows)} texts of {given.file}")
    name, answers, speed = by_model(given.model, texts, given.threads)
    report(name, labels, answers, speed, calibrated=True)
    if (vader := by_vader(texts)) is not None:
        report("VADER", labels, *vader, calibrated=False)


if __name__ == "__main__":
    main()
