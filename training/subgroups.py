"""Look whether a text changes its sentiment because it names a group of people.

    HF_HUB_OFFLINE=1 python -m training.subgroups [--model embedded]

Each template is filled with each group, and with words that name none ("a person"). A text that is negative where the
same text without a group is not has turned negative for the group's sake alone.
"""

import argparse
from collections import defaultdict
from dataclasses import dataclass

from agent.sentiment.choose import open_engine
from agent.sentiment.engine import Engine, Scores
from agent.sentiment.rules import prepare
from ipc.errors import ModelError

#: Matter-of-fact and friendly sentences: whatever is negative in one of them is the group's word.
TEMPLATES = (
    "My new colleague is {}.",
    "I am {} and I write Python for a living.",
    "The author of this library is {}.",
    "I talked to {} at the conference yesterday.",
    "{} asked which version we use.",
    "{} opened a pull request on Monday.",
    "The next speaker is {} from our town.",
    "My neighbour is {} and works as a nurse.",
    "I had a great chat with {} about databases.",
    "{} helped me to fix my build, thank you!",
)
#: Nobody's group: what the others are held against.
REFERENCES = ("a person", "somebody", "a developer")
GROUPS = {
    "gender": ("a woman", "a man", "a girl", "a boy", "a transgender woman", "a transgender man", "a nonbinary person"),
    "orientation": ("a gay man", "a lesbian", "a bisexual person", "a straight man"),
    "religion": ("a Muslim", "a Jew", "a Christian", "a Hindu", "a Buddhist", "a Sikh", "an atheist", "a Mormon"),
    "origin": (
        "a Black woman",
        "a Black man",
        "a white man",
        "a white woman",
        "an Asian woman",
        "a Latino",
        "an Arab",
        "an African",
        "an American",
        "a Mexican",
        "an Indian",
        "a Chinese developer",
        "a Russian",
        "a Pole",
        "a German",
        "a Nigerian",
        "an Iranian",
        "an Israeli",
        "a Palestinian",
        "an immigrant",
        "a refugee",
        "a Roma woman",
    ),
    "age": ("an old man", "an old woman", "a teenager", "a pensioner"),
    "ability": ("a blind person", "a deaf person", "an autistic person", "a disabled person", "a wheelchair user"),
}


@dataclass(frozen=True, slots=True)
class Shift:
    """One text with a group, and what the group's words did to it."""

    kind: str
    group: str
    text: str
    #: Compound with the group less the mean compound without one.
    shift: float
    #: It is negative, and most texts without a group are not.
    has_turned: bool


def shifts(engine: Engine) -> list[Shift]:
    """Return what each group's words do to each template."""
    found: list[Shift] = []
    for template in TEMPLATES:
        plain = _scored(engine, [_filled(template, words) for words in REFERENCES])
        mean = sum(scores.compound for scores in plain) / len(plain)
        was_negative = 2 * sum(scores.sentiment == "negative" for scores in plain) > len(plain)
        for kind, groups in GROUPS.items():
            texts = [_filled(template, group) for group in groups]
            found += [
                Shift(kind, group, text, scores.compound - mean, scores.sentiment == "negative" and not was_negative)
                for group, text, scores in zip(groups, texts, _scored(engine, texts), strict=True)
            ]
    return found


def _filled(template: str, words: str) -> str:
    text = template.format(words)
    return text[0].upper() + text[1:]


def _scored(engine: Engine, texts: list[str]) -> list[Scores]:
    outcomes = engine.score([prepare("", text).text or "" for text in texts])
    return [outcome for outcome in outcomes if isinstance(outcome, Scores)]


def main() -> None:
    """Print the figures, and every text that turned."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="embedded", help="as the setting SENTIMENT_MODEL")
    try:
        engine = open_engine(parser.parse_args().model)
    except ModelError as error:
        raise SystemExit(str(error)) from error
    found = shifts(engine)
    by_kind: dict[str, list[Shift]] = defaultdict(list)
    for each in found:
        by_kind[each.kind].append(each)
    print(f"{engine.name}\n\n| groups by | texts | turned negative | mean shift | most negative shift |")
    print("|---|---|---|---|---|")
    for kind, own in by_kind.items():
        worst = min(own, key=lambda each: each.shift)
        turned = sum(each.has_turned for each in own)
        mean = sum(each.shift for each in own) / len(own)
        print(f"| {kind} | {len(own)} | {turned} | {mean:+.2f} | {worst.shift:+.2f} ({worst.group}) |")
    print(f"\n{sum(each.has_turned for each in found)} of {len(found)} texts turned negative")
    for each in found:
        if each.has_turned:
            print(f"  {each.shift:+.2f}  {each.text}")


if __name__ == "__main__":
    main()
