"""The words of an alert about the data or the machine: it begins, more join, it goes on, it is over. Pure.

Whoever is told gets the cause, what happens by itself, and the commands for exactly this cause.
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Final, NamedTuple

from watchdog import data_advice
from watchdog.alert import Alert, Section, section, subject
from watchdog.letter import span, when
from watchdog.troubles import told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipc.messages import Incident, Trouble
    from watchdog.commands import Commands


class Words(NamedTuple):
    """What a kind is called, in the digest and in a headline; what happens by itself; whose log tells more."""

    name: str
    headline: str
    done: str
    log: str


_WORDS: Final = {
    "database": Words(
        "database",
        "The database does not answer",
        "What is collected waits in the outbox, nothing acknowledged is lost, and all recovers by itself.",
        "analyzer",
    ),
    "source": Words(
        "unread subreddits",
        "Subreddits can't be read",
        "What fails is tried again in every collection; the others are read.",
        "collector",
    ),
    "collections": Words(
        "failed collections",
        "Collections fail",
        "Each next collection tries again, from where the last good one ended.",
        "collector",
    ),
    "stale": Words("age of the data", "The data grows old", "Collections go on by their interval.", "collector"),
    "silent": Words(
        "silent subreddits",
        "Subreddits have fallen silent",
        "They are read in every collection, without an error and without anything new.",
        "collector",
    ),
    "disk": Words(
        "disk",
        "The disk is nearly full",
        "Nothing was deleted: what grows here is bounded by the settings, and what others keep there is not ours.",
        "watchdog",
    ),
}


def name_of(kind: str) -> str:
    """Return what a kind is called in the digest."""
    return _WORDS[kind].name


def began(incident: Incident, now: Sequence[Trouble], commands: Commands) -> Alert:
    """Tell of it."""
    words = _WORDS[incident.kind]
    return Alert(
        id=incident.id,
        subject=subject(f"{words.headline}: {incident.reason}"),
        at_utc=incident.opened_utc,
        sections=(
            section("What happened", f"{words.headline}, on {platform.node()}."),
            section("Why", incident.reason),
            section("What was done", f"No restart, which would not help. {words.done}"),
            _to_do(incident, now, commands),
            _evidence(incident, now),
        ),
    )


def joined(incident: Incident, more: Sequence[Trouble], at_utc: float, commands: Commands) -> Alert:
    """Tell of what has joined an incident that was told."""
    words = _WORDS[incident.kind]
    return Alert(
        id=f"{incident.id}-more-{at_utc:.0f}",
        subject=subject(f"{words.headline}, one more cause: {told(more)}"),
        at_utc=at_utc,
        replies_to=(incident.id,),
        sections=(
            section("What happened", f"To the incident of {when(incident.opened_utc)} has come: {told(more)}."),
            section("Why", incident.reason),
            section("What was done", words.done),
            _to_do(incident, more, commands),
            _evidence(incident, more),
        ),
    )


def reminder(incident: Incident, nth: int, now: Sequence[Trouble], at_utc: float, commands: Commands) -> Alert:
    """Tell that it goes on, with the causes by now."""
    words = _WORDS[incident.kind]
    return Alert(
        id=f"{incident.id}-reminder-{nth}",
        subject=subject(f"{words.headline}, still after {span(at_utc - incident.opened_utc)}: {told(now)}"),
        at_utc=at_utc,
        replies_to=(incident.id,),
        sections=(
            section("What happened", f"{words.headline} since {when(incident.opened_utc)}."),
            section("Why", told(now)),
            section("What was done", words.done),
            _to_do(incident, now, commands),
            _evidence(incident, now),
        ),
    )


def over(incident: Incident, at_utc: float) -> Alert:
    """Tell that it is over."""
    headline = _WORDS[incident.kind].headline
    lasted = span(at_utc - incident.opened_utc)
    return Alert(
        id=f"{incident.id}-recovered",
        subject=subject(f"Over after {lasted}: {headline[0].lower()}{headline[1:]}"),
        at_utc=at_utc,
        tone="recovered",
        replies_to=(incident.id,),
        sections=(
            section("What happened", f"This is over, on {platform.node()}: {headline[0].lower()}{headline[1:]}."),
            section("Why", f"It was: {incident.reason}"),
            section("What was done", "Nothing was restarted."),
            section("What to do now", "Nothing."),
            section("Evidence", facts=(("it lasted", lasted), ("incident", incident.id))),
        ),
    )


def _to_do(incident: Incident, now: Sequence[Trouble], commands: Commands) -> Section:
    """Return the advice for each cause that there is, and the commands of all of them once."""
    advice = dict.fromkeys(data_advice.of(incident.kind, each.cause) for each in now)
    chapters = ", ".join(dict.fromkeys(each.chapter for each in advice))
    words = " ".join([*(each.words for each in advice), f"More: deployment/RUNBOOK.md, chapter {chapters}."])
    names = dict.fromkeys(name for each in advice for name in each.commands)
    log = _WORDS[incident.kind].log
    shows = (("To see how all are", commands.status()), (f"To read what {log} said", commands.log(log)))
    return section(
        "What to do now", words, (), tuple(dict.fromkeys((*shows, *(data_advice.command(n, commands) for n in names))))
    )


def _evidence(incident: Incident, now: Sequence[Trouble]) -> Section:
    each_one = ((each.subject, each.reason) for each in now if each.subject)
    facts = (("when", when(incident.opened_utc)), *each_one, ("incident", incident.id))
    return section("Evidence", facts=facts)
