"""Texts written for what the data sets lack: negation, sarcasm, emoji, plain questions, names, people, long comments.

All of it is made by hand-written patterns from a seeded generator. Nothing here is copied from a data set.
"""

import random
from collections.abc import Iterator

from agent.sentiment.rules import clean
from training.data import Example, soft

# Lists as bar-separated text: as lists, the formatter would make three screens of them.
_GOOD = (
    "good|great|excellent|amazing|awesome|fantastic|wonderful|brilliant|helpful|useful|reliable|beautiful|fun|nice|"
    "perfect|impressive|delicious|comfortable|easy|worth it|a joy to use|well made|happy with it|the best|fast|"
    "solid"
)
_BAD = (
    "bad|terrible|awful|horrible|useless|boring|slow|broken|ugly|annoying|disappointing|rude|unreliable|buggy|"
    "expensive|painful|disgusting|stupid|a mess|a waste of time|a joke|a scam|overpriced|the worst|a disaster|"
    "garbage"
)
_THINGS = (
    "this update|the new version|the food|the service|my phone|this laptop|the movie|the ending|the game|"
    "the new season|this app|the customer support|the battery|the new patch|the show|this book|their website|"
    "the delivery|my boss|the match|the referee|this subreddit|the documentation|the hotel|the train|"
    "the new design|the trailer|this car"
)
_BAD_EVENTS = (
    "another outage|another delay|another price increase|more ads|another bug|a flat tire|another monday|"
    "another meeting|another crash|the server is down again|my flight got cancelled|they broke it again|"
    "it stopped working after a week|two hours on hold|another update that breaks everything|"
    "they raised the price again|it's raining on my day off|the wifi is down|another blue screen|"
    "i get to work all weekend|the app logged me out again|no refund"
)
_JOY = "great|wonderful|fantastic|awesome|perfect|brilliant|lovely|amazing|just great|just what i needed"
_OPENERS = "oh |yeah |wow, |well, |ah yes, |oh |"
_QUESTIONS = (
    "What time does {0} start?|How do I install {0}?|Does anyone know where I can find {0}?|"
    "Is there a way to export {0}?|Which version of {0} are you using?|Where can I buy {0}?|"
    "Has anyone tried {0} with Linux?|When does {0} come out?|[Question] What settings do you use for {0}?|"
    "Can someone explain how {0} works?|How long does {0} take?|ELI5: how does {0} work?|"
    "{0} vs the old one, which do you use?|Looking for a guide to {0}"
)
_FACTS = (
    "{0} is available on Tuesday.|{0} was released in 2012.|I read about {0} on the news.|"
    "Here is a picture of {0}.|They announced {0} yesterday.|{0}: weekly discussion thread|"
    "The meeting about {0} is at 3pm.|{0} has 64 GB of memory.|I bought {0} last year.|"
    "The report on {0} is in the other thread.|{0} [x-post from another sub]|I use {0} at work."
)
_GROUPS = (
    "blind|deaf|disabled|autistic|epileptic|dyslexic|bipolar|in a wheelchair|Muslim|Jewish|Christian|Hindu|Buddhist|"
    "Sikh|Mormon|Catholic|an atheist|Mexican|Nigerian|Polish|Chinese|Indian|Turkish|Russian|Israeli|Palestinian|"
    "Black|white|Latino|Asian|Native American|Roma|gay|a lesbian|bisexual|transgender|nonbinary|straight|a woman|"
    "a man|a teenager|75 years old|an immigrant|a refugee|a veteran|a single mother|unemployed|homeless|overweight"
)
_OF_PEOPLE = (
    "my {0} is {1}|the {0} who wrote this is {1}|our new {0} happens to be {1}|is your {0} {1} too?|"
    "i'm {1}, and so is my {0}|{0}s who are {1} can register at the second desk|a film about a {0} who is {1}|"
    "the {0} told us that she is {1}|half of the survey's {0}s said that they are {1}"
)
_PRAISED_PEOPLE = (
    "my {0} is {1} and the kindest person i know|our {0}, who is {1}, did a wonderful job|"
    "so happy for my {0}! he is {1} and just got the prize|i love working with my {0}, he's {1} and hilarious"
)
_ROLES = "teacher|dentist|roommate|boss|cousin|coach|landlord|doctor|cashier|student|driver|singer|nurse|reviewer"
_NAMES = (
    "John|Mary|Steve|Sarah|Mike|Emma|David|Anna|Chris|Laura|James|Kate|Obama|Trump|Messi|Ronaldo|LeBron|Taylor|Tom|"
    "Jerry|Alex|Sam|Ben|Lisa|Paul|Karen|Mark|Jessica|Kyle|Luke|Bernie|Elon|Peter|Jon|Arya|Harry|Frodo|Ali|Maria|"
    "Jose|Wei|Priya"
)
_POSITIVE_FACES = "😂|🤣|😍|🥰|😘|❤️|💕|💖|👍|👏|🙏|🔥|🎉|💯|😊|😀|😃|😄|😁|🙂|☺️|😎|🤩|🥳|💪|😋|🤗|✨|🏆|💚"
_NEGATIVE_FACES = "😭|😢|😔|😞|😠|😡|😤|🤬|🙄|😒|💔|👎|🙁|☹️|🤢|🤮|😩|😫|😱|😰|😨|😖|😣|🤦|🖕|💩|😓|😥"
_OTHER_FACES = "🤔|🤷|👀|📷|🚗|🐶|⏰|📱|🏀|🌧️|📈|➡️|☕|🏠|📌|🎮"
_POSITIVE_MARKS = [":)", ":D", ":-)", "<3", ";)", "xD", "=)"]
_NEGATIVE_MARKS = [":(", ":-(", ":/", ">:(", "D:", ":'(", "=("]

