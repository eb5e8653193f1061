"""The engine that is flair: the one module of the service that imports flair, torch, transformers and safetensors.

Importing it takes seconds and some 450 MB, so whoever needs an engine imports it late, in a worker thread.

    engine = load("embedded")
    engine.score(["I love it", "it broke again"])

The embedded model, and any folder in its format, is rebuilt as a flair TextClassifier from safetensors, a tokenizer and
a config: nothing is fetched and nothing is unpickled. A model comes as int8 and is held in bfloat16 where the processor
multiplies in it, else in float32.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import zipfile
from typing import TYPE_CHECKING, Any, cast

import flair
import msgspec
import torch
from flair.data import Dictionary, Sentence
from flair.embeddings import TransformerDocumentEmbeddings
from flair.models import TextClassifier
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from transformers import BertConfig

from agent.sentiment import batching
from agent.sentiment.engine import SENTIMENTS, TextFailure
from agent.sentiment.model_folder import WEIGHTS, examine, folder_of, read
from agent.sentiment.piecewise import PIECE_TOKENS, PiecewiseEngine
from ipc.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agent.sentiment.engine import Engine
    from agent.sentiment.model_folder import ModelConfig
    from agent.sentiment.piecewise import Probabilities

_log = logging.getLogger(__name__)

#: Compiled products that oneDNN keeps, some five a shape of batch. Measured after 16,000 mixed texts: 534 MB with 64,
#: at the same speed as its default of 1,024, which held 558 MB and grew on; 525 MB with 16, for 4 % more time.
_KERNELS = 64
#: Two-class models have no neutral. Below this confidence their answer is taken for one. Chosen, not measured.
TWO_CLASS_CONFIDENCE = 0.75


def load(model: str, *, threads: int = 1) -> Engine:
    """Load a model by the name of the setting SENTIMENT_MODEL, and score one sentence to see that it works.

    `model` is "embedded", the path of a folder in the embedded model's format, or the name of a hub model:
    "flair:sentiment", "flair:sentiment-fast", or an owner/name of the Hugging Face hub. flair fetches and unpickles
    those. `threads` is torch's, and holds for the whole process; more than one pays only where the cores are idle.

    Raises:
        ModelError: it is missing, damaged, of another kind, or not to be had. One sentence for the operator.

    """
    # Read by oneDNN at its first product; an operator's own value holds.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(_KERNELS))
    torch.set_num_threads(threads)
    flair.device = torch.device("cpu")
    _quiet_flair()
    engine = _open(model)
    (outcome,) = engine.score(["I love how well this works."])
    if isinstance(outcome, TextFailure):
        raise ModelError(f"the model {model!r} was loaded but cannot score one plain sentence: {outcome.error}")
    return engine


class EmbeddedModel:
    """A flair TextClassifier over a BERT whose rows are token ids; batched here, as flair's predict wastes time.

    `predict` wraps each word of each text in an object, splits words another way than the training did (which changed
    20 of 1,500 labels) and batches by count: 186 comments a second, where this reached 224 in float32 and 422 in
    bfloat16. The numbers go through the same classifier object: its embeddings' forward, then its decoder.
    """

    def __init__(self, classifier: TextClassifier, temperature: float) -> None:
        self.classifier = cast("Any", classifier)  # torch gives a module's attributes no type
        self._temperature = temperature
        self._tokenizer = self.classifier.embeddings.tokenizer.backend_tokenizer
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(PIECE_TOKENS)

    def rows(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokenise, without the offsets, which nobody asks for and which cost a third."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]

    def run(self, rows: Sequence[Sequence[int]]) -> list[Probabilities]:
        """Score token ids. Nothing is kept: no gradients, no embeddings."""
        lengths = torch.tensor([len(row) for row in rows])
        longest = batching.padded(int(lengths.max()))
        ids = torch.tensor([[*row, *([0] * (longest - len(row)))] for row in rows])
        mask = (torch.arange(longest) < lengths.unsqueeze(1)).long()
        with torch.inference_mode():
            found = self.classifier.embeddings(input_ids=ids, attention_mask=mask, sub_token_lengths=lengths)
            logits = self.classifier.decoder(found["document_embeddings"].float())
            probabilities = (logits.double() / self._temperature).softmax(dim=1).tolist()
        return [(positive, neutral, negative) for positive, neutral, negative in probabilities]


class HubModel:
    """Any flair TextClassifier with labels of two or three sentiments, run through flair's own predict."""

    def __init__(self, classifier: TextClassifier, model: str) -> None:
        self._classifier = classifier
        labels = classifier.label_dictionary.get_items()
        self._sides = {label: side for label in labels if (side := _side_of(label)) is not None}
        if not {0, 2} <= set(self._sides.values()) or set(labels) - set(self._sides) - {"<unk>", "O"}:
            raise ModelError(
                f"the model {model!r} is not a sentiment model: expected the labels positive and negative, "
                f"with or without neutral, found {', '.join(labels) or 'none'}"
            )

    def rows(self, texts: Sequence[str]) -> list[str]:
        """Keep the texts: flair tokenises them. A row's length is in characters, four times its tokens or less."""
        return list(texts)

    def run(self, rows: Sequence[Sequence[str]]) -> list[Probabilities]:
        """Score texts as flair does, and take all labels' probabilities rather than flair's first."""
        sentences = [Sentence("".join(row)) for row in rows]
        self._classifier.predict(
            sentences, mini_batch_size=32, return_probabilities_for_all_classes=True, embedding_storage_mode="none"
        )
        return [self._probabilities(sentence) for sentence in sentences]

    def _probabilities(self, sentence: Sentence) -> Probabilities:
        sides = [0.0, 0.0, 0.0]
        for label in sentence.get_labels(self._classifier.label_type):
            if label.value in self._sides:
                sides[self._sides[label.value]] += label.score
        total = sum(sides)
        if not total:
            raise ValueError("flair gave the text no label")
        positive, neutral, negative = (side / total for side in sides)
        if 1 in self._sides.values():
            return positive, neutral, negative
        return three_of_two(positive)


