"""The training's own machinery, on networks of a few weights: what resumes, what is mixed, what is refused."""

from __future__ import annotations

import importlib
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("transformers", reason="transformers is not installed: pip install 'sentimentagent[analyzer]'")

import torch
from transformers import BertConfig

if TYPE_CHECKING:
    from types import ModuleType

pytestmark = pytest.mark.model

TINY = BertConfig(
    vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, pad_token_id=0
)


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder training/ is in the checkout, not installed."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2]))


@pytest.fixture
def fit() -> ModuleType:
    """Give the loop of training."""
    return importlib.import_module("training.fit")


def _network(seed: int = 1) -> Any:  # noqa: ANN401 - training/ is imported when the test runs
    torch.manual_seed(seed)
    return importlib.import_module("training.network").student(TINY)


def _rows(fit: ModuleType) -> list[Any]:
    """Eight texts of three tokens: two with labels and emotions, two with labels, four that only the teacher judged."""
    positive, negative = torch.tensor([0.9, 0.05, 0.05]), torch.tensor([0.05, 0.05, 0.9])
    emotions, opinion = torch.zeros(28), torch.full((31,), 0.3)
    labelled = [
        fit.Encoded((2, 3, 4), positive, emotions, opinion),
        fit.Encoded((2, 5, 4), negative, emotions, opinion),
    ]
    plain = [fit.Encoded((2, 6, 4), positive, None), fit.Encoded((2, 7, 4), negative, None)]
    return labelled + plain + [fit.Encoded((2, 8 + number, 4), None, None, opinion) for number in range(4)]


def test_a_training_that_was_stopped_ends_with_the_same_weights(fit: ModuleType, tmp_path: Path) -> None:
    """After the first of two epochs; the second one goes on from its checkpoint."""
    rows, recipe = _rows(fit), fit.Recipe(epochs=2, peak_rate=1e-2, batch_tokens=6)
    whole = fit.fit(_network(), rows, recipe, tmp_path / "whole.pt", seed=3)

    calls = iter(range(6))

    def stop(*_: object) -> None:
        if next(calls, None) is None:
            raise KeyboardInterrupt

    interrupted = _network()
    interrupted.register_forward_pre_hook(stop)
    with pytest.raises(KeyboardInterrupt):
        fit.fit(interrupted, rows, recipe, tmp_path / "part.pt", seed=3)
    resumed = fit.fit(_network(seed=2), rows, recipe, tmp_path / "part.pt", seed=3)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value)


def test_a_target_is_mixed_with_the_teachers_opinion_where_there_are_both(fit: ModuleType) -> None:
    """The loss of a row is that of its mixture; a text that nobody judged has the teacher's opinion alone."""
    network = _network().eval()
    recipe = fit.Recipe(epochs=1, peak_rate=1e-3, teacher_weight=0.75, emotion_weight=0.0)
    own, taught = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.2, 0.5, 0.3])
    opinion = torch.cat([taught, torch.full((28,), 0.5)])
    log = network(*fit.padded([(2, 3, 4)], network.padding))[0].log_softmax(1)[0]
    for target, told, expected in (
        (own, None, own),
        (None, opinion, taught),
        (own, opinion, torch.tensor([0.4, 0.375, 0.225])),
    ):
        loss = fit.loss_of(network, [fit.Encoded((2, 3, 4), target, None, told)], recipe, half=False)
        torch.testing.assert_close(loss, -(log * expected).sum())


def test_padding_is_the_networks_own_and_changes_no_answer(fit: ModuleType) -> None:
    """A short text beside a long one is answered as it is alone."""
    network = _network().eval()
    alone = fit.outputs(network, [(2, 3, 4)], half=False)
    beside = fit.outputs(network, [(2, 3, 4), (2, 5, 6, 7, 8, 4)], half=False)
    assert alone.shape == (1, 31)
    torch.testing.assert_close(beside[0], alone[0])


def test_only_the_unused_places_of_a_vocabulary_go(tmp_path: Path) -> None:
    """Every other piece keeps its order, and tells its row in the old matrix."""
    pieces = ["[PAD]", "[unused0]", "[CLS]", "[unused1]", "cat", "##s"]
    state = {
        "model": {"vocab": {piece: number for number, piece in enumerate(pieces)}},
        "truncation": {"max_length": 8},
        "padding": {},
        "added_tokens": [{"id": 2, "content": "[CLS]"}],
        "post_processor": {"special_tokens": {"[CLS]": {"ids": [2]}}},
    }
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps(state), encoding="utf-8")
    fresh, rows = importlib.import_module("training.vocabulary").without_unused(file)
    assert fresh["model"]["vocab"] == {"[PAD]": 0, "[CLS]": 1, "cat": 2, "##s": 3}
    assert rows == [0, 2, 4, 5]
    assert (fresh["added_tokens"][0]["id"], fresh["post_processor"]["special_tokens"]["[CLS]"]["ids"]) == (1, [1])


def _packages(folder: Path, parts: int) -> list[Path]:
    """Write a model as slices of a zip file, a package each."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name in ("config.json", "tokenizer.json", "model.safetensors"):
            archive.writestr(f"model/{name}", name)
    content = whole.getvalue()
    made = []
    for number in range(parts):
        part = content[number * len(content) // parts : (number + 1) * len(content) // parts]
        made.append(folder / f"all-mpnet-part-{number}.tar.gz")
        with tarfile.open(made[-1], "w:gz") as archive:
            about = tarfile.TarInfo(f"part/input/model.zip.00{number}")
            about.size = len(part)
            archive.addfile(about, io.BytesIO(part))
    return made


def test_a_teacher_with_a_part_missing_or_other_weights_is_refused(tmp_path: Path) -> None:
    """In words, and nothing is written."""
    mpnet = importlib.import_module("training.mpnet")
    packages = _packages(tmp_path, 5)
    with pytest.raises(SystemExit, match="expected 5 packages, found 4"):
        mpnet.join(packages[:4], tmp_path / "out")
    with pytest.raises(SystemExit, match="expected weights with the SHA-256"):
        mpnet.join(packages, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_that_is_judged_by_is_learned_from(data_folder: Path) -> None:
    """Neither GoEmotions' dev split nor what is held out, but for texts that people wrote twice ("Thank you!")."""
    corpus, data = importlib.import_module("training.corpus"), importlib.import_module("training.data")
    pools = corpus.build(data_folder, 20)
    learned = {example.text for example in pools.learned + pools.unlabelled}
    dev = {example.text for example in data.read_goemotions(data_folder, "dev")}
    assert len(learned & dev) / len(dev) < 0.01
    long = {example.text for example in pools.held_out if len(example.text.split()) > 12}
    assert not long & learned
