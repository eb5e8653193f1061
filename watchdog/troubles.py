"""Troubles with the data and the machine: which of those that are seen begin, and which are over. Pure.

Processes tell what they see in their beats. Each subject of a kind (a subreddit; the whole, where it has no name) is a
matter of its own: it begins when it was seen for so long without a break, and is over when it was not seen for as
long. Where nobody could look, because a beat stays away or a process has not looked yet, nothing begins and nothing is
over: missing is not zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec
from msgspec.structs import replace

from ipc.messages import Trouble

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

#: Each kind, and how long it must be seen, or not be seen, until it counts. Chosen, not measured: a database
#: that is away for ten seconds is away, and what is found once in minutes needs no second look.
PATIENCE_S: Final = {
    "database": 10.0,
    "source": 30.0,
    "collections": 30.0,
    "stale": 60.0,
    "silent": 60.0,
    "disk": 30.0,
}

Turn = Literal["begins", "is over"]


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of one subject."""

    is_open: bool = False
    #: Since when it is seen where it is not open, or is not seen where it is; None while all is as it was.
    since_s: float | None = None
    #: How it was seen last; None where the watchdog has not seen it in this life.
    last: Trouble | None = None


def judge(standing: Standing, is_seen: bool | None, at_s: float, patience_s: float) -> tuple[Turn | None, Standing]:  # noqa: FBT001 - three answers: yes, no, nobody knows
    """Return what happens to a subject that is seen, is not seen, or of which nobody can say (None)."""
    if is_seen is None or is_seen == standing.is_open:
        return None, replace(standing, since_s=None)
    since_s = at_s if standing.since_s is None else standing.since_s
    if at_s - since_s < patience_s:
        return None, replace(standing, since_s=since_s)
    return ("begins" if is_seen else "is over"), replace(standing, is_open=is_seen, since_s=None)


class Kind:
    """All subjects of one kind."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._standings: dict[str, Standing] = {}

    @property
    def open(self) -> dict[str, Trouble | None]:
        """What has begun and is not over, by subject, as it was seen last."""
        return {subject: each.last for subject, each in self._standings.items() if each.is_open}

    def resume(self, subjects: Iterable[str]) -> None:
        """Take up what the last life of the watchdog left open."""
        self._standings |= {subject: Standing(is_open=True) for subject in subjects}

    def look(self, seen: Collection[Trouble] | None, at_s: float) -> dict[str, Turn]:
        """Return what happens to which subject; ``seen`` is None where nobody could look."""
        by_subject = {each.subject: each for each in seen or ()}
        turns: dict[str, Turn] = {}
        for subject in {**self._standings, **by_subject}:
            standing = self._standings.get(subject, Standing())
            is_seen = None if seen is None else subject in by_subject
            turn, standing = judge(standing, is_seen, at_s, self._patience_s)
            self._standings[subject] = replace(standing, last=by_subject.get(subject, standing.last))
            if turn:
                turns[subject] = turn
            if not standing.is_open and standing.since_s is None:
                del self._standings[subject]
        return turns


def told(troubles: Iterable[Trouble]) -> str:
    """Return the reason of one kind: each cause with the subjects that have it."""
    alike: dict[str, list[Trouble]] = {}
    for each in troubles:
        alike.setdefault(each.cause or each.reason, []).append(each)
    names = {cause: ", ".join(each.subject for each in group if each.subject) for cause, group in alike.items()}
    return "; ".join(
        f"{names[cause]}: {each[0].reason}" if names[cause] else each[0].reason for cause, each in alike.items()
    )