def three_of_two(positive: float) -> Probabilities:
    """Make three probabilities of a two-class model's one, so that neutral wins below `TWO_CLASS_CONFIDENCE`.

    What one side leads by is that side's; the rest is neutral. Equal at a lead of 0.5, which is a confidence of 0.75.
    """
    lead = 2 * positive - 1
    scaled = lead * 0.5 / (2 * TWO_CLASS_CONFIDENCE - 1)
    scaled = max(-1.0, min(1.0, scaled))
    return max(0.0, scaled), 1 - abs(scaled), max(0.0, -scaled)


def _open(model: str) -> Engine:
    folder = folder_of(model)
    return (
        _open_hub(model) if folder is None else _open_folder(folder, "embedded" if model == "embedded" else folder.name)
    )


def _open_folder(folder: Path, name: str) -> Engine:
    """Rebuild flair's TextClassifier from a folder in our format."""
    config, tokenizer = examine(folder)
    weights, digest = _read_weights(folder)
    classifier = _classifier(config, tokenizer)
    encoder = cast("Any", classifier).embeddings.model
    _fill({"encoder.": encoder, "decoder.": classifier.decoder}, weights, folder)
    if _has_bfloat16():
        encoder.to(torch.bfloat16)
    classifier.eval()
    return PiecewiseEngine(f"{name} ({digest[:8]})", EmbeddedModel(classifier, config.temperature))


def _open_hub(model: str) -> Engine:
    """Let flair fetch a model by name. It comes as a pickle, from whom the operator named."""
    _log.warning("flair fetches and unpickles the model %s: that runs code of its author", model)
    try:
        classifier = TextClassifier.load(model.removeprefix("flair:"))
    except Exception as error:  # flair, requests, the hub and pickle each have their own
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"the model {model!r} is neither 'embedded' nor a folder, and flair could not fetch it by that name: "
            f"{type(error).__name__}: {reason}"
        ) from error
    classifier.eval()
    return PiecewiseEngine(model, HubModel(classifier, model))


