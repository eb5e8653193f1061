"""Read the labelled texts and turn their labels into soft targets over (positive, neutral, negative).

Every text goes through the service's own rules (`agent.sentiment.rules.clean`): the model learns what it will see.
"""

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.sentiment.engine import SENTIMENTS
from agent.sentiment.rules import clean

#: The official grouping of GoEmotions' 28 labels (Demszky et al., 2020).
_POSITIVE = "admiration amusement approval caring desire excitement gratitude joy love optimism pride relief"
_NEGATIVE = "anger annoyance disappointment disapproval disgust embarrassment fear grief nervousness remorse sadness"
POSITIVE = frozenset(_POSITIVE.split())
NEGATIVE = frozenset(_NEGATIVE.split())
AMBIGUOUS = frozenset(["confusion", "curiosity", "realization", "surprise"])
#: How many labels GoEmotions has, neutral included.
EMOTIONS = 28

#: What a target keeps for its class; the rest is spread over the other two. Annotators disagree about more than this.
SHARPNESS = 0.94
#: Ratings (-4 to 4) where neutral gives way to a polarity, and how gradually: half way at 0.5. Chosen, not measured.
RATING_EDGE, RATING_WIDTH = 0.5, 0.2

Target = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Example:
    """One text to learn from. Without `target` it teaches only its emotions, or what the teacher makes of it."""

    text: str
    target: Target | None
    #: Indices of GoEmotions' labels; None where nobody annotated emotions.
    emotions: tuple[int, ...] | None = None
    #: Which data set it came from.
    source: str = "goemotions"


def group(names: set[str]) -> int | None:
    """Map a row's emotions to 0 positive, 1 neutral or 2 negative; None for a row to drop.

    Ambiguous labels are taken off; a row left without a label, or with both polarities, is dropped; a polarity beats
    neutral.
    """
    names = names - AMBIGUOUS
    positive, negative = bool(names & POSITIVE), bool(names & NEGATIVE)
    if not names or (positive and negative):
        return None
    return 0 if positive else 2 if negative else 1


def soft(label: int, doubt: int | None = None, share: float = 0.0) -> Target:
    """Give `label` most of the mass, and `share` of that to the class `doubt`, which somebody else chose."""
    target = [(1 - SHARPNESS) / 2] * 3
    target[label] = SHARPNESS
    if doubt is not None:
        moved = share * SHARPNESS
        target[label] -= moved
        target[doubt] += moved
    return (target[0], target[1], target[2])


def rating_target(rating: float) -> Target:
    """Turn a mean rating from -4 to 4 into a soft target, so that no hard threshold is taught."""
    positive = 1 / (1 + math.exp(-(rating - RATING_EDGE) / RATING_WIDTH))
    negative = 1 / (1 + math.exp((rating + RATING_EDGE) / RATING_WIDTH))
    rest = 1 - SHARPNESS
    parts = [positive, max(0.0, 1 - positive - negative), negative]
    whole = sum(parts)
    spread = [SHARPNESS * part / whole + rest / 3 for part in parts]
    total = sum(spread)
    return (spread[0] / total, spread[1] / total, spread[2] / total)


def read_labels(folder: Path) -> list[str]:
    """Read GoEmotions' label names in the order of their indices."""
    return (folder / "goemotions" / "labels.txt").read_text(encoding="utf-8").split()


def read_goemotions(folder: Path, split: str) -> Iterator[Example]:
    """Yield one split ("train" or "dev") with soft targets; rows that the grouping drops keep only their emotions."""
    labels = read_labels(folder)
    for line in (folder / "goemotions" / f"{split}.tsv").read_text(encoding="utf-8").rstrip("\n").split("\n"):
        text, indices, _comment_id = line.split("\t")
        emotions = tuple(int(index) for index in indices.split(","))
        names = {labels[index] for index in emotions}
        label = group(names)
        target: Target | None = None
        if label is not None:
            doubted = label != 1 and bool(names & (AMBIGUOUS | {"neutral"}))
            target = soft(label, 1, 0.3) if doubted else soft(label)
        yield Example(clean(text), target, emotions)


def read_rated(folder: Path, name: str) -> Iterator[tuple[str, Example]]:
    """Yield (document, example) of a rated set ("amazon", "movie", "nyt"); a document's snippets share its name."""
    for line in (folder / "vader" / f"{name}.tsv").read_text(encoding="utf-8").rstrip("\n").split("\n"):
        identity, rating, text = line.split("\t", 2)
        example = Example(clean(text.replace("''", '"')), rating_target(float(rating)), None, name)
        yield f"{name}/{identity.split('_')[0]}", example


def read_authored(file: Path) -> Iterator[Example]:
    """Yield the texts that were written for the training, out of a file of lines: label, tab, text.

    Raises:
        ValueError: a line is none of that; says where.

    """
    for number, line in enumerate(file.read_text(encoding="utf-8").rstrip("\n").split("\n"), start=1):
        label, tab, text = line.partition("\t")
        if not tab or label not in SENTIMENTS or "\t" in text:
            message = f"{file.name}:{number}: expected a label ({', '.join(SENTIMENTS)}), a tab and a text"
            raise ValueError(message)
        yield Example(clean(text), soft(SENTIMENTS.index(label)), None, "authored")


def is_held_out(key: str, per_mille: int) -> bool:
    """Whether a text or a document belongs to the part that fits the temperature. Fixed by its name, not by a seed."""
    return zlib.crc32(key.encode()) % 1000 < per_mille
