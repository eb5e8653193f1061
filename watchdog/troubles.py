"""Troubles with the data and the machine: which of those that are seen begin, and which are over. Pure.

Processes tell what they see in their beats. One kind is one matter, however many subreddits it is about. It begins when
it was seen for so long without a break, and is over when it was not seen for as long. Where nobody could look, because
a beat stays away or a process has not looked yet, nothing begins and nothing is over: missing is not zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Collection

    from ipc.messages import Trouble

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
    """What is remembered of one kind."""

    is_open: bool = False
    #: Since when it is seen where it is not open, or is not seen where it is; None while all is as it was.
    since_s: float | None = None


def judge(standing: Standing, is_seen: bool | None, at_s: float, patience_s: float) -> tuple[Turn | None, Standing]:  # noqa: FBT001 - three answers: yes, no, nobody knows
    """Return what happens to a kind that is seen, is not seen, or of which nobody can say (None)."""
    if is_seen is None or is_seen == standing.is_open:
        return None, replace(standing, since_s=None)
    since_s = at_s if standing.since_s is None else standing.since_s
    if at_s - since_s < patience_s:
        return None, replace(standing, since_s=since_s)
    return ("begins" if is_seen else "is over"), Standing(is_open=is_seen)


def told(troubles: Collection[Trouble]) -> str:
    """Return the reason of one kind: each subject with its cause."""
    return "; ".join(f"{each.subject}: {each.reason}" if each.subject else each.reason for each in troubles)
