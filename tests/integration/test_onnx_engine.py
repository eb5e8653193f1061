"""The real onnxruntime with the embedded model's graph: scoring without torch, agreeing with flair, bad models."""

from __future__ import annotations

import importlib
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install 'sentimentagent[onnx]'")

from agent.sentiment import onnx_engine, piecewise
from agent.sentiment.engine import Engine, Outcome, Scores, TextFailure
from agent.sentiment.model_folder import EMBEDDED
from agent.sentiment.rules import prepare
from ipc.errors import ModelError

pytestmark = pytest.mark.model

ANALYZER = Path(sys.executable).parent / "sentimentagent-analyzer"
OBVIOUS = [
    ("I love this, it works perfectly. Thank you so much!", "positive"),
    ("Not bad at all, I am impressed", "positive"),
    ("This update is terrible, it broke everything again.", "negative"),
    ("yeah great, another outage", "negative"),
    ("How do I install this on Linux?", "neutral"),
    ("The meeting is on Tuesday at 3pm.", "neutral"),
]


@pytest.fixture(scope="module")
def engine() -> Engine:
    """Load the embedded model once."""
    return onnx_engine.load("embedded")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Copy the embedded model to where it may be broken."""
    return Path(shutil.copytree(EMBEDDED, tmp_path / "model"))


def said(model: str | Path) -> str:
    """Return the one sentence that loading a bad model ends with."""
    with pytest.raises(ModelError) as caught:
        onnx_engine.load(str(model))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_score_takes_neither_torch_nor_flair() -> None:
    """That is what the engine is for: 110 MB in the place of 550, and a start in half a second."""
    code = (
        "import sys, json\n"
        "from agent.sentiment.choose import open_engine\n"
        "scores = open_engine('embedded', engine='onnx').score(['I love it, thank you!'])[0]\n"
        "print(json.dumps([scores.sentiment, sorted({name.partition('.')[0] for name in sys.modules})]))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    sentiment, modules = json.loads(done.stdout)
    assert sentiment == "positive"
    assert {"onnxruntime", "tokenizers"} <= set(modules)
    assert not {"torch", "flair", "transformers", "safetensors", "onnx", "sympy"} & set(modules)


@pytest.mark.parametrize(("text", "sentiment"), OBVIOUS)
def test_the_obvious_is_told(engine: Engine, text: str, sentiment: str) -> None:
    """With three probabilities that sum to one."""
    (outcome,) = engine.score([text])
    assert isinstance(outcome, Scores)
    assert outcome.sentiment == sentiment
    assert outcome.positive + outcome.neutral + outcome.negative == pytest.approx(1.0)


def test_a_score_depends_on_no_neighbour(engine: Engine) -> None:
    """Each token has a scale of its own: order, batches and padding change no label and no digit that is shown."""
    texts = [text for text, _ in OBVIOUS] * 4 + ["It crashed again. " * 80, "word " * 150]
    alone = [engine.score([text])[0] for text in texts]
    random.Random(7).shuffle(order := list(range(len(texts))))  # noqa: S311 - the same order each time
    together = engine.score([texts[index] for index in order])
    for index, outcome in zip(order, together, strict=True):
        expected = alone[index]
        assert isinstance(outcome, Scores)
        assert isinstance(expected, Scores)
        assert outcome.negative == pytest.approx(expected.negative, abs=1e-3)


def test_progress_adds_up(engine: Engine) -> None:
    """As in the other engine: the number of texts that were finished since."""
    told: list[int] = []
    engine.score(["fine"] * 700 + ["a long story. " * 60], told.append)
    assert sum(told) == 701
    assert len(told) >= 5


class BreaksOn:
    """The real model, which one token id breaks."""

    def __init__(self, model: piecewise.Model, token: int) -> None:
        self._model = model
        self._token = token

    def rows(self, texts: list[str]) -> list[list[int]]:
        return [list(row) for row in self._model.rows(texts)]

    def run(self, rows: list[list[int]]) -> list[piecewise.Probabilities]:
        return self._model.run([[2**40 if token == self._token else token for token in row] for row in rows])


def test_a_text_that_breaks_onnxruntime_is_set_aside_alone(engine: Engine) -> None:
    """Its neighbours keep their scores; the failure names the error."""
    assert isinstance(engine, piecewise.PiecewiseEngine)
    (row,) = engine.model.rows(["crab"])
    broken = piecewise.PiecewiseEngine("broken", BreaksOn(engine.model, row[1]))  # type: ignore[arg-type]
    outcomes = broken.score(["I love it", "crab", "I hate it"])
    assert [type(outcome) for outcome in outcomes] == [Scores, TextFailure, Scores]


def agreeing(texts: list[str], engine: Engine) -> float:
    """Return the share of texts that both engines give the same label."""
    flair = importlib.import_module("agent.sentiment.flair_engine").load("embedded")
    onnx_export = importlib.import_module("agent.sentiment.onnx_export")
    ones: list[Outcome] = flair.score(texts)
    return float(onnx_export.agreement(ones, engine.score(texts)).labels)


def test_both_engines_agree_on_a_slice_of_real_comments(engine: Engine, data_folder: Path) -> None:
    """GoEmotions' dev texts, every eighth. docs/model.md has the whole set's figures and the command for them."""
    pytest.importorskip("flair", reason="flair is not installed: pip install 'sentimentagent[analyzer]'")
    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sentimentagent[export]'")
    lines = (data_folder / "goemotions" / "dev.tsv").read_text(encoding="utf-8").split("\n")[::8]
    texts = [text for line in lines if (text := prepare("", line.split("\t")[0]).text)]
    assert len(texts) > 500
    assert agreeing(texts, engine) >= 0.98


def test_the_shipped_graph_is_what_export_draws() -> None:
    """A model that was trained anew needs a new graph: one command, docs/model.md."""
    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sentimentagent[export]'")
    onnx = importlib.import_module("onnx")
    drawn = importlib.import_module("agent.sentiment.onnx_graph").draw(EMBEDDED)
    shipped = (EMBEDDED / "model.onnx").read_bytes()
    assert onnx.load_model_from_string(drawn).graph == onnx.load_model_from_string(shipped).graph


def test_a_folder_that_is_exported_scores_as_its_original(engine: Engine, tmp_path: Path) -> None:
    """Tokenizer, config and weights come with the graph."""
    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sentimentagent[export]'")
    export = importlib.import_module("agent.sentiment.onnx_export").export
    source = Path(shutil.copytree(EMBEDDED, tmp_path / "source", ignore=shutil.ignore_patterns("model.onnx")))
    assert "has no model.onnx" in said(source)
    export(str(source), tmp_path / "dest")
    assert onnx_engine.load(str(tmp_path / "dest")).score(["meh, fine"]) == engine.score(["meh, fine"])
    export(str(source), source)
    assert onnx_engine.load(str(source)).name.startswith("source (")


@pytest.mark.parametrize("pooling", ["cls", "max"])
def test_other_poolings_score_as_in_flair(folder: Path, pooling: str) -> None:
    """What a converted classifier may bring."""
    pytest.importorskip("flair", reason="flair is not installed: pip install 'sentimentagent[analyzer]'")
    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sentimentagent[export]'")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"pooling": pooling}), encoding="utf-8")
    importlib.import_module("agent.sentiment.onnx_export").export(str(folder), folder)
    flair = importlib.import_module("agent.sentiment.flair_engine").load(str(folder))
    texts = [text for text, _ in OBVIOUS]
    for one, other in zip(flair.score(texts), onnx_engine.load(str(folder)).score(texts), strict=True):
        assert isinstance(one, Scores)
        assert isinstance(other, Scores)
        assert one.positive == pytest.approx(other.positive, abs=0.05)
        assert one.negative == pytest.approx(other.negative, abs=0.05)


@pytest.mark.parametrize("content", [b"", b"hello", b"\0" * 500])
def test_a_graph_that_is_none_is_told(folder: Path, content: bytes) -> None:
    """With its length, and what makes a good one."""
    (folder / "model.onnx").write_bytes(content)
    assert "sentimentagent model export" in said(folder)


def test_a_truncated_graph_is_told(folder: Path) -> None:
    """A copy that broke off."""
    os.truncate(folder / "model.onnx", 20_000)
    assert "model.onnx in" in said(folder)
    assert "found 20000 bytes that onnxruntime refuses" in said(folder)


def test_truncated_weights_are_told(folder: Path) -> None:
    """The same sentence as flair's."""
    os.truncate(folder / "model.safetensors", 100_000)
    assert "found 100000 bytes" in said(folder)


