"""The real flair with the real embedded model: loading, scoring, failing. No network, no model hub."""

import importlib
import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("flair", reason="flair is not installed: pip install 'sentimentagent[analyzer]'")

import torch
from flair.data import Dictionary, Sentence
from flair.models import TextClassifier
from safetensors.torch import load_file, save_file

from agent.sentiment import figures, flair_engine, piecewise
from agent.sentiment.engine import SENTIMENTS, Engine, Scores, TextFailure
from agent.sentiment.flair_engine import HubModel, load, three_of_two
from agent.sentiment.judges import ModelJudge
from agent.sentiment.model_folder import EMBEDDED
from agent.sentiment.piecewise import PiecewiseEngine
from agent.sentiment.rules import prepare
from ipc.errors import ModelError

pytestmark = pytest.mark.model

#: Sentences that nobody would argue about.
OBVIOUS = [
    ("I love this, it works perfectly. Thank you so much!", "positive"),
    ("This is the best editor I have ever used.", "positive"),
    ("Great release, everything got faster \U0001f60d", "positive"),
    ("Not bad at all, I am impressed", "positive"),
    ("\U0001f44d", "positive"),
    ("This update is terrible, it broke everything again.", "negative"),
    ("Worst support ever. I hate it.", "negative"),
    ("It is not good at all.", "negative"),
    ("yeah great, another outage", "negative"),
    ("I'm so disappointed \U0001f621", "negative"),
    ("How do I install this on Linux?", "neutral"),
    ("The meeting is on Tuesday at 3pm.", "neutral"),
]


@pytest.fixture(scope="module")
def engine() -> Engine:
    """Load the embedded model once."""
    return load("embedded")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Copy the embedded model to where it may be broken."""
    return Path(shutil.copytree(EMBEDDED, tmp_path / "model"))


def one(engine: Engine, text: str) -> Scores:
    """Score one text that must not fail."""
    (outcome,) = engine.score([text])
    assert isinstance(outcome, Scores)
    return outcome


@pytest.mark.parametrize(("text", "sentiment"), OBVIOUS)
def test_obvious_sentences_are_told_apart(engine: Engine, text: str, sentiment: str) -> None:
    """A dozen sentences, with the negation, the sarcasm and the emoji that others get wrong."""
    prepared = prepare("", text)
    assert prepared.text is not None
    assert one(engine, prepared.text).sentiment == sentiment


def test_probabilities_sum_to_one_and_the_largest_is_the_label(engine: Engine) -> None:
    """What every reader of scores relies on."""
    for text, _ in OBVIOUS:
        scores = one(engine, text)
        three = (scores.positive, scores.neutral, scores.negative)
        assert sum(three) == pytest.approx(1.0)
        assert scores.confidence == max(three) == three[SENTIMENTS.index(scores.sentiment)]
        assert scores.compound == pytest.approx(scores.positive - scores.negative)


def test_the_order_is_kept_and_neighbours_do_not_matter(engine: Engine) -> None:
    """Texts are sorted by length inside; a text's score is its own whoever shares the batch."""
    texts = [text * (1 + number % 7) for number, (text, _) in enumerate(OBVIOUS * 3)]
    random.Random(1).shuffle(texts)  # noqa: S311 - any order, but the same one each time
    together = engine.score(texts)
    for text, outcome in zip(texts, together, strict=True):
        assert isinstance(outcome, Scores)
        # bfloat16 keeps three digits, and another batch's shape rounds elsewhere.
        assert one(engine, text).compound == pytest.approx(outcome.compound, abs=0.03)


def test_nothing_to_score_is_no_call(engine: Engine) -> None:
    """An empty batch is an empty answer."""
    assert engine.score([]) == []


def test_progress_adds_up(engine: Engine) -> None:
    """The heartbeat of a long call counts each text once."""
    steps: list[int] = []
    texts = [text for text, _ in OBVIOUS] * 60 + ["long sentence here. " * 100]
    engine.score(texts, steps.append)
    assert sum(steps) == len(texts)
    assert len(steps) > 3
    assert min(steps) > 0


class Poisoned:
    """A model whose runs break when one word is among the rows: the real one behind the seam that it has."""

    def __init__(self, real: piecewise.Model, word: str) -> None:
        self._real = real
        self._poison = list(real.rows([word])[0][1:-1])
        self.largest = 0

    def rows(self, texts: Sequence[str]) -> Sequence[Sequence[int]]:
        """Tokenise as the real model does."""
        return self._real.rows(texts)

    def run(self, rows: Sequence[Sequence[int]]) -> list[tuple[float, float, float]]:
        """Break on the word; note the padded size."""
        self.largest = max(self.largest, max(map(len, rows)) * len(rows))
        if any(set(self._poison) <= set(row) for row in rows):
            raise RuntimeError("the model fell over")
        return self._real.run(rows)


