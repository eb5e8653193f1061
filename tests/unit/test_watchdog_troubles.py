"""Troubles with the data: when one begins, when it is over, and what nobody could see."""

from __future__ import annotations

import pytest

from agent.source_watch import LASTING
from ipc.messages import Trouble
from watchdog import data_advice
from watchdog.busy import SUSTAINED_S, Busy
from watchdog.data_letter import _WORDS
from watchdog.data_watch import TOLD_BY
from watchdog.troubles import PATIENCE_S, Kind, Standing, judge, told

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


def unread(subject: str, cause: str) -> Trouble:
    """Return a subreddit that can't be read."""
    return Trouble(kind="source", subject=subject, cause=cause, reason=f"{cause}: words of r/{subject}")


def test_each_subreddit_begins_and_ends_by_itself_and_an_unseen_beat_changes_nothing() -> None:
    """One that is forbidden for ever does not hide another that joins it later."""
    kind = Kind(3.0)
    turns: dict[tuple[str, str], int] = {}
    for second in range(40):
        seen = [unread("aws", "forbidden")]
        if 10 <= second < 20:
            seen.append(unread("Cursor", "rate_limited"))
        happened = kind.look(None if second >= 30 else seen, float(second))
        turns |= dict.fromkeys(happened.items(), second)
    assert turns == {("aws", "begins"): 3, ("Cursor", "begins"): 13, ("Cursor", "is over"): 23}
    assert list(kind.open) == ["aws"]


def test_what_was_open_before_a_restart_begins_no_second_time_and_ends_when_it_is_not_seen() -> None:
    """The next life of the watchdog knows the subjects from its ledger, and waits until somebody can look."""
    kind = Kind(3.0)
    kind.resume(["aws", "Cursor"])
    turns = [kind.look(None if second < 5 else [unread("aws", "forbidden")], float(second)) for second in range(10)]
    assert turns == [{}] * 8 + [{"Cursor": "is over"}, {}]
    assert kind.open == {"aws": unread("aws", "forbidden")}


def test_the_reason_names_each_subject_with_its_cause() -> None:
    """clawock#1238: a 403 was published as no mentions; here its cause is said, and once for all who have it."""
    troubles = [unread("aws", "forbidden"), unread("Cursor", "rate_limited"), unread("claude", "forbidden")]
    assert told(troubles) == "aws, claude: forbidden: words of r/aws; Cursor: rate_limited: words of r/Cursor"
    assert told([Trouble(kind="disk", reason="20 MB left")]) == "20 MB left"


def test_every_kind_has_words_and_advice_and_somebody_who_sees_it() -> None:
    """A new kind is a row in each of the four tables; a lasting cause has an advice of its own."""
    assert set(PATIENCE_S) == set(_WORDS) == set(data_advice._ADVICE) == {*TOLD_BY, "disk"}
    assert set(data_advice._ADVICE["source"]) > LASTING


def test_a_busy_core_is_warned_of_when_it_lasts() -> None:
    """A break, or a moment in which nothing could be measured, begins the time anew."""
    busy = Busy(80.0)
    for at_s in (0.0, SUSTAINED_S - 1):
        busy.see("api", 95.0, at_s)
        assert not busy.warnings
    busy.see("api", 95.0, SUSTAINED_S)
    assert busy.warnings == (("CPU of api", "95 % of a core, for 5 min by now"),)
    for at_s, percent in ((1.0, 40.0), (2.0, 95.0), (3.0, None), (SUSTAINED_S + 2, 95.0)):
        busy.see("api", percent, SUSTAINED_S + at_s)
        assert not busy.warnings


def test_a_busy_analyzer_is_said_to_have_good_reason() -> None:
    """Scoring a backlog needs a whole core for as long as it lasts."""
    busy = Busy(80.0)
    for at_s in (0.0, SUSTAINED_S):
        busy.see("analyzer", 99.0, at_s)
    assert busy.warnings == (("CPU of analyzer", "99 % of a core, for 5 min by now; a backlog of items does that"),)
