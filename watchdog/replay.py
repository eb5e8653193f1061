"""The replay: what other thresholds would have done with the recorded history. Pure.

Each span is put to the real :func:`watchdog.policy.judge` as a few samples, in this order: its highest; its held
memory, as often as samples are looked back at, where that is over the limit; its lowest, as often; its last. So one
peak of one sample is one strike, and a level is as many as are needed.

After a restart that never was, the process is assumed to begin at what it held after real starts, to grow by the
recorded differences from there, never to fall below that, and never to hold more than was recorded. So a leak is
restarted again and again, a saw too; a process that would at once have needed its memory again is restarted only once.

Ends that no threshold of memory caused (crashes, hangs) are taken as they happened. What the watchdog asked back
(relief) is in the recorded curve. Not replayed: hangs and stuck work themselves, the family's budget, weekly restarts.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from ipc.messages import Beat
from watchdog.forecast import Course
from watchdog.learned import FOR_MEMORY
from watchdog.policy import judge, settled
from watchdog.records import Limits, Record, Sample, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from watchdog.records import Identity
    from watchdog.span import Span

#: What a real end must have been for it to count in the replay as well.
_ENDED_ANYWAY: Final = ("crashed:", "restart:hung", "restart:stuck")
_TOLD: Final = ("restart", "quarantined", "crashed", "warning")


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict that was new in a span. ``reason`` and ``memory_mb`` are None for what the history only names."""

    at_utc: float
    verdict: str
    cause: str
    reason: str | None = None
    memory_mb: float | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What some thresholds came to."""

    restarts: int
    crashes: int
    quarantines: int
    #: How often the warning was reached, and the time above it.
    warnings: int
    warned_s: float
    events: tuple[Event, ...]
    #: Recorded processes that had been ended for their memory before these thresholds would have ended them: what they
    #: would have held later nobody knows. None for what really happened.
    cut_short: int | None = None


def happened(spans: Iterable[Span]) -> Outcome:
    """Return what the watchdog really did."""
    tally = _Tally()
    for span in spans:
        tally.add(span, [_recorded(span, verdict) for verdict in span.verdicts])
    return tally.outcome(None)


def replay(spans: Iterable[Span], limits: Limits, start_mb: float) -> Outcome:
    """Return what ``limits`` would have done; ``start_mb`` is what the process holds after a start."""
    trial, tally = _Trial(limits, start_mb), _Tally()
    for span in spans:
        tally.add(span, trial.take(span))
    return tally.outcome(trial.cut_short)


class _Tally:
    """Counts the verdicts of one span after the other."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._warned_s = 0.0
        self._was_warned = False

    def add(self, span: Span, found: list[Event]) -> None:
        is_warned = any(event.verdict == "warning" for event in found)
        self._warned_s += span.span_s * is_warned
        for event in found:
            is_news = event.verdict in _TOLD and not (event.verdict == "quarantined" and not event.cause)
            if is_news and not (event.verdict == "warning" and self._was_warned):
                self._events.append(event)
        self._was_warned = is_warned

    def outcome(self, cut_short: int | None) -> Outcome:
        def count(name: str) -> int:
            return sum(event.verdict == name for event in self._events)

        return Outcome(
            restarts=count("restart"),
            crashes=count("crashed"),
            quarantines=count("quarantined"),
            warnings=count("warning"),
            warned_s=self._warned_s,
            events=tuple(self._events),
            cut_short=cut_short,
        )


class _Assumed:
    """The memory of the process as it would have been: the recorded one, until a restart that never was."""

    def __init__(self, start_mb: float) -> None:
        self._start_mb = start_mb
        self._before_mb: tuple[float, float] | None = None

    def at(self, recorded_mb: float) -> float:
        """Return what it would hold where ``recorded_mb`` was recorded."""
        if self._before_mb is None:
            return recorded_mb
        assumed_mb, before_mb = self._before_mb
        return min(recorded_mb, max(self._start_mb, assumed_mb + recorded_mb - before_mb))

    def pass_by(self, recorded_mb: float) -> None:
        """Go on from here."""
        if self._before_mb is not None:
            self._before_mb = (self.at(recorded_mb), recorded_mb)

    def restart(self, recorded_mb: float) -> None:
        """Begin again while ``recorded_mb`` was recorded."""
        self._before_mb = (min(recorded_mb, self._start_mb), recorded_mb)

    def follow(self) -> None:
        """Be the recorded one again."""
        self._before_mb = None


