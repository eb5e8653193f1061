"""The figures as a table: of text or of Markdown, with what was never and what was not measured told apart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

NOT_MEASURED: Final = "-"


@dataclass(frozen=True)
class Figure:
    """A figure by its median, and its maximum where there were several; infinite is never."""

    middle: float
    most: float | None = None


@dataclass(frozen=True)
class Row:
    """One watcher's figures, None where not measured."""

    name: str
    figures: tuple[Figure | None, ...]
    #: Whether ours is compared with it.
    is_rival: bool = True


def cell(figure: Figure | None) -> str:
    """Return a figure in words."""
    if figure is None:
        return NOT_MEASURED
    if math.isinf(figure.middle):
        return "never"
    most = "" if figure.most is None else f" ({_short(figure.most)})"
    return f"{_short(figure.middle)}{most}"


def ratio(ours: Figure | None, peers: Sequence[Figure | None]) -> str:
    """Return ours against the best peer's, less being better."""
    known = [peer.middle for peer in peers if peer is not None]
    if ours is None or not known:
        return NOT_MEASURED
    if math.isinf(ours.middle):
        return "never"
    if math.isinf(best := min(known)):
        return "only here"
    return f"{ours.middle / best:.2f}" if best > 0 else NOT_MEASURED


def lines(heads: Sequence[str], rows: Sequence[Row], *, is_markdown: bool) -> list[str]:
    """Return the table; the first row is ours, and the last tells its ratio to the best of the others."""
    ours, *peers = rows
    against = [
        ratio(figure, [peer.figures[at] for peer in peers if peer.is_rival]) for at, figure in enumerate(ours.figures)
    ]
    cells = [list(heads), *([row.name, *map(cell, row.figures)] for row in rows)]
    cells.append(["ours against the best other", *against])
    if is_markdown:
        cells.insert(1, ["---"] * len(heads))
        return [f"| {' | '.join(each)} |" for each in cells]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(map(str.ljust, each, widths)).rstrip() for each in cells]


def _short(value: float) -> str:
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"  # noqa: PLR2004 - three digits are enough
