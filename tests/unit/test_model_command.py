"""The commands `model` and `score` where they need no model of ours: with VADER, and on wrong files and names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import structlog
from click.testing import CliRunner, Result

from agent.evaluation import Share, kinds
from agent.model_command import model
from agent.score_command import score
from agent.sentiment.figures import Answer
from agent.sentiment.labelled import Example

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINES = "positive\tI love it, great work\nneutral\tThe meeting is on Tuesday.\nnegative\tI hate this terrible mess\n"


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Undo what a command sets up for its own process."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file of three texts, beside a home without settings."""
    monkeypatch.setenv("SENTIMENTAGENT_HOME", str(tmp_path))
    found = tmp_path / "texts.tsv"
    found.write_text(LINES)
    return found


def called(*arguments: str) -> Result:
    """Run `sentimentagent model` with these arguments."""
    return CliRunner().invoke(model, list(arguments))


def test_evaluate_prints_what_a_script_reads(file: Path) -> None:
    """The figures stand at the top of the object."""
    pytest.importorskip("vaderSentiment")
    found = called("evaluate", str(file), "--model", "vader", "--json")
    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)
    assert (told["n"], told["macro_f1"], told["accuracy"], told["ece"]) == (3, 1.0, 1.0, None)
    assert told["confusion"]["positive"] == {"positive": 1, "neutral": 0, "negative": 0}
    assert set(told["classes"]["negative"]) == {"precision", "recall", "f1", "n"}


def test_a_bad_line_is_named_and_nothing_is_measured(file: Path) -> None:
    """Figures of a part of a file would pass for the whole's."""
    file.write_text(LINES + "so so\tmeh\n")
    found = called("evaluate", str(file), "--model", "vader", "--json")
    assert (found.exit_code, found.stdout) == (1, "")
    assert "line 4" in found.stderr
    assert "nothing was measured" in found.stderr


def test_bad_lines_may_be_left_out_and_are_counted(file: Path) -> None:
    """Asked for, and told."""
    pytest.importorskip("vaderSentiment")
    file.write_text(LINES + "so so\tmeh\n")
    found = called("evaluate", str(file), "--model", "vader", "--json", "--skip-bad")
    assert found.exit_code == 0
    told = json.loads(found.stdout)
    assert told["n"] == 3
    assert [each["line"] for each in told["bad_lines"]] == [4]
    assert "line 4" in found.stderr


def test_a_file_without_a_text_is_refused(file: Path) -> None:
    """No figure can be made of nothing."""
    file.write_text("label\ttext\n\n")
    found = called("evaluate", str(file), "--model", "vader")
    assert found.exit_code == 1
    assert "holds no labelled text" in found.stderr


@pytest.mark.parametrize("command", ["evaluate", "compare", "score"])
def test_a_model_that_is_not_there_is_one_sentence_and_78(file: Path, tmp_path: Path, command: str) -> None:
    """What was expected and what was found, before flair is imported."""
    missing = str(tmp_path / "nowhere")
    if command == "score":
        found = CliRunner().invoke(score, ["some text", "--model", missing])
    elif command == "compare":
        found = called("compare", missing, "vader", "--on", str(file))
    else:
        found = called("evaluate", str(file), "--model", missing)
    assert (found.exit_code, found.stdout) == (78, "")
    assert found.stderr.strip() == f"the model {missing!r} is not there: expected a folder, found nothing"


def test_compare_counts_disagreements_and_shows_no_text_unasked(file: Path) -> None:
    """Two judges of which one is blind to the text: it differs, by counts."""
    pytest.importorskip("vaderSentiment")
    pytest.importorskip("textblob")
    file.write_text(LINES + "positive\tthis slaps\n" * 3)
    found = called("compare", "vader", "textblob", "--on", str(file), "--json")
    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)
    assert told["n"] == 6
    assert told["first"]["model"] == "VADER"
    assert told["second"]["model"] == "TextBlob"
    assert told["shown"] == []
    assert "slaps" not in found.stdout
    assert sum(each["n"] for each in told["disagreements"]) <= 6
    assert told["difference"]["macro_f1"] == pytest.approx(told["first"]["macro_f1"] - told["second"]["macro_f1"])


def test_kinds_are_counted_in_the_files_order() -> None:
    """A text without a kind belongs to none."""
    examples = [
        Example(1, "positive", "", "a", "emoji"),
        Example(2, "negative", "", "b", "code"),
        Example(3, "negative", "", "c", "emoji"),
        Example(4, "negative", "", "d"),
    ]
    found = kinds(examples, [Answer("positive"), Answer("negative"), Answer("positive"), Answer("negative")])
    assert list(found.items()) == [("emoji", Share(2, 1)), ("code", Share(1, 1))]


def test_a_picture_is_drawn(file: Path, tmp_path: Path) -> None:
    """A PNG with something in it, where matplotlib is installed; VADER has no probabilities to draw."""
    pytest.importorskip("matplotlib")
    pytest.importorskip("vaderSentiment")
    from agent.sentiment.figures import measure  # noqa: PLC0415 - beside what needs the extra
    from agent.sentiment.plot import draw_calibration  # noqa: PLC0415 - matplotlib is an extra

    figures = measure(["positive", "negative"], [Answer("positive", 0.9), Answer("positive", 0.4)])
    draw_calibration(figures, "a model", tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    found = called("evaluate", str(file), "--model", "vader", "--plot", str(tmp_path / "none.png"))
    assert found.exit_code == 1
    assert "no probabilities" in found.stderr
    assert "macro-F1" in found.stdout, "the figures are told all the same"
    assert not (tmp_path / "none.png").exists()
