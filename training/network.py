"""The network while it is trained: a short BERT, mean pooling, a linear layer, and a second head that is dropped later.

The pooling and the linear layer are those of flair's TextClassifier over TransformerDocumentEmbeddings with
mean pooling, so that the weights fit it without a change.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from training.data import EMOTIONS


class Network(nn.Module):
    """Three logits a text, and 28 more that only help training: the fine emotions say why a text is positive."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.encoder = BertModel(config, add_pooling_layer=False)
        self.dropout = nn.Dropout(0.1)
        self.decoder = nn.Linear(config.hidden_size, 3)
        self.emotions = nn.Linear(config.hidden_size, EMOTIONS)

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of the three classes and of the emotions, both in float32."""
        hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        weights = mask.unsqueeze(-1).float()
        pooled = self.dropout((hidden * weights).sum(1) / weights.sum(1))
        return self.decoder(pooled).float(), self.emotions(pooled).float()


def from_base(base: Path, rows: Sequence[int], layers: Sequence[int]) -> Network:
    """Build the network from a base model's embedding `rows` and its encoder `layers`, both by index."""
    full = BertModel.from_pretrained(base, add_pooling_layer=False)
    config = BertConfig.from_pretrained(base, num_hidden_layers=len(layers), vocab_size=len(rows))
    network = Network(config)
    own = network.encoder
    with torch.no_grad():
        own.embeddings.load_state_dict(
            {
                name: value[torch.tensor(rows)] if name == "word_embeddings.weight" else value
                for name, value in full.embeddings.state_dict().items()
            }
        )
        for mine, theirs in enumerate(layers):
            own.encoder.layer[mine].load_state_dict(full.encoder.layer[theirs].state_dict())
    return network


def shortened(network: Network, layers: Sequence[int]) -> Network:
    """Copy a trained network with only some of its encoder `layers`: where the student starts from."""
    config = BertConfig.from_dict({**network.encoder.config.to_dict(), "num_hidden_layers": len(layers)})
    short = Network(config)
    state = network.state_dict()
    kept = {name: value for name, value in state.items() if not name.startswith("encoder.encoder.layer.")}
    for mine, theirs in enumerate(layers):
        prefix = f"encoder.encoder.layer.{theirs}."
        kept |= {
            f"encoder.encoder.layer.{mine}.{name.removeprefix(prefix)}": value
            for name, value in state.items()
            if name.startswith(prefix)
        }
    short.load_state_dict(kept)
    return short
