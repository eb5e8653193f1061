"""``sentimentagent model``: measure a sentiment model, hold two judges against each other, export for onnxruntime.

Nothing of a running system is asked or changed. A model that can't be loaded is one sentence and exit status 78.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import click
import msgspec

from agent import evaluation_words
from agent.evaluation import Comparison, Evaluation, differing, disagreements, evaluation, flat
from agent.sentiment import figures, labelled
from agent.sentiment.choose import open_engine
from agent.sentiment.judges import HARD_CASES, Judge, open_judge
from agent.sentiment.rules import prepare
from ipc import logs
from ipc.environment import load
from ipc.errors import ModelError, SettingsError
from ipc.life import EX_CONFIG
from ipc.logs import harmless

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

    from agent.sentiment.engine import Outcome
    from agent.sentiment.figures import Answer, Figures
    from agent.sentiment.labelled import BadLine, Example
    from ipc.settings import Settings

#: So many bad lines are named; the others are counted.
_NAMED_LINES: Final = 10
_EXISTING: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_AS_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_SKIP_BAD: Final = click.option(
    "--skip-bad", is_flag=True, help="Measure without the lines that can't be read; they are named and counted."
)


@click.group()
def model() -> None:
    """Measure the sentiment model."""
    logs.configure_command()


@model.command()
@click.argument("file", type=_EXISTING)
@click.option("--model", "name", help="As the setting SENTIMENT_MODEL, which is the default; or vader, or textblob.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Draw the calibration into this PNG.")
@_SKIP_BAD
@_AS_JSON
def evaluate(file: Path, name: str | None, plot: Path | None, *, skip_bad: bool, as_json: bool) -> None:
    """Say how well a model judges the labelled texts of FILE."""
    settings = _settings()
    draw = _plotter() if plot else None
    examples, bad = _read(file, skip_bad=skip_bad)
    judge = _open(name or settings.analyzer.sentiment_model, settings)
    found = evaluation(judge.name, str(file), examples, _judged(judge, examples), bad)
    click.echo(_json(flat(found)) if as_json else evaluation_words.of_evaluation(found))
    if draw and plot:
        _drawn(draw, found, plot)


@model.command()
@click.argument("first")
@click.argument("second")
@click.option("--on", "file", type=_EXISTING, default=HARD_CASES, help="Labelled texts; by default the hard cases.")
@click.option("--show", type=click.IntRange(min=0), default=0, metavar="N", help="Print N texts that they disagree on.")
@_SKIP_BAD
@_AS_JSON
def compare(  # noqa: PLR0913 - an option each
    first: str, second: str, file: Path, show: int, *, skip_bad: bool, as_json: bool
) -> None:
    """Hold two judges against each other: models as SENTIMENT_MODEL names them, vader, or textblob."""
    settings = _settings()
    examples, bad = _read(file, skip_bad=skip_bad)
    judges = [_open(name, settings) for name in (first, second)]
    answers = [_judged(judge, examples) for judge in judges]
    one, other = (
        evaluation(judge.name, str(file), examples, given, bad) for judge, given in zip(judges, answers, strict=True)
    )
    found = Comparison(
        file=str(file),
        n=len(examples),
        first=one,
        second=other,
        difference=figures.compare([example.label for example in examples], answers[0], answers[1]),
        disagreements=disagreements(examples, answers[0], answers[1]),
        shown=differing(examples, answers[0], answers[1], show),
    )
    told = msgspec.to_builtins(found) | {"first": flat(one), "second": flat(other)}
    click.echo(_json(told) if as_json else evaluation_words.of_comparison(found))


@model.command()
@click.argument("dest", type=click.Path(file_okay=False, path_type=Path))
@click.option("--model", "name", help="As the setting SENTIMENT_MODEL, which is the default: embedded, or a folder.")
@click.option("--on", "file", type=_EXISTING, default=HARD_CASES, help="Labelled texts; by default the hard cases.")
@_SKIP_BAD
@_AS_JSON
def export(dest: Path, name: str | None, file: Path, *, skip_bad: bool, as_json: bool) -> None:
    """Write a model into the folder DEST as SENTIMENT_ENGINE=onnx runs it, then score the texts in both engines.

    Exit status 1 when clearly more than 1 % of the labels differ.
    """
    settings = _settings()
    examples, _ = _read(file, skip_bad=skip_bad)
    source = name or settings.analyzer.sentiment_model
    exporting = _exporter()
    try:
        exported = exporting.export(source, dest)
        here = _outcomes("onnx", str(dest), examples, settings)
    except ModelError as error:
        _fail(str(error), EX_CONFIG)
    except OSError as error:
        _fail(f"{dest} can't be written: {error.strerror}")
    try:
        found = exporting.agreement(_outcomes("flair", source, examples, settings), here)
    except ModelError as error:
        click.echo(harmless(f"not compared: {error}"), err=True)
        found = None
    told = {"exported": exported, "agreement": found}
    click.echo(_json(told) if as_json else evaluation_words.of_export(exported, found))
    if found and not found.is_enough:
        sys.exit(1)


def _exporter() -> ModuleType:
    """Return what draws graphs: the library onnx is an extra."""
    try:
        from agent.sentiment import onnx_export  # noqa: PLC0415
    except ModuleNotFoundError as error:
        _fail(f"export needs {error.name}, which is not installed: pip install 'sentimentagent[export]'")
    return onnx_export


def _outcomes(engine: str, name: str, examples: Sequence[Example], settings: Settings) -> list[Outcome]:
    """Score the texts that the rules don't decide alone."""
    opened = open_engine(name, engine=engine, threads=settings.analyzer.analyzer_threads)
    prepared = [prepare(example.title, example.text).text for example in examples]
    texts = [text for text in prepared if text is not None]
    with click.progressbar(length=len(texts), label=opened.name, file=sys.stderr) as bar:
        return opened.score(texts, bar.update)


