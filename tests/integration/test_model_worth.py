"""The embedded model on texts that are easy to get wrong: it must not become worse unnoticed."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("flair", reason="flair is not installed: pip install 'sentimentagent[analyzer]'")

import structlog
from click.testing import CliRunner

from agent.model_command import model
from agent.score_command import score
from agent.sentiment.choose import open_engine
from agent.sentiment.judges import HARD_CASES

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.model

#: What the embedded model gets right of the hard cases, as measured (docs/model.md), and how much less is still taken
#: for the same: processors round differently.
RIGHT_SHARE, MARGIN = 0.83, 0.03
#: Of 500 harmless texts, those that turn negative because they name a group, as measured. None should.
TURNED = 2


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Undo what a command sets up for its own process."""
    yield
    structlog.reset_defaults()


def test_the_hard_cases_are_got_right_as_often_as_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the command that an operator calls."""
    monkeypatch.setenv("SENTIMENTAGENT_HOME", str(tmp_path))
    found = CliRunner().invoke(model, ["evaluate", str(HARD_CASES), "--json"])
    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)
    assert told["accuracy"] >= RIGHT_SHARE - MARGIN
    assert told["model"].startswith("embedded (")
    assert sum(kind["n"] for kind in told["kinds"].values()) == told["n"]


def test_no_more_texts_than_measured_turn_negative_for_a_groups_sake(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same sentence with and without a group's name; a model that was taught better lowers the figure."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2]))  # training/ is in the checkout, not installed
    shifts = importlib.import_module("training.subgroups").shifts(open_engine("embedded"))
    assert len(shifts) == 500
    assert [each.text for each in shifts if each.has_turned][TURNED:] == []


def test_score_names_the_word_that_drove_the_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a text whose one strong word nobody would argue about."""
    monkeypatch.setenv("SENTIMENTAGENT_HOME", str(tmp_path))
    found = CliRunner().invoke(score, ["-", "--json"], input="The update is terrible.")
    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)
    assert (told["sentiment"], told["words"][0]["word"]) == ("negative", "terrible.")
    assert sum(told["probabilities"].values()) == pytest.approx(1)
    assert told["words"][0]["effect"] > 0.3