def test_a_text_that_breaks_the_model_is_alone_in_failing(engine: Engine) -> None:
    """Its neighbours in the batch get the scores that they get without it."""
    assert isinstance(engine, PiecewiseEngine)
    broken = PiecewiseEngine("poisoned", Poisoned(engine.model, "zebra"))
    texts = [text for text, _ in OBVIOUS] * 10
    texts[37] = "a zebra crossed the road"
    outcomes = broken.score(texts)
    assert outcomes[37] == TextFailure("RuntimeError: the model fell over")
    assert all(isinstance(outcome, Scores) for number, outcome in enumerate(outcomes) if number != 37)


def test_a_long_text_with_a_breaking_piece_fails_whole(engine: Engine) -> None:
    """Half a text's score would pass for the whole's."""
    assert isinstance(engine, PiecewiseEngine)
    broken = PiecewiseEngine("poisoned", Poisoned(engine.model, "zebra"))
    (outcome,) = broken.score(["It is a fine day to write tests. " * 20 + "A zebra! " + "And so it went on. " * 20])
    assert isinstance(outcome, TextFailure)


def test_a_lone_surrogate_fails_alone(engine: Engine) -> None:
    """The rules strip them; a text that comes another way still must not take its batch along."""
    good, bad = engine.score(["fine", "broken \ud800 text"])
    assert isinstance(good, Scores)
    assert isinstance(bad, TextFailure)


def test_long_texts_do_not_make_big_batches(engine: Engine) -> None:
    """A batch is bounded by its padded tokens, so that 64 long posts need no more memory than comments."""
    assert isinstance(engine, PiecewiseEngine)
    watched = Poisoned(engine.model, "zebra")
    PiecewiseEngine("watched", watched).score(["Long posts go on and on about it. " * 120] * 4 + ["short"] * 200)
    assert watched.largest <= piecewise.BATCH_TOKENS


def test_a_verdict_at_the_end_of_a_long_story_is_heard(engine: Engine) -> None:
    """Scored whole, long posts drift to neutral."""
    story = "I bought the laptop in May and installed the system on it. The manual has 40 pages. It came in a box. " * 6
    scores = one(engine, story + "I hate it, it is the worst machine I ever had and support was awful. Terrible.")
    assert scores.compound < -0.1


def test_the_name_tells_the_model_and_its_weights(engine: Engine, folder: Path) -> None:
    """Another model under the same word is seen in status and in the store."""
    assert engine.name.startswith("embedded (")
    assert load(str(folder)).name == engine.name.replace("embedded", "model")


def test_threads_are_set_on_purpose(engine: Engine) -> None:
    """One by default, whatever the machine has: the neighbours need the others."""
    assert engine.name
    assert torch.get_num_threads() == 1


def change_config(folder: Path, **changes: object) -> None:
    """Change fields of a copied model's config."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | changes), encoding="utf-8")


def said(model: str | Path) -> str:
    """Return the one sentence that loading a bad model ends with."""
    with pytest.raises(ModelError) as caught:
        load(str(model))
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    """A path that isn't there is not looked for on a hub."""
    assert "expected a folder, found nothing" in said(tmp_path / "nowhere")


def test_a_file_in_a_folders_place_is_told(tmp_path: Path) -> None:
    """Of whatever content."""
    (tmp_path / "model").write_text("hello")
    assert "expected a folder, found a file" in said(tmp_path / "model")


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    """With what was looked for."""
    assert "expected a readable config.json, found an empty folder" in said(tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_told(folder: Path, name: str) -> None:
    """With what is there instead."""
    (folder / name).unlink()
    assert f"expected a readable {name}, found " in said(folder)


def test_truncated_weights_are_told(folder: Path) -> None:
    """A download that broke off."""
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100_000])
    message = said(folder)
    assert "expected a whole safetensors file" in message
    assert "100000 bytes" in message


def test_damaged_json_is_told(folder: Path) -> None:
    """In either file."""
    (folder / "tokenizer.json").write_text("{")
    assert "tokenizer.json" in said(folder)
    (folder / "config.json").write_text("{")
    assert "expected JSON" in said(folder)


@pytest.mark.parametrize("labels", [["negative", "neutral", "positive"], ["POSITIVE", "NEGATIVE"], []])
def test_other_labels_are_told(folder: Path, labels: list[str]) -> None:
    """An other order would call the bad good."""
    change_config(folder, labels=labels)
    assert "expected positive, neutral, negative, found " in said(folder)


def test_a_transformers_folder_is_told(folder: Path) -> None:
    """Another kind of model."""
    (folder / "config.json").write_text(json.dumps({"model_type": "roberta"}))
    assert "found 'roberta'" in said(folder)


