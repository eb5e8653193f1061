"""The network while it is trained: an encoder, mean pooling, a linear layer, and a second head that is dropped later.

The student's encoder is a BERT, the teacher's an MPNet. The pooling and the linear layer are those of flair's
TextClassifier over TransformerDocumentEmbeddings with mean pooling, so that the weights fit it without a change.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel, MPNetModel

from training.data import EMOTIONS


class Network(nn.Module):
    """Three logits a text, and 28 more that only help training: the fine emotions say why a text is positive."""

    def __init__(self, encoder: BertModel | MPNetModel) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(0.1)
        self.decoder = nn.Linear(encoder.config.hidden_size, 3)
        self.emotions = nn.Linear(encoder.config.hidden_size, EMOTIONS)

    @property
    def padding(self) -> int:
        """The token id that fills a row up: MPNet counts positions by it."""
        return int(self.encoder.config.pad_token_id)

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of the three classes and of the emotions, both in float32."""
        hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        weights = mask.unsqueeze(-1).float()
        pooled = self.dropout((hidden * weights).sum(1) / weights.sum(1))
        return self.decoder(pooled).float(), self.emotions(pooled).float()


def student(config: BertConfig) -> Network:
    """Build an untrained student."""
    return Network(BertModel(config, add_pooling_layer=False))


def teacher(base: Path, frozen_layers: int) -> Network:
    """Build the teacher from a base MPNet; its embeddings and its first `frozen_layers` stay as they are.

    Only the pooled vector is dropped out: on a processor the dice for every layer cost a fifth of the time, and two
    epochs are too few to learn texts by heart.
    """
    encoder = MPNetModel.from_pretrained(
        base, add_pooling_layer=False, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    )
    encoder.embeddings.requires_grad_(False)
    for layer in encoder.encoder.layer[:frozen_layers]:
        layer.requires_grad_(False)
    return Network(encoder)


def from_base(base: Path, rows: Sequence[int]) -> Network:
    """Build the student from a base BERT and those `rows` of its embedding matrix that its vocabulary keeps."""
    full = BertModel.from_pretrained(base, add_pooling_layer=False)
    network = student(BertConfig.from_pretrained(base, vocab_size=len(rows), attention_probs_dropout_prob=0.0))
    state = full.state_dict()
    words = "embeddings.word_embeddings.weight"
    network.encoder.load_state_dict({**state, words: state[words][torch.tensor(rows)]})
    return network
