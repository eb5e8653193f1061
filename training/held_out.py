"""Measure a model on the texts that were kept from its training, by source, with VADER beside it.

    HF_HUB_OFFLINE=1 python -m training.held_out --data FOLDER [--model embedded]

GoEmotions' part is of its train split; ratings are cut at 0.5 and -0.5.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from agent.evaluation import evaluation
from agent.sentiment.engine import SENTIMENTS
from agent.sentiment.judges import open_judge
from agent.sentiment.labelled import Example
from training import corpus, data
from training.data import is_held_out, read_authored, read_goemotions, read_rated


def sources(folder: Path) -> Iterator[tuple[str, list[data.Example]]]:
    """Yield each source's name and its held-out examples, cut as :mod:`training.corpus` cuts them."""
    yield (
        "goemotions",
        [each for each in read_goemotions(folder, "train") if each.target and is_held_out(each.text, 45)],
    )
    for name in corpus.RATED_SHARE:
        yield name, [each for document, each in read_rated(folder, name) if is_held_out(document, 80)]
    for file in sorted(corpus.AUTHORED.glob("*.tsv")):
        rows = read_authored(file)
        yield file.stem, [each for each in rows if is_held_out(each.text, corpus.AUTHORED_HELD_OUT)]


def main() -> None:
    """Print a line a source and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with goemotions/ and vader/")
    parser.add_argument("--model", default="embedded", help="as the setting SENTIMENT_MODEL")
    given = parser.parse_args()
    judges = [open_judge(name, threads=1) for name in (given.model, "vader")]
    for source, examples in sources(given.data):
        texts = [
            Example(number, SENTIMENTS[each.target.index(max(each.target))], "", each.text)
            for number, each in enumerate(examples, start=1)
            if each.target is not None
        ]
        for judge in judges:
            told = evaluation(judge.name, source, texts, judge.judge(texts), []).figures
            print(
                f"{source:18} {len(texts):5} {judge.name:22} macro-F1 {told.macro_f1:.3f} accuracy {told.accuracy:.3f}"
            )


if __name__ == "__main__":
    main()