def test_a_config_of_another_size_is_told(folder: Path) -> None:
    """Weights that do not fit."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    change_config(folder, bert=config["bert"] | {"num_hidden_layers": config["bert"]["num_hidden_layers"] + 1})
    assert "does not fit its config.json" in said(folder)


def test_a_missing_matrix_is_told(folder: Path) -> None:
    """By its name, with its shape."""
    weights = load_file(folder / "model.safetensors")
    del weights["decoder.weight"]
    save_file(weights, folder / "model.safetensors")
    assert "for decoder.weight expected (3, 384), found nothing" in said(folder)


def test_weights_that_are_no_numbers_are_told(folder: Path) -> None:
    """They load, but cannot score."""
    weights = load_file(folder / "model.safetensors")
    weights["decoder.bias"] = torch.full((3,), float("nan"))
    save_file(weights, folder / "model.safetensors")
    assert "cannot score one plain sentence" in said(folder)


@pytest.mark.parametrize("name", ["best-model.pt", "pytorch_model.bin", "/nowhere/x.PT"])
def test_a_pickle_is_refused_before_it_is_opened(name: str) -> None:
    """Loading one runs its author's code; the sentence says how to convert it."""
    message = said(name)
    assert "runs any code that is in it" in message
    assert "training.convert" in message


def test_a_hub_that_cannot_be_reached_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One sentence, not flair's page."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    message = said("nobody/no-such-sentiment-model")
    assert "neither 'embedded' nor a folder" in message


def hub_classifier(labels: Sequence[str]) -> TextClassifier:
    """Build a flair classifier with the labels that a hub model would bring."""
    dictionary = Dictionary(add_unk=False)
    for label in labels:
        dictionary.add_item(label)
    engine = load("embedded")
    assert isinstance(engine, PiecewiseEngine)
    real = engine.model
    assert isinstance(real, flair_engine.EmbeddedModel)
    classifier = TextClassifier(real.classifier.embeddings.float(), "sentiment", label_dictionary=dictionary)
    decoder = real.classifier.decoder
    chosen = {"positive": 0, "neutral": 1, "negative": 2}
    rows = [chosen.get(label.lower(), 0) for label in labels]
    classifier.decoder.load_state_dict({"weight": decoder.weight[rows], "bias": decoder.bias[rows]})
    return classifier.eval()


def test_a_two_class_hub_model_gets_its_neutral_from_its_confidence() -> None:
    """flair:sentiment knows only POSITIVE and NEGATIVE; the run is flair's own predict."""
    engine = PiecewiseEngine("flair:sentiment", HubModel(hub_classifier(["NEGATIVE", "POSITIVE"]), "flair:sentiment"))
    assert one(engine, "I love it, thank you, it is perfect").sentiment == "positive"
    assert one(engine, "I hate it, it is horrible and broken").sentiment == "negative"
    outcomes = engine.score(["I love it!", "terrible, I hate it", "I love it!"])
    assert [outcome.sentiment for outcome in outcomes if isinstance(outcome, Scores)] == [
        "positive",
        "negative",
        "positive",
    ]


def test_a_three_class_hub_model_keeps_its_own_neutral() -> None:
    """Whatever the order of its labels."""
    engine = PiecewiseEngine("x/y", HubModel(hub_classifier(["negative", "neutral", "positive"]), "x/y"))
    assert one(engine, "The meeting is on Tuesday at 3pm.").sentiment == "neutral"


def test_a_hub_model_of_another_task_is_told() -> None:
    """With its labels."""
    with pytest.raises(ModelError, match="found ham, spam"):
        HubModel(hub_classifier(["ham", "spam"]), "flair:spam")


@pytest.mark.parametrize(
    ("positive", "sentiment"),
    [(1.0, "positive"), (0.76, "positive"), (0.74, "neutral"), (0.5, "neutral"), (0.26, "neutral"), (0.24, "negative")],
)
def test_two_classes_become_three(positive: float, sentiment: str) -> None:
    """Neutral below a confidence of 0.75, and the three still sum to 1."""
    three = three_of_two(positive)
    assert sum(three) == pytest.approx(1.0)
    assert SENTIMENTS[three.index(max(three))] == sentiment


def test_a_slice_of_real_comments_is_scored_well_enough(
    engine: Engine, data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GoEmotions' dev texts, every sixth: macro-F1 of at least 0.70. docs/model.md has the whole set's figures."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2]))  # training/ is in the checkout, not installed
    evaluate = importlib.import_module("training.evaluate")
    examples = evaluate.read(data_folder / "goemotions" / "dev.tsv")[::6]
    answers = ModelJudge(engine).judge(examples)
    assert figures.measure([example.label for example in examples], answers).macro_f1 >= 0.70


def test_loading_does_not_print(capfd: pytest.CaptureFixture[str]) -> None:
    """A process's stdout is its log; flair's own chatter stays out of it."""
    load("embedded")
    Sentence("warm")
    assert capfd.readouterr().out == ""
