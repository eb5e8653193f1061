"""An evaluation and a comparison as people read them. What came from a file is made harmless here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent.sentiment.engine import SENTIMENTS
from ipc.logs import harmless

if TYPE_CHECKING:
    from agent.evaluation import Comparison, DifferingText, Evaluation, Share
    from agent.sentiment.onnx_export import Agreement, Exported

#: Characters of a text that ``--show`` prints.
_SHOWN_CHARACTERS: Final = 160


def of_evaluation(found: Evaluation) -> str:
    """Return the table of one judge."""
    told = found.figures
    calibration = "" if told.ece is None else f", calibration error {told.ece:.3f}"
    lines = [
        f"{harmless(found.model)} on {told.n} texts of {harmless(found.file)}",
        f"macro-F1 {told.macro_f1:.4f}, accuracy {told.accuracy:.4f}{calibration}",
        "",
        f"{'label':<10}{'texts':>7}{'precision':>11}{'recall':>8}{'F1':>8}   answered "
        + "".join(f"{name:>10}" for name in SENTIMENTS),
    ]
    for name, each in told.classes.items():
        row = f"{name:<10}{each.n:>7}{_figure(each.precision):>11}{_figure(each.recall):>8}{_figure(each.f1):>8}"
        lines.append(row + " " * 12 + "".join(f"{told.confusion[name][said]:>10}" for said in SENTIMENTS))
    if told.failed:
        lines.append(f"{told.failed} texts broke the model, and count as wrong")
    if found.bad_lines:
        lines.append(f"{len(found.bad_lines)} lines were left out")
    lines += ["", *(_kind_words(kind, share) for kind, share in found.kinds.items())] if found.kinds else []
    return "\n".join(lines)


def _kind_words(kind: str, share: Share) -> str:
    return f"{harmless(kind):<16}{share.right:>5} of {share.n:<4} right{share.right / share.n:>8.0%}"


def of_export(exported: Exported, found: Agreement | None) -> str:
    """Return what was written, and how far it scores as its original does."""
    files = [f"{size:>12,} bytes  {name}" for name, size in exported.files.items()]
    if found is None:
        return "\n".join([f"written: {harmless(exported.folder)}", *files])
    verdict = "" if found.is_enough else ": too few, don't use it"
    return "\n".join(
        [
            f"written: {harmless(exported.folder)}",
            *files,
            f"the same label as in flair: {found.labels:.2%} of {found.texts} texts{verdict}",
            f"largest difference of a probability: {found.largest_difference:.3f}",
            f"use it: SENTIMENT_ENGINE=onnx SENTIMENT_MODEL={harmless(exported.folder)}",
        ]
    )


def of_comparison(found: Comparison) -> str:
    """Return both judges side by side, their difference, and the texts that were asked for."""
    one, other, gap = found.first.figures, found.second.figures, found.difference
    names = [harmless(each.model) for each in (found.first, found.second)]
    width = max(12, *map(len, names)) + 2
    rows = [
        ("macro-F1", one.macro_f1, other.macro_f1, gap.macro_f1, gap.macro_f1_low, gap.macro_f1_high),
        ("accuracy", one.accuracy, other.accuracy, gap.accuracy, gap.accuracy_low, gap.accuracy_high),
    ]
    lines = [
        f"{found.n} texts of {harmless(found.file)}",
        f"{'':<12}{names[0]:>{width}}{names[1]:>{width}}  difference (95 of 100 resamples)",
        *(
            f"{row:<12}{a:>{width}.4f}{b:>{width}.4f}  {d:+.4f} ({low:+.4f} to {high:+.4f})"
            for row, a, b, d, low, high in rows
        ),
        *(
            f"F1 {name:<9}{_figure(one.classes[name].f1):>{width}}{_figure(other.classes[name].f1):>{width}}"
            for name in SENTIMENTS
        ),
        f"{'ece':<12}{_figure(one.ece):>{width}}{_figure(other.ece):>{width}}",
        f"only one is right: {gap.only_first_right} and {gap.only_second_right} texts, McNemar p = {gap.mcnemar_p:.3g}",
        "",
        f"they disagree on {sum(each.n for each in found.disagreements)} texts:",
        *(
            f"{each.n:>6}  {each.label}: {each.first or 'nothing'} against {each.second or 'nothing'}"
            for each in found.disagreements
        ),
        *map(_shown_words, found.shown),
    ]
    return "\n".join(lines)


def _shown_words(shown: DifferingText) -> str:
    text = harmless(shown.text)[:_SHOWN_CHARACTERS]
    return f"line {shown.line}: {shown.label}: {shown.first} against {shown.second}: {text}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
