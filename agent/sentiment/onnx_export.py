"""Write a model's folder with the graph that the onnx engine runs, and hold the two engines against each other.

The weights, the tokenizer and the config are copied as they are: the folder that comes of it serves either engine.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from agent.sentiment.engine import Scores
from agent.sentiment.model_folder import CONFIG, GRAPH, TOKENIZER, WEIGHTS, folder_of, read
from agent.sentiment.onnx_graph import draw
from ipc.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agent.sentiment.engine import Outcome

#: An exported model that changes more labels is no stand-in for its original. Chosen.
MOST_CHANGED: Final = 0.01


class Exported(msgspec.Struct, frozen=True):
    """What stands in a folder now, in bytes by file."""

    folder: str
    files: dict[str, int]


class Agreement(msgspec.Struct, frozen=True):
    """How alike two engines score the same texts."""

    texts: int
    #: The share of texts with the same label from both.
    labels: float
    #: The largest difference between two probabilities of one text.
    largest_difference: float

    @property
    def is_enough(self) -> bool:
        """Whether one engine may stand in for the other: 99 % of the labels, within what chance does to few texts."""
        allowed = MOST_CHANGED * self.texts
        return (1 - self.labels) * self.texts <= allowed + 2 * math.sqrt(allowed)


def export(model: str, dest: Path) -> Exported:
    """Write the graph of a model, and what else it needs, into the folder `dest`; files of the same names are replaced.

    `model` is "embedded" or a folder; it may be `dest` itself, which then gets its graph.

    Raises:
        ModelError: the model is missing, damaged or of another kind.
        OSError: `dest` can't be written.

    """
    source = folder_of(model)
    if source is None:
        raise ModelError(f"the model {model!r} is a name of a hub: expected 'embedded' or a folder in its format")
    files = {name: read(source, name) for name in (CONFIG, TOKENIZER, WEIGHTS)} | {GRAPH: draw(source)}
    dest.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        if name == GRAPH or not dest.samefile(source):
            _write(dest / name, content)
    return Exported(str(dest), {name: len(content) for name, content in files.items()})


def agreement(one: Sequence[Outcome], other: Sequence[Outcome]) -> Agreement:
    """Compare two engines' outcomes of the same texts; a text that either could not score counts as not equal."""
    both = [
        (first, second)
        for first, second in zip(one, other, strict=True)
        if isinstance(first, Scores) and isinstance(second, Scores)
    ]
    equal = sum(first.sentiment == second.sentiment for first, second in both)
    return Agreement(len(one), equal / max(1, len(one)), max((_distance(*pair) for pair in both), default=1.0))


def _distance(first: Scores, second: Scores) -> float:
    return max(
        abs(first.positive - second.positive),
        abs(first.neutral - second.neutral),
        abs(first.negative - second.negative),
    )


def _write(path: Path, content: bytes) -> None:
    """Put a whole file in its place at once, so that nobody loads half of one."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content)
    partial.replace(path)