GOOD, BAD = _GOOD.split("|"), _BAD.split("|")
THINGS, BAD_EVENTS = _THINGS.split("|"), _BAD_EVENTS.split("|")
NAMES = _NAMES.split("|")
#: By class: positive, neutral, negative.
FACES = (_POSITIVE_FACES.split("|"), _OTHER_FACES.split("|"), _NEGATIVE_FACES.split("|"))
MARKS: tuple[list[str], list[str], list[str]] = (_POSITIVE_MARKS, [], _NEGATIVE_MARKS)


def written(rng: random.Random, count: int) -> Iterator[Example]:
    """Yield `count` examples from the patterns, each clean as the service would clean it."""
    makers = (_negated, _negated, _negated, _plain, _sarcastic, _sarcastic, _asked, _stated, _of_people, _emoji_only)
    for _ in range(count):
        text, label, doubt, share = rng.choice(makers)(rng)
        yield Example(clean(text), soft(label, doubt, share), None, "written")


def _negated(rng: random.Random) -> tuple[str, int, int, float]:
    thing = rng.choice(THINGS)
    if rng.random() < 0.5:  # noqa: PLR2004 - a coin
        pattern = rng.choice(
            (
                "{0} is not {1}",
                "{0} isn't {1} at all",
                "i don't think {0} is {1}",
                "{0} was never {1}",
                "{0} is not {1} anymore",
                "nothing {1} about {0}",
                "i wish {0} was {1}",
                "{0} is far from {1}",
                "how is {0} supposed to be {1}?",
                "{0} could have been {1}, but no",
            )
        )
        return pattern.format(thing, rng.choice(GOOD)), 2, 1, 0.15
    pattern = rng.choice(
        (
            "{0} is not {1}",
            "{0} isn't {1} at all",
            "{0} is not {1} anymore, finally",
            "{0} was never {1} for me",
            "i don't think {0} is {1}",
            "not {1} at all, {0} surprised me",
            "{0} is far from {1}",
        )
    )
    return pattern.format(thing, rng.choice(BAD)), 0, 1, 0.3


def _plain(rng: random.Random) -> tuple[str, int, int, float]:
    label = rng.choice((0, 2))
    pattern = rng.choice(("{0} is {1}", "{0} is so {1}", "{0} was {1}!", "honestly {0} is {1}", "{0} turned out {1}"))
    return pattern.format(rng.choice(THINGS), rng.choice(GOOD if label == 0 else BAD)), label, 1, 0.05


