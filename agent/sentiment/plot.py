"""The calibration of a model as a picture: how sure it was, how often it was right. Needs the extra ``plot``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from pathlib import Path

    from agent.sentiment.figures import Figures


def draw_calibration(found: Figures, name: str, file: Path) -> None:
    """Write a PNG: a dot for each bin of confidence, its size by its texts; on the diagonal confidence is honest.

    Raises:
        OSError: the file can't be written.

    """
    # Without pyplot: that would look for a screen, and keep every figure that it ever made.
    figure = Figure(figsize=(6, 6), layout="constrained")
    axes = figure.add_subplot()
    axes.plot((0, 1), (0, 1), color="0.6", linewidth=1, linestyle="--", label="as sure as right")
    sure, right = [each.confidence for each in found.calibration], [each.accuracy for each in found.calibration]
    axes.plot(sure, right, color="#1f77b4", linewidth=1)
    axes.scatter(sure, right, s=[12 + 600 * each.n / found.n for each in found.calibration], alpha=0.6)
    axes.set(
        xlim=(0, 1),
        ylim=(0, 1),
        xlabel="confidence",
        ylabel="share that was right",
        title=f"{name}: {found.n} texts, calibration error {found.ece or 0:.3f}",
    )
    axes.legend(loc="upper left")
    figure.savefig(file, format="png", dpi=120)
