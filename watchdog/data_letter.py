"""The words of an alert about the data or the machine: it begins, it goes on, it is over. Pure.

Whoever is told gets the cause, what happens by itself, and the commands for exactly this kind.
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Final

from watchdog.alert import Alert, section, subject
from watchdog.letter import span, when

if TYPE_CHECKING:
    from ipc.messages import Incident
    from watchdog.commands import Commands

#: What each kind is called, what happens by itself, and what to do.
_WORDS: Final = {
    "database": (
        "The database does not answer",
        (
            "Scored items wait in the outbox, nothing acknowledged is lost. The API answers what it knew last, marked"
            " with its age, and all recovers by itself."
        ),
        "See whether the database runs and can be reached, and whether its disk is full.",
    ),
    "source": (
        "Subreddits can't be read",
        "The others are read, and these are tried again in every cycle.",
        (
            "forbidden and not_found: take the name out of SUBREDDITS, or mend it. unauthorized: check"
            " REDDIT_CLIENT_ID and REDDIT_CLIENT_SECRET. rate_limited: nothing, or raise"
            " COLLECTION_INTERVAL_MINUTES. Anything else is Reddit's or the network's."
        ),
    ),
    "collections": (
        "Collections fail",
        "Each next cycle tries again, from where the last good one ended.",
        "Look at the causes in the collector's log.",
    ),
    "stale": (
        "The data grows old",
        "Nothing: collections go on by their interval.",
        (
            "stalled: look at the collector. A cause of Reddit's: as for subreddits that can't be read. quiet: nobody"
            " wrote anything."
        ),
    ),
    "silent": (
        "Subreddits have fallen silent",
        "They are read in every cycle, without an error and without anything new.",
        "Look on Reddit whether they are quiet, closed, or renamed.",
    ),
    "disk": (
        "The disk is nearly full",
        "Nothing: what grows there is bounded by the settings, and what others keep there is not ours.",
        "Make room; `df` and `du` show what takes it. With a full disk nothing is lost, but collecting stands still.",
    ),
}


def began(incident: Incident, commands: Commands) -> Alert:
    """Tell of it."""
    headline, done, to_do = _WORDS[incident.kind]
    return Alert(
        id=incident.id,
        subject=subject(f"{headline}: {incident.reason}"),
        at_utc=incident.opened_utc,
        sections=(
            section("What happened", f"{headline}, on {platform.node()}."),
            section("Why", incident.reason),
            section("What was done", f"No restart, which would not help. {done}"),
            section("What to do now", to_do, (), _looks(incident, commands)),
            section("Evidence", facts=(("when", when(incident.opened_utc)), ("incident", incident.id))),
        ),
    )


def reminder(incident: Incident, nth: int, now: str, at_utc: float, commands: Commands) -> Alert:
    """Tell that it goes on; ``now`` is the reason by now."""
    headline, done, to_do = _WORDS[incident.kind]
    return Alert(
        id=f"{incident.id}-reminder-{nth}",
        subject=subject(f"{headline}, still after {span(at_utc - incident.opened_utc)}: {now}"),
        at_utc=at_utc,
        replies_to=(incident.id,),
        sections=(
            section("What happened", f"{headline} since {when(incident.opened_utc)}."),
            section("Why", now),
            section("What was done", done),
            section("What to do now", to_do, (), _looks(incident, commands)),
            section("Evidence", facts=(("at first", incident.reason), ("incident", incident.id))),
        ),
    )


def over(incident: Incident, at_utc: float) -> Alert:
    """Tell that it is over."""
    headline, _, _ = _WORDS[incident.kind]
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


def _looks(incident: Incident, commands: Commands) -> tuple[tuple[str, str], ...]:
    reader = {"source": "collector", "collections": "collector", "stale": "collector", "silent": "collector"}
    process = reader.get(incident.kind, "analyzer")
    return (("To see how all are", commands.status()), (f"To read what {process} said", commands.log(process)))