def _read(file: Path, *, skip_bad: bool) -> tuple[list[Example], list[BadLine]]:
    """Return the examples and the lines that were left out; end the command when there is a bad one unasked."""
    try:
        examples, bad = labelled.read(file)
    except OSError as error:
        _fail(f"{file} can't be read: {error.strerror}")
    for each in bad[:_NAMED_LINES]:
        click.echo(harmless(f"{file}, line {each.line}: {each.reason}"), err=True)
    if len(bad) > _NAMED_LINES:
        click.echo(f"and {len(bad) - _NAMED_LINES} more lines", err=True)
    if bad and not skip_bad:
        _fail(f"{len(bad)} lines of {file} can't be read, so nothing was measured; --skip-bad leaves them out")
    if not examples:
        _fail(f"{file} holds no labelled text")
    return examples, bad


def _open(name: str, settings: Settings) -> Judge:
    try:
        analyzer = settings.analyzer
        return open_judge(name, engine=analyzer.sentiment_engine, threads=analyzer.analyzer_threads)
    except ModelError as error:
        _fail(str(error), EX_CONFIG)


def _judged(judge: Judge, examples: Sequence[Example]) -> list[Answer]:
    with click.progressbar(length=len(examples), label=judge.name, file=sys.stderr) as bar:
        return judge.judge(examples, bar.update)


def _plotter() -> Callable[[Figures, str, Path], None]:
    """Return what draws. Asked for before anything is measured, so that nobody waits to hear that it is missing."""
    try:
        from agent.sentiment.plot import draw_calibration  # noqa: PLC0415 - matplotlib is an extra
    except ImportError:
        _fail("--plot needs matplotlib: pip install 'sentimentagent[plot]'")
    return draw_calibration


def _drawn(draw: Callable[[Figures, str, Path], None], found: Evaluation, file: Path) -> None:
    if not found.figures.calibration:
        _fail(f"{found.model} names no probabilities, so there is no calibration to draw")
    try:
        draw(found.figures, found.model, file)
    except OSError as error:
        _fail(f"{file} can't be written: {error.strerror}")
    click.echo(harmless(f"calibration drawn: {file}"), err=True)


def _json(told: object) -> str:
    return msgspec.json.format(msgspec.json.encode(told), indent=2).decode()


def _settings() -> Settings:
    try:
        return load()
    except SettingsError as error:
        _fail(f"wrong settings: {error}", EX_CONFIG)


def _fail(words: str, status: int = 1) -> NoReturn:
    click.echo(harmless(words), err=True)
    sys.exit(status)
