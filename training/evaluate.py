"""Measure a model on GoEmotions' own files, with VADER beside it on the same texts in the same run.

    HF_HUB_OFFLINE=1 python -m training.evaluate DATA/goemotions/dev.tsv [--model embedded] [--threads 1]

FILE has a comment a line: text, label indices, id; labels.txt stands beside it, and data.group makes three classes of
its 28. For files with our three labels there is `sentimentagent model evaluate`, which counts
the same.
"""

import argparse
import time
from pathlib import Path

from agent import evaluation_words
from agent.evaluation import evaluation
from agent.sentiment.engine import SENTIMENTS
from agent.sentiment.judges import open_judge
from agent.sentiment.labelled import Example
from ipc.errors import ModelError
from training.data import group


def read(file: Path) -> list[Example]:
    """Return every comment that the grouping rule leaves a label."""
    names = (file.parent / "labels.txt").read_text(encoding="utf-8").split()
    found = []
    for number, line in enumerate(file.read_text(encoding="utf-8").rstrip("\n").split("\n"), start=1):
        text, indices, _id = line.split("\t")
        label = group({names[int(index)] for index in indices.split(",")})
        if label is not None:
            found.append(Example(number, SENTIMENTS[label], "", text))
    return found


def main() -> None:
    """Print the figures of the model and of VADER."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--model", default="embedded", help="as the setting SENTIMENT_MODEL")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    examples = read(given.file)
    for name in (given.model, "vader"):
        try:
            judge = open_judge(name, threads=given.threads)
        except ModelError as error:
            print(error)
            continue
        started = time.perf_counter()
        answers = judge.judge(examples)
        speed = len(examples) / (time.perf_counter() - started)
        print(evaluation_words.of_evaluation(evaluation(judge.name, str(given.file), examples, answers, [])))
        print(f"{speed:.0f} texts/s, rules and tokens included\n")


if __name__ == "__main__":
    main()
