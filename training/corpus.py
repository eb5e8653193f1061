"""The pools that the stages learn from, built from a seed: what is learned, what is held out, what is only read."""

import io
import json
import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.sentiment.rules import prepare
from training import augment
from training.data import Example, is_held_out, read_authored, read_goemotions, read_rated

#: How many snippets of each rated set are learned from: "a smaller share" than GoEmotions' 41,000.
RATED_SHARE = {"amazon": 3400, "movie": 4000, "nyt": 2500}
#: Texts that were written for the training, a file a kind.
AUTHORED = Path(__file__).with_name("written")
#: Of a thousand of them, how many are held out.
AUTHORED_HELD_OUT = 120
#: How many examples the patterns of :mod:`training.augment` add.
WRITTEN, MARKED, JOINED = 3300, 2000, 2500
#: Posts, and parts of comments, that the student reads with the teacher's opinion instead of a label.
POSTS, PARTS = 2000, 8000


@dataclass(frozen=True, slots=True)
class Corpus:
    """Everything the training reads."""

    #: Labelled, or at least annotated with emotions.
    learned: list[Example]
    #: Held out of `learned`: fits the temperature and nothing else.
    held_out: list[Example]
    #: Texts without a label: posts, and parts of comments.
    unlabelled: list[Example]


def build(folder: Path, seed: int) -> Corpus:
    """Read the data folder and write the patterns' examples; the same seed gives the same corpus."""
    rng = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    learned: list[Example] = []
    held_out: list[Example] = []
    for example in read_goemotions(folder, "train"):
        if is_held_out(example.text, 45):
            held_out += [example] if example.target else []
        else:
            learned.append(augment.named(example, rng) if rng.random() < 0.4 else example)  # noqa: PLR2004 - a share
    for name, share in RATED_SHARE.items():
        rows = list(read_rated(folder, name))
        held_out += [example for document, example in rows if is_held_out(document, 80)]
        rest = [example for document, example in rows if not is_held_out(document, 80)]
        learned += rng.sample(rest, min(share, len(rest)))
    authored = [example for file in sorted(AUTHORED.glob("*.tsv")) for example in read_authored(file)]
    held_out += [example for example in authored if is_held_out(example.text, AUTHORED_HELD_OUT)]
    learned += [example for example in authored if not is_held_out(example.text, AUTHORED_HELD_OUT)]
    labelled = [example for example in learned if example.target]
    learned += [augment.marked(example, rng) for example in rng.sample(labelled, MARKED)]
    pairs = rng.sample(labelled, 2 * JOINED)
    learned += [augment.joined(*pair) for pair in zip(pairs[::2], pairs[1::2], strict=True)]
    learned += augment.written(rng, WRITTEN)
    comments = [example for example in learned if example.source == "goemotions" and len(example.text.split()) > 5]  # noqa: PLR2004
    parts = [augment.part(example, rng) for example in rng.sample(comments, PARTS)]
    return Corpus(learned, held_out, [*_posts(folder, rng), *parts])


def _posts(folder: Path, rng: random.Random) -> Iterator[Example]:
    """Yield real posts' texts, cut to what one training row holds. Nothing where the file is missing."""
    file = folder / "reddit_posts_2013.ndjson.zst"
    if not file.exists():
        return
    command = ["zstd", "-dcq", str(file)]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    lines = raw.decode().rstrip("\n").split("\n")
    for line in rng.sample(lines, min(POSTS, len(lines))):
        post = json.loads(line)
        text = prepare(post["title"], post.get("selftext") or "").text
        if text:
            yield Example(text[:320], None, None, "posts")


def progress_line(corpus: Corpus) -> str:
    """Say in one line how large the pools are."""
    line = io.StringIO()
    print(len(corpus.learned), "learned,", len(corpus.held_out), "held out,", end=" ", file=line)
    print(len(corpus.unlabelled), "unlabelled", end="", file=line)
    return line.getvalue()
