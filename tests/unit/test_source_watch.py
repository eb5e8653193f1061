"""What the collector tells of its source: cycles and time in, troubles of the next beat out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from agent.source_watch import SourceWatch
from ipc.life import Pulse
from ipc.messages import Cycle, SubredditFailure

if TYPE_CHECKING:
    from ipc.messages import Beat

MINUTE_S = 60.0
HOUR_S = 3600.0
CYCLE = Cycle(
    id="c1",
    source="reddit",
    started_utc=0.0,
    finished_utc=1.0,
    outcome="succeeded",
    posts=0,
    comments=0,
    new=0,
    memory_delta_mb=0.0,
)


class Life:
    """A collector's life, on a clock that the test moves; three subreddits, every half hour."""

    def __init__(self, source: str = "reddit") -> None:
        self.pulse = Pulse("collector")
        self.watch = SourceWatch(self.pulse, source, 30 * MINUTE_S, failed_most=3)
        self.now_s = self.watch.began_at_s

    def cycle(self, **causes: str) -> None:
        """Let a cycle end in which these subreddits could not be read; it took no time."""
        failures = tuple(SubredditFailure(subreddit=name, cause=cause, detail="d") for name, cause in causes.items())
        self.watch.began(self.now_s)
        outcome = "failed" if len(failures) > 1 else "succeeded"
        self.watch.ended(replace(CYCLE, failures=failures, outcome=outcome), 3, self.now_s)

    def pass_by(self, seconds: float) -> None:
        """Let time pass, and look once."""
        self.now_s += seconds
        self.watch.look(self.now_s)

    @property
    def beat(self) -> Beat:
        """What the collector says by now."""
        return self.pulse.beat(0.0)

    def told(self, kind: str = "source") -> list[tuple[str, str]]:
        """Return subjects and causes."""
        return [(each.subject, each.cause) for each in self.beat.troubles if each.kind == kind]


def test_before_a_cycle_has_ended_nobody_knows_and_after_it_nothing_is_wrong() -> None:
    """Missing is not zero."""
    life = Life()
    life.pass_by(MINUTE_S)
    assert not life.beat.looked_for
    life.cycle()
    assert life.beat.looked_for == ("source",)
    assert not life.beat.troubles


def test_a_lasting_cause_is_told_at_once_and_a_passing_one_when_it_comes_again() -> None:
    """One 429 is over by the next collection: nobody is woken for it."""
    life = Life()
    life.cycle(aws="forbidden", Cursor="rate_limited")
    assert life.told() == [("aws", "forbidden")]
    life.cycle(aws="forbidden", Cursor="rate_limited")
    assert life.told() == [("aws", "forbidden"), ("Cursor", "rate_limited")]
    assert life.beat.troubles[1].reason == "rate_limited: d (2 collections in a row)"
    life.cycle()
    life.cycle(Cursor="rate_limited")
    assert life.told() == []


def test_a_source_of_which_nothing_can_be_read_is_one_trouble() -> None:
    """Not one for each subreddit, and at once: nothing comes in any more."""
    life = Life()
    life.cycle(aws="unreachable", Cursor="unreachable", claude="unreachable")
    assert life.told() == [("", "unreachable")]
    assert life.beat.troubles[0].reason == "unreachable: none of 3 subreddits could be read: d"


def test_more_than_three_failed_collections_within_an_hour_are_a_warning() -> None:
    """And it is over when an hour has passed, whether another cycle ends or not."""
    life = Life()
    for _ in range(3):
        life.cycle(aws="timed_out", Cursor="timed_out")
        life.pass_by(10 * MINUTE_S)
    assert life.told("collections") == []
    assert "collections" not in life.beat.looked_for  # an earlier life of the same hour may have seen more
    life.cycle(aws="timed_out", Cursor="timed_out")
    (warned,) = [each for each in life.beat.troubles if each.kind == "collections"]
    assert warned.reason == "4 collections failed in the last hour (warning above 3)"
    assert warned.severity == "warning"
    life.pass_by(HOUR_S)
    assert life.told("collections") == []
    assert "collections" in life.beat.looked_for


def test_a_cycle_that_does_not_end_is_told_with_what_it_waits_for() -> None:
    """Twice the interval, here an hour; also the very first one."""
    life = Life()
    life.watch.began(life.now_s)
    life.pulse.waiting_for = "outbox"
    life.pass_by(59 * MINUTE_S)
    assert life.beat.looked_for == ()
    life.pass_by(2 * MINUTE_S)
    assert life.told() == [("", "stalled")]
    assert "has not ended for 61 min; it waits for: outbox" in life.beat.troubles[0].reason
    life.watch.ended(CYCLE, 3, life.now_s)
    assert life.told() == []


def test_a_source_that_is_not_live_has_no_troubles_of_these() -> None:
    """An archive's file says nothing about the world of now."""
    life = Life("archive")
    for _ in range(5):
        life.cycle(aws="forbidden", Cursor="timed_out", claude="timed_out")
    life.pass_by(3 * HOUR_S)
    assert (life.beat.looked_for, life.beat.troubles) == ((), ())


def test_a_beat_is_bounded_and_on_one_line() -> None:
    """A subreddit's name and Reddit's words are anybody's."""
    life = Life()
    names = {f"r{number}\n\x1b[2J" + 500 * "x": "forbidden" for number in range(50)}
    life.watch.ended(
        replace(
            CYCLE,
            failures=tuple(
                SubredditFailure(subreddit=name, cause=cause, detail=2000 * "\u202e") for name, cause in names.items()
            ),
        ),
        100,
        life.now_s,
    )
    assert len(life.beat.troubles) == 20
    for each in life.beat.troubles:
        assert (each.subject + each.reason).isprintable()
        assert len(each.subject) < 120
        assert len(each.reason) < 3000
