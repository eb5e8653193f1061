"""Write a trained network as the folder that the service loads: int8 weights with a scale a row, tokenizer, config."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from training.network import Network

#: What the folder's config calls its own format; the service refuses any other.
FORMAT = "sentimentagent-classifier-1"


def quantised(network: Network) -> dict[str, Tensor]:
    """Return the weights by name: matrices as int8 with one float32 scale a row, everything else as float32.

    A row is rounded to 255 steps between plus and minus its largest weight. The emotions' head is left out.
    """
    out: dict[str, Tensor] = {}
    for name, value in network.state_dict().items():
        if name.startswith("emotions.") or name.endswith("position_ids"):
            continue
        if value.dim() == 2 and name.startswith("encoder."):  # noqa: PLR2004 - a matrix
            scale = value.abs().amax(dim=1).clamp(min=1e-12) / 127
            out[name] = (value / scale.unsqueeze(1)).round().clamp(-127, 127).to(torch.int8).contiguous()
            out[f"{name}.scale"] = scale.contiguous()
        else:
            out[name] = value.float().contiguous()
    return out


def dequantised(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Undo :func:`quantised`, as the service does it when it loads."""
    return {
        name: value.float() * weights[f"{name}.scale"].unsqueeze(1) if value.dtype == torch.int8 else value
        for name, value in weights.items()
        if not name.endswith(".scale")
    }


def write(network: Network, tokenizer: dict[str, Any], folder: Path, temperature: float, about: dict[str, Any]) -> None:
    """Write model.safetensors, tokenizer.json and config.json into `folder`; what is there is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    bert = network.encoder.config
    config = {
        "format": FORMAT,
        "labels": ["positive", "neutral", "negative"],
        "temperature": round(temperature, 4),
        "max_tokens": bert.max_position_embeddings,
        "pooling": "mean",
        "bert": {
            "vocab_size": bert.vocab_size,
            "hidden_size": bert.hidden_size,
            "num_hidden_layers": bert.num_hidden_layers,
            "num_attention_heads": bert.num_attention_heads,
            "intermediate_size": bert.intermediate_size,
            "hidden_act": bert.hidden_act,
            "max_position_embeddings": bert.max_position_embeddings,
            "type_vocab_size": bert.type_vocab_size,
            "layer_norm_eps": bert.layer_norm_eps,
        },
        **about,
    }
    save_file(quantised(network), folder / "model.safetensors", metadata={"format": FORMAT})
    (folder / "model.safetensors").chmod(0o644)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
