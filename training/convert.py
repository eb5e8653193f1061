"""Turn a flair TextClassifier's pickle (.pt) into a folder that the service loads without unpickling anything.

    python -m training.convert best-model.pt FOLDER

Loading the pickle runs whatever code its author put in: do it once, on a machine you can lose, with a file you trust.
Only what the folder's format knows can be turned: BERT over flair's TransformerDocumentEmbeddings (last layer, one of
mean, cls and max pooling) with the three labels positive, neutral and negative, in any order.
"""

import argparse
import json
from pathlib import Path
from typing import Any, cast

import torch
from flair.models import TextClassifier

from agent.sentiment.engine import SENTIMENTS
from training import export


def main() -> None:
    """Convert one file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pickle", type=Path)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    convert(cast("Any", TextClassifier.load(given.pickle)), given.folder, str(given.pickle.name))
    print(f"wrote {given.folder}: set SENTIMENT_MODEL to its path")


def convert(classifier: Any, folder: Path, origin: str) -> None:  # noqa: ANN401 - flair's attributes have no types
    """Write a loaded classifier as a folder of the service's format.

    Raises:
        SystemExit: the format has no place for what the classifier is.

    """
    embeddings = classifier.embeddings
    labels = [label.lower() for label in classifier.label_dictionary.get_items()]
    if sorted(labels) != sorted(SENTIMENTS):
        raise SystemExit(f"expected the labels {', '.join(SENTIMENTS)}, found {', '.join(labels)}")
    config = getattr(getattr(embeddings, "model", None), "config", None)
    if (
        config is None
        or config.model_type != "bert"
        or embeddings.layer_indexes not in ([-1], [config.num_hidden_layers])
    ):
        raise SystemExit(f"expected the last layer of a BERT, found {embeddings}")
    weights = {f"encoder.{name}": value for name, value in embeddings.model.state_dict().items()}
    order = [labels.index(sentiment) for sentiment in SENTIMENTS]
    weights |= {f"decoder.{name}": value[order] for name, value in classifier.decoder.state_dict().items()}
    kept = {name: value for name, value in weights.items() if "pooler." not in name}
    tokenizer = json.loads(embeddings.tokenizer.backend_tokenizer.to_str())
    with torch.no_grad():
        export.write_weights(kept, config, embeddings.cls_pooling, tokenizer, folder, 1.0, {"converted_from": origin})


if __name__ == "__main__":
    main()