class _Trial:
    """Judges one span after the other, and does what the watchdog would do."""

    def __init__(self, limits: Limits, start_mb: float) -> None:
        self.cut_short = 0
        self._limits = limits
        self._assumed = _Assumed(start_mb)
        self._record = Record()
        self._recorded: Identity | None = None
        self._real_verdicts: set[str] = set()
        self._lives = 0
        self._began_s = 0.0
        self._is_down = False
        #: Whether the assumed process is still the recorded one, from its start on.
        self._is_the_recorded = True
        self._at_s = float("-inf")
        self._course = Course(limits.forecast)

    def take(self, span: Span) -> list[Event]:
        """Return the verdicts on ``span``, each once; none where the process was not there to be measured."""
        self._at_s = max(self._at_s, span.at_utc)
        if span.identity is None:
            self._real_verdicts.update(span.verdicts)
            self._doubt()
            return []
        found: dict[str, Event] = {}
        if span.identity != self._recorded:
            self._follow(span, found)
        else:
            self._real_verdicts.update(span.verdicts)
        for memory_mb in self._looks(span):
            if self._put(span, memory_mb, found):
                break
        else:
            self._assumed.pass_by(span.last_mb or 0.0)
        return list(found.values())

    def _follow(self, span: Span, found: dict[str, Event]) -> None:
        """The recorded process was replaced: so is the assumed one, unless it is in quarantine."""
        # A process that was replaced at once has its predecessor's crash in its own first span.
        crashes = {verdict for verdict in span.verdicts if verdict.startswith("crashed:")}
        verdicts, self._real_verdicts = self._real_verdicts | crashes, set(span.verdicts) - crashes
        is_first, self._recorded = self._recorded is None, span.identity
        self.cut_short += bool(verdicts & FOR_MEMORY) and self._is_the_recorded
        self._is_the_recorded = True
        self._doubt()
        if self._is_down:
            self._assumed.restart(span.last_mb or 0.0)
            return
        self._assumed.follow()
        self._begin(self._at_s - (span.uptime_s or span.span_s))
        if not is_first and any(verdict.startswith(_ENDED_ANYWAY) for verdict in verdicts):
            self._put(span, span.lowest_mb, found)
        elif not is_first:
            self._record = replace(self._record, identity=None)

    def _doubt(self) -> None:
        """Begin a trial anew: nobody has seen that the process was well all the time."""
        if quarantine := self._record.quarantine:
            self._record = replace(self._record, quarantine=replace(quarantine, well_since_s=None))

    def _looks(self, span: Span) -> Iterator[float | None]:
        """Yield the samples that a span is put to the policy as."""
        if self._is_down:
            yield None
            return
        highest, held, lowest, last = (
            self._assumed.at(mb or 0.0) for mb in (span.highest_mb, span.held_mb, span.lowest_mb, span.last_mb)
        )
        self._course.note(self._at_s, self._at_s - self._began_s, lowest)
        if highest <= self._limits.warning_mb and not self._record.strikes:
            yield last
            return
        yield highest
        if held > self._limits.limit_mb:
            yield from [held] * self._limits.strike_samples
        yield from [lowest] * self._limits.strike_samples
        yield last

    def _put(self, span: Span, memory_mb: float | None, found: dict[str, Event]) -> bool:
        """Put one sample to the policy and do what it asks for; return whether the process is another one then."""
        verdict, self._record = judge(self._record, self._sample(span, memory_mb), self._limits)
        if verdict.name in _TOLD:
            cause = verdict.cause or ""
            found.setdefault(
                f"{verdict.name}:{cause}",
                Event(
                    at_utc=span.at_utc, verdict=verdict.name, cause=cause, reason=verdict.reason, memory_mb=memory_mb
                ),
            )
        return self._act(verdict, span)

    def _act(self, verdict: Verdict, span: Span) -> bool:
        action = verdict.action
        if action in {None, "relieve", "escalate", "recover", "release"}:
            return False
        assert action is not None  # noqa: S101 - said above, in words that mypy does not follow
        self._record = settled(self._record, action, is_done=True, at_s=self._at_s, limits=self._limits)
        if action == "await":  # a real end: the recorded process has followed
            return False
        self._is_down = action == "stop"
        self._is_the_recorded = False
        self._assumed.restart(span.last_mb or 0.0)
        self._begin(self._at_s)
        return True

    def _begin(self, at_s: float) -> None:
        self._lives += 1
        self._began_s = at_s
        self._course = Course(self._limits.forecast)

    def _sample(self, span: Span, memory_mb: float | None) -> Sample:
        if self._is_down:
            return Sample(at_s=self._at_s, supervisor="STOPPED")
        growth = self._course.growth
        quiet = self._limits.quiet
        return Sample(
            at_s=self._at_s,
            # It ran when it was measured, whatever was said of it at the end of the span.
            supervisor=span.supervisor and "RUNNING",
            identity=(span.identity[0] if span.identity else 0, self._lives),
            rss_mb=memory_mb,
            uptime_s=self._at_s - self._began_s,
            slope_mb_per_h=growth.slope_mb_per_h if growth else None,
            limit_reached_in_s=self._course.reaches_in_s(self._limits.limit_mb, memory_mb or 0.0),
            is_quiet=quiet.holds(time.localtime(span.at_utc)) if quiet else None,
            beat=_beat(span),
        )


def _beat(span: Span) -> Beat | None:
    """Return a beat of that state; its age is left out, so that nobody is found hung."""
    if span.state not in _STATES:
        return None
    return _STATES[span.state]


_STATES: Final = {
    state: Beat(process="", pid=0, state=state, uptime_s=0.0, loop_lag_s=0.0, progress=0)
    for state in ("starting", "ready", "paused", "draining")
}


def _recorded(span: Span, verdict: str) -> Event:
    name, _, cause = verdict.partition(":")
    return Event(at_utc=span.at_utc, verdict=name, cause=cause)
