"""The engine that is onnxruntime: the one module of the service that imports onnxruntime and tokenizers.

    engine = load("embedded")
    engine.score(["I love it", "it broke again"])

It scores with the same weights as :mod:`agent.sentiment.flair_engine`, by the graph that `sentimentagent model export`
put beside them, and imports neither flair nor torch: a start in a fraction of a second, a fifth of the memory.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from agent.sentiment import batching
from agent.sentiment.engine import TextFailure
from agent.sentiment.model_folder import (
    GRAPH,
    GRAPH_INPUTS,
    GRAPH_OUTPUT,
    TOKENIZER,
    WEIGHTS,
    examine,
    fingerprint,
    folder_of,
    read,
    read_header,
)
from agent.sentiment.piecewise import PIECE_TOKENS, PiecewiseEngine
from ipc.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agent.sentiment.engine import Engine
    from agent.sentiment.model_folder import ModelConfig
    from agent.sentiment.piecewise import Probabilities

#: onnxruntime's level of its own log: errors only, which come to us as exceptions too.
_ERRORS = 3


def load(model: str, *, threads: int = 1) -> Engine:
    """Load a model by the name of the setting SENTIMENT_MODEL, and score one sentence to see that it works.

    `model` is "embedded" or the path of a folder with a graph beside its weights. `threads` are onnxruntime's, for this
    model alone.

    Raises:
        ModelError: it is missing, damaged, of another kind, or has no graph. One sentence for the operator.

    """
    folder = folder_of(model)
    if folder is None:
        raise ModelError(
            f"the model {model!r} is a name of a hub, and those only flair can load: expected 'embedded' or a folder; "
            f"set SENTIMENT_ENGINE=flair, or name a folder"
        )
    engine = _open(folder, "embedded" if model == "embedded" else folder.name, threads)
    (outcome,) = engine.score(["I love how well this works."])
    if isinstance(outcome, TextFailure):
        raise ModelError(f"the model {model!r} was loaded but cannot score one plain sentence: {outcome.error}")
    return engine


class GraphModel:
    """A graph and its tokenizer, as an :class:`agent.sentiment.piecewise.Model`: rows are token ids."""

    def __init__(self, session: onnxruntime.InferenceSession, tokenizer: Tokenizer, temperature: float) -> None:
        self._session = session
        self._temperature = temperature
        self._tokenizer = tokenizer
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(PIECE_TOKENS)

    def rows(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokenise, without the offsets, which nobody asks for and which cost a third."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]

    def run(self, rows: Sequence[Sequence[int]]) -> list[Probabilities]:
        """Score token ids."""
        longest = batching.padded(max(map(len, rows)))
        ids = np.zeros((len(rows), longest), np.int64)
        mask = np.zeros_like(ids)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row
            mask[number, : len(row)] = 1
        (logits,) = self._session.run([GRAPH_OUTPUT], dict(zip(GRAPH_INPUTS, (ids, mask), strict=True)))
        scaled = np.asarray(logits, np.float64) / self._temperature
        powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        probabilities = (powers / powers.sum(axis=1, keepdims=True)).tolist()
        return [(positive, neutral, negative) for positive, neutral, negative in probabilities]


def _open(folder: Path, name: str, threads: int) -> Engine:
    config, raw_tokenizer = examine(folder)
    weights = read(folder, WEIGHTS)
    session = _session(folder, config, weights, threads)
    try:
        tokenizer = Tokenizer.from_buffer(raw_tokenizer)
    except Exception as error:  # tokenizers raises Exception itself
        raise ModelError(f"{TOKENIZER} in {folder} is damaged: expected a tokenizer, found {error}") from error
    return PiecewiseEngine(
        f"{name} ({hashlib.sha256(weights).hexdigest()[:8]}, onnx)", GraphModel(session, tokenizer, config.temperature)
    )


def _session(folder: Path, config: ModelConfig, weights: bytes, threads: int) -> onnxruntime.InferenceSession:
    """Put the graph and the weights together, and hold both to be made for each other."""
    graph = _read_graph(folder)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that wait by turning in circles take the cores of the other processes.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # From memory: the bytes that were examined are the bytes that are used, wherever links of the folder lead.
    options.add_external_initializers_from_files_in_memory([WEIGHTS], [weights], [len(weights)])
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a dozen kinds, none of them public
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"{GRAPH} in {folder} is damaged or of another kind: expected the graph that 'sentimentagent model export' "
            f"makes of this folder, found {len(graph)} bytes that onnxruntime refuses: {reason}"
        ) from error
    made_for = session.get_modelmeta().custom_metadata_map.get("made_for")
    if made_for != fingerprint(config, read_header(folder)[0]):
        inputs = ", ".join(one.name for one in session.get_inputs()) or "none"
        found = "one that was made for other weights" if made_for else f"another graph, with the inputs {inputs}"
        raise ModelError(
            f"{GRAPH} in {folder} does not belong to this model: expected the graph that 'sentimentagent model export' "
            f"makes of this folder, found {found}"
        )
    return session


def _read_graph(folder: Path) -> bytes:
    if not (folder / GRAPH).exists():
        raise ModelError(
            f"the model in {folder} has no {GRAPH}, which SENTIMENT_ENGINE=onnx runs: make one with "
            f"'sentimentagent model export --model {folder} DEST' and set SENTIMENT_MODEL=DEST"
        )
    return read(folder, GRAPH)