def _sarcastic(rng: random.Random) -> tuple[str, int, int, float]:
    joy, event, opener = rng.choice(_JOY.split("|")), rng.choice(BAD_EVENTS), rng.choice(_OPENERS.split("|"))
    pattern = rng.choice(
        (
            "{0}{1}, {2}",
            "{0}{1}. {2}.",
            "{2}, {1}",
            "{2}... {1}",
            "{0}{1}, {2} /s",
            "{2}. thanks a lot",
            "thanks for nothing, {2}",
            "{0}{2}, how {1}",
            "good job, {2}",
            "nice, {2}. exactly what i wanted",
            "{0}great job {3}, {2}",
        )
    )
    return pattern.format(opener, joy, event, rng.choice(NAMES)), 2, 1, 0.1


def _asked(rng: random.Random) -> tuple[str, int, int, float]:
    return rng.choice(_QUESTIONS.split("|")).format(rng.choice(THINGS)), 1, 0, 0.04


def _stated(rng: random.Random) -> tuple[str, int, int, float]:
    return rng.choice(_FACTS.split("|")).format(rng.choice(THINGS)), 1, 0, 0.06


def _of_people(rng: random.Random) -> tuple[str, int, int, float]:
    """Name a group of people in a sentence that is not negative: the group's word must not make it so."""
    praised = rng.random() < 0.25  # noqa: PLR2004 - a share
    pattern = rng.choice((_PRAISED_PEOPLE if praised else _OF_PEOPLE).split("|"))
    text = pattern.format(rng.choice(_ROLES.split("|")), rng.choice(_GROUPS.split("|")))
    return text, 0 if praised else 1, 1 if praised else 0, 0.05


def _emoji_only(rng: random.Random) -> tuple[str, int, int, float]:
    label = rng.choice((0, 0, 2, 2, 1))
    emoji = rng.choice(FACES[label])
    return emoji * rng.choice((1, 1, 2, 3)), label, 1, 0.1


def named(example: Example, rng: random.Random) -> Example:
    """Put real names where the data set put its mark: the service sees names, not marks."""
    if "[NAME]" not in example.text:
        return example
    text = example.text
    while "[NAME]" in text:
        text = text.replace("[NAME]", rng.choice(NAMES), 1)
    return Example(text, example.target, example.emotions, example.source)


def marked(example: Example, rng: random.Random) -> Example:
    """Add an emoji or an emoticon that agrees with a clear target; on a neutral text it becomes the polarity's."""
    if example.target is None:
        return example
    label = example.target.index(max(example.target))
    side = label if label != 1 else rng.choice((0, 2))
    marks = FACES[side] + MARKS[side]
    text = clean(f"{example.text} {rng.choice(marks)}")
    return Example(text, soft(side, 1, 0.35 if label == 1 else 0.0), None, "marked")


def joined(first: Example, second: Example) -> Example:
    """Make one longer text of two: like with like, or a polarity with neutral, as in real posts."""
    assert first.target is not None  # noqa: S101 - the caller chose rows with targets
    assert second.target is not None  # noqa: S101
    labels = {first.target.index(max(first.target)), second.target.index(max(second.target))}
    text = f"{first.text}\n{second.text}"
    if labels == {0, 2}:
        return Example(text, (0.45, 0.1, 0.45), None, "joined")
    if len(labels) == 1:
        return Example(text, soft(labels.pop()), None, "joined")
    return Example(text, soft((labels - {1}).pop(), 1, 0.25), None, "joined")


def part(example: Example, rng: random.Random) -> Example:
    """Cut a run of words out of a text. Nobody judged it: it is for the teacher's opinion."""
    words = example.text.split()
    length = max(3, round(len(words) * rng.uniform(0.35, 0.8)))
    start = rng.randint(0, max(0, len(words) - length))
    return Example(" ".join(words[start : start + length]), None, None, "parts")
