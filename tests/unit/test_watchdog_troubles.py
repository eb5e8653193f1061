"""Troubles with the data: when one begins, when it is over, and what nobody could see."""

from __future__ import annotations

import pytest

from ipc.messages import Trouble
from watchdog.busy import SUSTAINED_S, Busy
from watchdog.data_letter import _WORDS
from watchdog.data_watch import TOLD_BY
from watchdog.troubles import PATIENCE_S, Standing, judge, told

SEEN = {"+": True, "-": False, "?": None}


@pytest.mark.parametrize(
    ("looks", "turns"),
    [
        ("----", []),
        ("++++", [(3, "begins")]),
        ("++-+++", []),
        ("++-++++", [(6, "begins")]),
        ("++++----", [(3, "begins"), (7, "is over")]),
        ("++++--+---", [(3, "begins")]),
        ("++++????????", [(3, "begins")]),
        ("????????", []),
        ("++?+++", []),
        ("++?++++", [(6, "begins")]),
        ("++++--?---", [(3, "begins")]),
    ],
)
def test_a_trouble_begins_and_ends_when_it_was_seen_so_for_long_enough(
    looks: str, turns: list[tuple[int, str]]
) -> None:
    """``+`` it is seen, ``-`` it is not, ``?`` nobody could look: that neither begins nor ends anything."""
    standing, happened = Standing(), []
    for second, look in enumerate(looks):
        turn, standing = judge(standing, SEEN[look], float(second), 3.0)
        if turn:
            happened.append((second, turn))
    assert happened == turns


def test_the_reason_names_each_subject_with_its_cause() -> None:
    """clawock#1238: a 403 was published as no mentions; here its cause is said, subreddit by subreddit."""
    troubles = [
        Trouble(kind="source", subject="aws", reason="forbidden: r/aws is private"),
        Trouble(kind="source", subject="Cursor", reason="rate_limited: none for 60 s more"),
    ]
    assert told(troubles) == "aws: forbidden: r/aws is private; Cursor: rate_limited: none for 60 s more"


def test_every_kind_has_words_and_somebody_who_sees_it() -> None:
    """A new kind is a row in each of the three tables."""
    assert set(PATIENCE_S) == set(_WORDS) == {*TOLD_BY, "disk"}


def test_a_busy_core_is_warned_of_when_it_lasts() -> None:
    """A break, or a moment in which nothing could be measured, begins the time anew."""
    busy = Busy(80.0)
    assert list(busy.warnings("api", 95.0, 0.0)) == []
    assert list(busy.warnings("api", 95.0, SUSTAINED_S - 1)) == []
    assert list(busy.warnings("api", 95.0, SUSTAINED_S)) == [("CPU of api", "95 % of a core, for 5 min by now")]
    assert list(busy.warnings("api", 40.0, SUSTAINED_S + 1)) == []
    assert list(busy.warnings("api", 95.0, SUSTAINED_S + 2)) == []
    assert list(busy.warnings("api", None, SUSTAINED_S + 3)) == []
    assert list(busy.warnings("api", 95.0, 2 * SUSTAINED_S + 2)) == []