def _read_weights(folder: Path) -> tuple[dict[str, torch.Tensor], str]:
    """Return the weights in float32 and the SHA-256 of their file. An int8 matrix has one scale a row."""
    raw = read(folder, WEIGHTS)
    try:
        stored = load_safetensors(raw)
    except SafetensorError as error:
        raise ModelError(
            f"model.safetensors in {folder} is damaged: expected a whole safetensors file, found {len(raw)} bytes "
            f"that don't read as one ({error})"
        ) from error
    weights = {name: value for name, value in stored.items() if not name.endswith(".scale")}
    for name, value in weights.items():
        if value.dtype == torch.int8:
            scale = stored.get(f"{name}.scale")
            if scale is None or scale.shape != value.shape[:1]:
                raise ModelError(
                    f"model.safetensors in {folder} has no scale a row for {name}: expected {value.shape[0]}"
                )
            weights[name] = value.float() * scale.float().unsqueeze(1)
        else:
            weights[name] = value.float()
    return weights, hashlib.sha256(raw).hexdigest()


def _classifier(config: ModelConfig, tokenizer: bytes) -> TextClassifier:
    """Build an empty classifier by flair's own parts, without a look at the network or the disk's caches."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as files:
        files.writestr("tokenizer.json", tokenizer)
        about = {"tokenizer_class": "BertTokenizerFast", "model_max_length": config.bert.max_position_embeddings}
        files.writestr("tokenizer_config.json", json.dumps(about))
        files.writestr("config.json", json.dumps({"model_type": "bert"}))
    packed.seek(0)
    embeddings = TransformerDocumentEmbeddings(
        model="embedded",
        name="embedded",
        saved_config=BertConfig(  # type: ignore[no-untyped-call]
            **msgspec.structs.asdict(config.bert), output_hidden_states=True
        ),
        tokenizer_data=packed,
        layers="-1",
        cls_pooling=config.pooling,
        fine_tune=False,
        use_context_separator=False,
    )
    embeddings.model.pooler = None  # BERT's own pooler is neither trained nor read
    labels = Dictionary(add_unk=False)
    for label in config.labels:
        labels.add_item(label)
    return TextClassifier(embeddings, label_type="sentiment", label_dictionary=labels, multi_label=False)


def _fill(modules: dict[str, torch.nn.Module], weights: dict[str, torch.Tensor], folder: Path) -> None:
    """Put the weights into the modules by their names' prefixes, none missing and none left over."""
    expected = {
        f"{prefix}{name}": value for prefix, module in modules.items() for name, value in module.state_dict().items()
    }
    for name in sorted(expected.keys() | weights.keys()):
        wanted = tuple(expected[name].shape) if name in expected else "nothing"
        found = tuple(weights[name].shape) if name in weights else "nothing"
        if wanted != found:
            raise ModelError(
                f"model.safetensors in {folder} does not fit its config.json: "
                f"for {name} expected {wanted}, found {found}"
            )
    for prefix, module in modules.items():
        own = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
        module.load_state_dict(own)


def _side_of(label: str) -> int | None:
    """Return 0 for a positive label, 1 for neutral, 2 for negative, None for anything else."""
    name = label.lower()
    return next((side for side, word in enumerate(SENTIMENTS) if name in {word, word[:3]}), None)


def _has_bfloat16() -> bool:
    """Whether the processor multiplies in bfloat16: 1.9 times the speed there, and 1 of 1,500 labels differed."""
    return bool(torch.cpu._is_avx512_bf16_supported())  # noqa: SLF001 - torch has no public name for it


def _quiet_flair() -> None:
    """Take flair's own handler off: it prints to stdout, past our log's format. What it logs goes to the root."""
    logger = logging.getLogger("flair")
    logger.handlers.clear()
    logger.propagate = True
    logger.setLevel(logging.WARNING)
