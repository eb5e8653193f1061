"""A model's files, looked at without torch: what can be known to be wrong is known in milliseconds.

Importing flair and torch takes seconds and some 450 MB; a folder that is missing, incomplete or of another kind is
found before that. What the weights themselves say is the business of :mod:`agent.sentiment.flair_engine`.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from agent.sentiment.engine import SENTIMENTS
from ipc.errors import ModelError

#: The format that :mod:`training.export` writes. Another number means another layout.
FORMAT: Final = "sentimentagent-classifier-1"
#: The folder of the model inside the wheel.
EMBEDDED: Final = Path(__file__).parent / "embedded"
WEIGHTS: Final = "model.safetensors"
TOKENIZER: Final = "tokenizer.json"
CONFIG: Final = "config.json"
#: What :mod:`agent.sentiment.onnx_graph` draws: how onnxruntime computes with the weights beside it.
GRAPH: Final = "model.onnx"
#: The names of a graph's inputs (token ids, and 1 where there is one) and of its output, the logits.
GRAPH_INPUTS: Final = ("input_ids", "attention_mask")
GRAPH_OUTPUT: Final = "logits"
#: Weights in these formats are pickles: loading one runs whatever code its author put in.
PICKLES: Final = frozenset({".pt", ".pth", ".bin", ".pkl", ".pickle", ".ckpt"})
#: A safetensors file begins with the length of its header, an unsigned number in eight bytes, the lowest first.
_LENGTH_BYTES: Final = 8


class Bert(msgspec.Struct, frozen=True):
    """The encoder's measures, by the names of transformers' BertConfig."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    hidden_act: str
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float


class ModelConfig(msgspec.Struct, frozen=True):
    """The part of a folder's config.json that is needed to run; what else stands there is for people."""

    format: str
    labels: list[str]
    temperature: float
    pooling: Literal["mean", "cls", "max"]
    bert: Bert


def folder_of(model: str) -> Path | None:
    """Return the folder that the setting SENTIMENT_MODEL names; None for the name of a hub model.

    Raises:
        ModelError: it names a pickle, or a place where there is no folder.

    """
    if model == "embedded":
        return EMBEDDED
    path = Path(model).expanduser()
    if path.suffix.lower() in PICKLES:
        raise ModelError(
            f"the model {model!r} is a pickle, and loading one runs any code that is in it: expected a folder with "
            f"config.json, tokenizer.json and model.safetensors; if you trust the file, convert it once with "
            f"'python -m training.convert {model} FOLDER' and set SENTIMENT_MODEL=FOLDER"
        )
    if path.is_dir():
        return path
    if path.exists() or model.startswith(("/", "./", "../", "~")):
        found = "a file" if path.exists() else "nothing"
        raise ModelError(f"the model {model!r} is not there: expected a folder, found {found}")
    return None


def is_hub_name(model: str) -> bool:
    """Whether SENTIMENT_MODEL names a model that is fetched: then the network may be to blame, and may come back."""
    try:
        return folder_of(model) is None
    except ModelError:
        return False


def examine(folder: Path) -> tuple[ModelConfig, bytes]:
    """Return the config and the tokenizer of a folder whose files are whole and belong together, as far as is seen.

    Raises:
        ModelError: one is missing, damaged, cut off, or of another model. One sentence for the operator.

    """
    config = _read_config(folder)
    tokenizer = read(folder, "tokenizer.json")
    _check_vocabulary(folder, tokenizer, config.bert.vocab_size)
    read_header(folder)
    return config, tokenizer


def read(folder: Path, name: str) -> bytes:
    """Return the content of one of the folder's files.

    Raises:
        ModelError: there is none that can be read; the text says what is there instead.

    """
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        names = ", ".join(sorted(entry.name for entry in folder.iterdir())) if folder.is_dir() else "no such folder"
        raise ModelError(
            f"the model in {folder} is incomplete: expected a readable {name}, found {names or 'an empty folder'}"
        ) from error


def _read_config(folder: Path) -> ModelConfig:
    raw = read(folder, "config.json")
    try:
        found = json.loads(raw)
    except ValueError as error:
        raise ModelError(f"config.json in {folder} is damaged: expected JSON, found {error}") from error
    kind = found.get("format", found.get("model_type")) if isinstance(found, dict) else type(found).__name__
    if kind != FORMAT:
        raise ModelError(f"the model in {folder} is of another kind: expected the format {FORMAT!r}, found {kind!r}")
    try:
        config = msgspec.convert(found, ModelConfig)
    except msgspec.ValidationError as error:
        raise ModelError(
            f"config.json in {folder} does not describe a model of the format {FORMAT}: {error}"
        ) from error
    if config.labels != list(SENTIMENTS):
        raise ModelError(
            f"the model in {folder} has other labels: expected {', '.join(SENTIMENTS)}, "
            f"found {', '.join(config.labels) or 'none'}"
        )
    if not 0.01 < config.temperature < 100:  # noqa: PLR2004 - beyond these it is no temperature that a fit could give
        raise ModelError(f"the temperature in {folder}/config.json is {config.temperature}: expected about 1")
    return config


def _check_vocabulary(folder: Path, tokenizer: bytes, expected: int) -> None:
    try:
        vocabulary = json.loads(tokenizer)["model"]["vocab"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"tokenizer.json in {folder} is damaged: expected a vocabulary, found none ({error})"
        ) from error
    if len(vocabulary) != expected:
        raise ModelError(
            f"tokenizer.json in {folder} belongs to another model: expected {expected} pieces, found {len(vocabulary)}"
        )


def fingerprint(config: ModelConfig, header: dict[str, Any]) -> str:
    """Return what changes when a graph no longer fits a folder: the measures, or the place of a tensor."""
    measures = [config.pooling, msgspec.to_builtins(config.bert), header]
    return hashlib.sha256(msgspec.json.encode(measures, order="sorted")).hexdigest()


def read_header(folder: Path) -> tuple[dict[str, Any], int]:
    """Return the description of each tensor in the weights' file, and the byte where the first of them starts.

    Raises:
        ModelError: there is no such file, or it is shorter or longer than its own header says: a download that broke
            off.

    """
    path = folder / WEIGHTS
    try:
        with path.open("rb") as file:
            header_bytes = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            found = path.stat().st_size
            raw = file.read(min(header_bytes, found))
    except OSError:
        read(folder, WEIGHTS)  # says what is there instead
        raise
    try:
        header = {name: entry for name, entry in json.loads(raw).items() if name != "__metadata__"}
        expected = _LENGTH_BYTES + header_bytes + max(entry["data_offsets"][1] for entry in header.values())
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ModelError(
            f"{WEIGHTS} in {folder} is damaged: expected a whole safetensors file, found {found} bytes whose header "
            f"can't be read ({type(error).__name__})"
        ) from error
    if found != expected:
        raise ModelError(
            f"{WEIGHTS} in {folder} is damaged: expected a whole safetensors file of {expected} bytes, "
            f"found {found} bytes"
        )
    return header, _LENGTH_BYTES + header_bytes
