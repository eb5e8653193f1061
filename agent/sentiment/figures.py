"""What is counted of answers that somebody knows better: shares, F1, calibration, and whether two judges differ.

Pure. Without a class there is no figure: the F1 of a class that neither a label nor an answer names is None, and no
part of the mean; that is also how scikit-learn counts.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from agent.sentiment.engine import SENTIMENTS, Sentiment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: The usual number of bins of confidence.
BINS: Final = 15
#: Resamples of a bootstrap: enough for the second decimal of an interval's ends. Chosen.
RESAMPLES: Final = 2000
#: Above this mean a Poisson number is drawn from a normal distribution, which is as good and much faster.
_NORMAL_FROM: Final = 50


class Answer(msgspec.Struct, frozen=True):
    """What one judge said of one text."""

    #: None where the text broke the model: never right.
    sentiment: Sentiment | None
    #: None where the judge names no probability, or a rule decided without it.
    confidence: float | None = None


class ClassFigures(msgspec.Struct, frozen=True):
    """How one class was found; None where nothing was there to find."""

    precision: float | None
    recall: float | None
    f1: float | None
    #: Texts with this label.
    n: int


class Bin(msgspec.Struct, frozen=True):
    """The texts of one span of confidence: how sure the model was, and how often it was right."""

    n: int
    confidence: float
    accuracy: float


class Figures(msgspec.Struct, frozen=True):
    """All figures of one judge."""

    n: int
    macro_f1: float
    accuracy: float
    #: Expected calibration error over the answers with a confidence; None for a judge without probabilities.
    ece: float | None
    #: Texts that broke the model: counted as wrong.
    failed: int
    #: Label -> answer -> texts.
    confusion: dict[str, dict[str, int]]
    classes: dict[str, ClassFigures]
    #: Bins that hold a text, the least confident first.
    calibration: list[Bin]


class Difference(msgspec.Struct, frozen=True):
    """The first judge's figures less the second's, on the same texts."""

    macro_f1: float
    #: Nineteen of twenty resamples lie between: from the bootstrap.
    macro_f1_low: float
    macro_f1_high: float
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    only_first_right: int
    only_second_right: int
    #: McNemar's exact test: how likely so uneven a split of those two is, were both judges equally good.
    mcnemar_p: float


def measure(labels: Sequence[Sentiment], answers: Sequence[Answer]) -> Figures:
    """Return the figures of one judge; both sequences have the texts' order and are not empty."""
    pairs = Counter((label, answer.sentiment) for label, answer in zip(labels, answers, strict=True))
    bins = _bins(labels, answers)
    return Figures(
        n=len(labels),
        macro_f1=macro_f1(pairs),
        accuracy=_accuracy(pairs),
        ece=_ece(bins),
        failed=sum(count for (_, said), count in pairs.items() if said is None),
        confusion={label: {said: pairs[label, said] for said in SENTIMENTS} for label in SENTIMENTS},
        classes={each: _class_figures(pairs, each) for each in SENTIMENTS},
        calibration=bins,
    )


def compare(labels: Sequence[Sentiment], first: Sequence[Answer], second: Sequence[Answer]) -> Difference:
    """Return how two judges differ on the same texts, and how sure that is."""
    cells = Counter((label, a.sentiment, b.sentiment) for label, a, b in zip(labels, first, second, strict=True))
    found = _gaps(cells)
    rng = random.Random(1)  # noqa: S311 - the same interval each time
    resampled = [_gaps(_resampled(cells, rng)) for _ in range(RESAMPLES)]
    (f1_low, f1_high), (accuracy_low, accuracy_high) = (_middle(values) for values in zip(*resampled, strict=True))
    only_first = sum(count for (label, a, b), count in cells.items() if a == label != b)
    only_second = sum(count for (label, a, b), count in cells.items() if b == label != a)
    return Difference(
        macro_f1=found[0],
        macro_f1_low=f1_low,
        macro_f1_high=f1_high,
        accuracy=found[1],
        accuracy_low=accuracy_low,
        accuracy_high=accuracy_high,
        only_first_right=only_first,
        only_second_right=only_second,
        mcnemar_p=mcnemar(only_first, only_second),
    )


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the two-sided exact p of so uneven a split, were each side as likely."""
    whole, less = only_first + only_second, min(only_first, only_second)
    ways = sum(math.comb(whole, k) for k in range(less + 1))
    return min(1.0, 2 * ways / (1 << whole))


def macro_f1(pairs: Mapping[tuple[Sentiment, Sentiment | None], int]) -> float:
    """Return the mean F1 over the classes that a label or an answer names."""
    found = [each.f1 for each in (_class_figures(pairs, sentiment) for sentiment in SENTIMENTS) if each.f1 is not None]
    return sum(found) / len(found) if found else 0.0


def _class_figures(pairs: Mapping[tuple[Sentiment, Sentiment | None], int], sentiment: Sentiment) -> ClassFigures:
    both = pairs.get((sentiment, sentiment), 0)
    are_so = sum(count for (label, _), count in pairs.items() if label == sentiment)
    said_so = sum(count for (_, said), count in pairs.items() if said == sentiment)
    return ClassFigures(
        precision=both / said_so if said_so else None,
        recall=both / are_so if are_so else None,
        f1=2 * both / (are_so + said_so) if are_so + said_so else None,
        n=are_so,
    )


def _accuracy(pairs: Mapping[tuple[Sentiment, Sentiment | None], int]) -> float:
    whole = sum(pairs.values())
    return sum(count for (label, said), count in pairs.items() if label == said) / whole if whole else 0.0


def _bins(labels: Sequence[Sentiment], answers: Sequence[Answer]) -> list[Bin]:
    """Return the bins that hold a text, of the answers that have a confidence."""
    held: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for label, answer in zip(labels, answers, strict=True):
        if answer.confidence is not None:
            held[min(BINS - 1, int(answer.confidence * BINS))].append((answer.confidence, answer.sentiment == label))
    return [
        Bin(len(each), sum(sure for sure, _ in each) / len(each), sum(right for _, right in each) / len(each))
        for each in held
        if each
    ]


def _ece(bins: Sequence[Bin]) -> float | None:
    """Return how far confidence is from being right, averaged over texts."""
    whole = sum(each.n for each in bins)
    return sum(each.n * abs(each.confidence - each.accuracy) for each in bins) / whole if whole else None


_Cells = Counter[tuple[Sentiment, Sentiment | None, Sentiment | None]]


def _gaps(cells: _Cells) -> tuple[float, float]:
    """Return what the first judge is ahead by, in macro-F1 and in accuracy."""
    first: Counter[tuple[Sentiment, Sentiment | None]] = Counter()
    second: Counter[tuple[Sentiment, Sentiment | None]] = Counter()
    for (label, a, b), count in cells.items():
        first[label, a] += count
        second[label, b] += count
    return macro_f1(first) - macro_f1(second), _accuracy(first) - _accuracy(second)


def _resampled(cells: _Cells, rng: random.Random) -> _Cells:
    """Draw each cell's count anew: the Poisson bootstrap, which costs the cells and not the texts."""
    return Counter({cell: _poisson(count, rng) for cell, count in cells.items()})


def _poisson(mean: int, rng: random.Random) -> int:
    if mean > _NORMAL_FROM:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    count, product, edge = 0, rng.random(), math.exp(-mean)
    while product > edge:
        count += 1
        product *= rng.random()
    return count


def _middle(values: Sequence[float]) -> tuple[float, float]:
    """Return the ends of the middle 95 of 100."""
    ordered = sorted(values)
    cut = len(ordered) // 40
    return ordered[cut], ordered[-1 - cut]
