"""Print the share of the hard cases that each judge gets right, by kind, as the table of docs/model.md.

    HF_HUB_OFFLINE=1 python -m training.hard_cases [--model embedded]

VADER and TextBlob stand beside the model where they are installed (pip install vaderSentiment textblob).
"""

import argparse

from agent.evaluation import Share, kinds
from agent.sentiment import labelled
from agent.sentiment.judges import HARD_CASES, open_judge
from ipc.errors import ModelError


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="embedded", help="as the setting SENTIMENT_MODEL")
    given = parser.parse_args()
    examples, _ = labelled.read(HARD_CASES)
    columns: dict[str, dict[str, Share] | None] = {}
    for name in ("vader", "textblob", given.model):
        try:
            judge = open_judge(name)
        except ModelError as error:
            if name == given.model:
                raise SystemExit(str(error)) from error
            columns[name] = None
        else:
            columns[judge.name] = kinds(examples, judge.judge(examples))
    print(f"| kind | texts | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 2)}")
    for kind in dict.fromkeys(example.kind for example in examples if example.kind):
        count = sum(example.kind == kind for example in examples)
        print(f"| {kind} | {count} | {' | '.join(_cell(shares, kind) for shares in columns.values())} |")
    print(f"| all | {len(examples)} | {' | '.join(_cell(shares, None) for shares in columns.values())} |")


def _cell(shares: dict[str, Share] | None, kind: str | None) -> str:
    if shares is None:
        return "not available"
    chosen = [share for name, share in shares.items() if kind in (None, name)]
    return f"{sum(share.right for share in chosen) / sum(share.n for share in chosen):.0%}"


if __name__ == "__main__":
    main()
