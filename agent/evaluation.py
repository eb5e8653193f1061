"""What is told of judges on a file of labelled texts: the figures of one, and two side by side. Pure."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from agent.sentiment import figures
from agent.sentiment.figures import Answer, Difference, Figures
from agent.sentiment.labelled import BadLine, Example

if TYPE_CHECKING:
    from collections.abc import Sequence


class Share(msgspec.Struct, frozen=True):
    """How many texts of one kind a judge got right."""

    n: int
    right: int


class Evaluation(msgspec.Struct, frozen=True):
    """What ``evaluate`` prints: which model on which file, beside all fields of the figures."""

    model: str
    file: str
    figures: Figures
    #: By the file's own kinds; empty where it has none.
    kinds: dict[str, Share]
    #: Lines that were left out (``--skip-bad``).
    bad_lines: list[BadLine]


class Disagreement(msgspec.Struct, frozen=True):
    """Texts with one label of which the two judges said different things."""

    label: str
    first: str | None
    second: str | None
    n: int


class DifferingText(msgspec.Struct, frozen=True):
    """One such text."""

    line: int
    label: str
    first: str | None
    second: str | None
    text: str


class Comparison(msgspec.Struct, frozen=True):
    """What ``compare`` prints."""

    file: str
    n: int
    first: Evaluation
    second: Evaluation
    difference: Difference
    disagreements: list[Disagreement]
    #: As many as were asked for.
    shown: list[DifferingText] = []


def evaluation(
    model: str, file: str, examples: Sequence[Example], answers: Sequence[Answer], bad: list[BadLine]
) -> Evaluation:
    """Return what one judge reached; the answers have the examples' order."""
    return Evaluation(
        model,
        file,
        figures.measure([each.label for each in examples], answers),
        kinds(examples, answers),
        bad,
    )


def kinds(examples: Sequence[Example], answers: Sequence[Answer]) -> dict[str, Share]:
    """Return the share of each kind that was answered right, in the file's order; empty for a file without kinds."""
    right = [
        (each.kind, each.label == answer.sentiment) for each, answer in zip(examples, answers, strict=True) if each.kind
    ]
    named = dict.fromkeys(kind for kind, _ in right)
    return {name: Share(sum(name == kind for kind, _ in right), right.count((name, True))) for name in named}


def disagreements(examples: Sequence[Example], first: Sequence[Answer], second: Sequence[Answer]) -> list[Disagreement]:
    """Count what the two said where they said different things, the most frequent first."""
    counted = Counter(
        (each.label, one.sentiment, other.sentiment)
        for each, one, other in zip(examples, first, second, strict=True)
        if one.sentiment != other.sentiment
    )
    return [Disagreement(*cell, n=count) for cell, count in counted.most_common()]


def differing(
    examples: Sequence[Example], first: Sequence[Answer], second: Sequence[Answer], most: int
) -> list[DifferingText]:
    """Return the first texts, at most ``most``, of which the two said different things."""
    found = (
        DifferingText(each.line, each.label, one.sentiment, other.sentiment, f"{each.title} {each.text}".strip())
        for each, one, other in zip(examples, first, second, strict=True)
        if one.sentiment != other.sentiment
    )
    return list(islice(found, most))


def flat(found: Evaluation) -> dict[str, Any]:
    """Return the evaluation with its figures beside the file's name, where a script looks for them."""
    told = msgspec.to_builtins(found)
    return {"model": told.pop("model"), "file": told.pop("file"), **told.pop("figures"), **told}
