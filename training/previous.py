"""What a new student takes over from the version before it: its weights, halfway, and its opinions.

Both began at the same base with the same layers and learned much the same, so the mean of their weights is a model too,
and one that keeps what each is better at (Wortsman et al., 2022, "Robust fine-tuning of zero-shot models").
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file

from training import export
from training.network import Network

_ROWS = "encoder.embeddings.word_embeddings.weight"


def read(folder: Path, vocabulary: dict[str, int], like: Network) -> Network:
    """Return the model in `folder` as a network with the vocabulary and the measures of `like`.

    Pieces that it does not have, and the emotions' head, which no folder holds, are those of `like`.

    Raises:
        RuntimeError: its measures are others.

    """
    weights = export.dequantised(load_file(folder / "model.safetensors"))
    own = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    rows = like.state_dict()[_ROWS].clone()
    for piece, row in vocabulary.items():
        if piece in own:
            rows[row] = weights[_ROWS][own[piece]]
    network = Network(like.encoder.config)
    network.load_state_dict({**like.state_dict(), **weights, _ROWS: rows})
    return network


def halfway(one: Network, other: Network) -> Network:
    """Return the network with the mean of both's weights."""
    network = Network(one.encoder.config)
    others = other.state_dict()
    network.load_state_dict(
        {
            name: torch.lerp(value, others[name], 0.5) if value.is_floating_point() else value
            for name, value in one.state_dict().items()
        }
    )
    return network
