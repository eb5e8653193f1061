"""Write a trained network as the folder that the service loads: int8 weights with a scale a row, tokenizer, config."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import BertConfig

from agent.sentiment.engine import SENTIMENTS
from training.network import Network

#: What the folder's config calls its own format; the service refuses any other.
FORMAT = "sentimentagent-classifier-1"
#: What of a BertConfig the service needs.
MEASURES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "hidden_act",
    "max_position_embeddings",
    "type_vocab_size",
    "layer_norm_eps",
)


def quantised(network: Network) -> dict[str, Tensor]:
    """Return a network's weights as the folder keeps them; the emotions' head is left out."""
    return pack({name: value for name, value in network.state_dict().items() if not name.startswith("emotions.")})


def pack(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the encoder's matrices as int8 with one float32 scale a row, everything else as float32.

    A row is rounded to 255 steps between plus and minus its largest weight.
    """
    out: dict[str, Tensor] = {}
    for name, value in weights.items():
        if name.endswith("position_ids"):
            continue
        if value.dim() == 2 and name.startswith("encoder."):  # noqa: PLR2004 - a matrix
            scale = value.float().abs().amax(dim=1).clamp(min=1e-12) / 127
            out[name] = (value.float() / scale.unsqueeze(1)).round().clamp(-127, 127).to(torch.int8).contiguous()
            out[f"{name}.scale"] = scale.contiguous()
        else:
            out[name] = value.float().contiguous()
    return out


def dequantised(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Undo :func:`pack`, as the service does it when it loads."""
    return {
        name: value.float() * weights[f"{name}.scale"].unsqueeze(1) if value.dtype == torch.int8 else value
        for name, value in weights.items()
        if not name.endswith(".scale")
    }


def write(network: Network, tokenizer: dict[str, Any], folder: Path, temperature: float, about: dict[str, Any]) -> None:
    """Write a trained network as a folder; `about` is for people and stands in its config.json."""
    weights = {name: value for name, value in network.state_dict().items() if not name.startswith("emotions.")}
    write_weights(weights, network.encoder.config, "mean", tokenizer, folder, temperature, about)


def write_weights(  # noqa: PLR0913, PLR0917 - one argument for each thing that the folder holds
    weights: dict[str, Tensor],
    bert: BertConfig,
    pooling: str,
    tokenizer: dict[str, Any],
    folder: Path,
    temperature: float,
    about: dict[str, Any],
) -> None:
    """Write model.safetensors, tokenizer.json and config.json into `folder`; what is there is replaced.

    The weights' names start with "encoder." and "decoder.", the decoder's rows being positive, neutral and negative.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "format": FORMAT,
        "labels": list(SENTIMENTS),
        "temperature": round(temperature, 4),
        "pooling": pooling,
        "bert": {name: getattr(bert, name) for name in MEASURES},
        **about,
    }
    save_file(pack(weights), folder / "model.safetensors", metadata={"format": FORMAT})
    (folder / "model.safetensors").chmod(0o644)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