def test_a_graph_of_other_weights_is_told(folder: Path) -> None:
    """A retrained model of another size beside an old graph."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    changed = config | {"bert": config["bert"] | {"num_attention_heads": 6}}
    (folder / "config.json").write_text(json.dumps(changed), encoding="utf-8")
    assert "made for other weights" in said(folder)


def test_another_model_of_onnx_is_told(folder: Path) -> None:
    """With its inputs."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sentimentagent[export]'")
    value = onnx.helper.make_tensor_value_info
    node = onnx.helper.make_node("Identity", ["pixels"], ["out"])
    graph = onnx.helper.make_graph([node], "g", [value("pixels", 1, [1])], [value("out", 1, [1])])
    other = onnx.helper.make_model(graph, ir_version=8, opset_imports=[onnx.helper.make_opsetid("", 18)])
    (folder / "model.onnx").write_bytes(other.SerializeToString())
    assert "another graph, with the inputs pixels" in said(folder)


def test_a_missing_folder_other_labels_and_a_hub_name_are_told(folder: Path, tmp_path: Path) -> None:
    """The folder's own faults read as in flair; a hub is flair's."""
    assert "expected a folder, found nothing" in said(tmp_path / "nowhere")
    assert "SENTIMENT_ENGINE=flair" in said("flair:sentiment")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"labels": ["ham", "spam"]}), encoding="utf-8")
    assert "expected positive, neutral, negative, found ham, spam" in said(folder)


@pytest.mark.parametrize("damage", ["graph", "hub"])
def test_a_bad_model_ends_the_analyzer_with_78(short_path: Path, damage: str) -> None:
    """Only the operator can mend it, so it isn't tried again; the watchdog's mail repeats the sentence."""
    folder = Path(shutil.copytree(EMBEDDED, short_path / "model"))
    os.truncate(folder / "model.onnx", 20_000)
    model = str(folder) if damage == "graph" else "flair:sentiment"
    environ = {"SENTIMENTAGENT_HOME": str(short_path), "SENTIMENT_ENGINE": "onnx", "SENTIMENT_MODEL": model}
    done = subprocess.run([ANALYZER], env=os.environ | environ, capture_output=True, text=True, check=False)
    assert done.returncode == 78
    (told,) = [line for line in (done.stdout + done.stderr).splitlines() if "The process ends" in line]
    assert "kind=SettingsError" in told
    assert ("onnxruntime refuses" if damage == "graph" else "SENTIMENT_ENGINE=flair") in told
