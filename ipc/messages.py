"""The messages that processes exchange, version 1, and their bytes.

A message is a frozen struct; the ones that may arrive at one door form a tagged union. On the
wire a message is one version byte and then MessagePack; :mod:`ipc.framing` puts a length before
it. A field that the receiver does not know is ignored (so fields may be added within a version);
an unknown tag or another version is a :class:`~ipc.errors.WireError` for that connection alone.

This module knows no socket, no clock and no file.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from ipc.errors import WireError

#: The version of everything below; the golden bytes in the tests hold it still.
VERSION: Final = 1

#: The processes of the system, in the order in which they are shown.
PROCESSES: Final = ("collector", "analyzer", "api", "watchdog")

State = Literal["starting", "ready", "paused", "draining", "stopped"]
Outcome = Literal["succeeded", "failed"]
#: ``critical`` is told at once, ``warning`` with other warnings.
Severity = Literal["critical", "warning"]


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=str.lower):
    """The base: a tag on the wire, no change after creation."""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One post or comment as it was collected. Text is Reddit's, hence never trusted."""

    #: Reddit's fullname: ``t3_`` and the id for a post, ``t1_`` and the id for a comment. The key everywhere.
    name: str
    subreddit: str
    author: str
    #: Empty for a comment.
    title: str
    #: A post's selftext or a comment's body.
    content: str
    url: str
    #: Seconds since the epoch, UTC (Reddit's own name for it).
    created_utc: int
    #: Seconds since the epoch, UTC: when the collector read it.
    collected_utc: int
    #: None where the source did not say.
    upvotes: int | None = None
    #: None for a comment, and where the source did not say.
    comment_count: int | None = None
    #: Which source brought it: ``reddit``, ``archive`` or ``sample``.
    source: str
    #: It is gone where it came from (deleted, removed, unknown by now): texts, author and url are empty then.
    is_deleted: bool = False

    @property
    def kind(self) -> Literal["post", "comment"]:
        """What it is, by the prefix of its fullname."""
        return "comment" if self.name.startswith("t1_") else "post"


class SubredditFailure(msgspec.Struct, frozen=True, kw_only=True):
    """Why one subreddit brought nothing in a cycle."""

    subreddit: str
    #: One word for metrics and alerts: ``rate_limited``, ``forbidden``, ``not_found``, ...
    cause: str
    #: A sentence for people.
    detail: str


class Cycle(msgspec.Struct, frozen=True, kw_only=True):
    """One collection cycle, written when it has ended."""

    id: str
    #: ``sample``, ``archive`` or ``reddit``.
    source: str
    #: Seconds since the epoch, UTC.
    started_utc: float
    finished_utc: float
    outcome: Outcome
    #: How many the source gave, and how many of those were not in the outbox or behind a cursor.
    posts: int
    comments: int
    new: int
    #: Subreddits whose listing ended before the last seen post was reached.
    gaps: int = 0
    failures: tuple[SubredditFailure, ...] = ()
    #: RSS after the cycle minus RSS before it, in MB.
    memory_delta_mb: float


class Batch(Message, frozen=True):
    """Items on their way to the analyzer, oldest first, and the cycles that ended meanwhile."""

    #: Grows by at least one from batch to batch of one sender; an :class:`Ack` names it.
    seq: int
    items: tuple[Item, ...]
    cycles: tuple[Cycle, ...] = ()


class Ack(Message, frozen=True):
    """All batches up to and including ``seq`` are durably stored."""

    seq: int


class Explain(Message, frozen=True):
    """Ask the analyzer which words of a text drive its verdict. Nothing is stored, and batches come first."""

    #: As in :class:`Item`: empty for a comment.
    title: str
    content: str


class WordEffect(msgspec.Struct, frozen=True, kw_only=True):
    """One word of the text as it was scored, and what the verdict's probability loses without it."""

    word: str
    #: Negative: the word speaks against the verdict.
    effect: float


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict of now, which is another than the stored one where the model has changed, and the words behind it."""

    sentiment: Literal["positive", "neutral", "negative"]
    confidence: float
    #: Which rule made the text that was scored; some leave nothing to score, and then there are no words.
    rule: str
    model: str
    #: The strongest first.
    words: tuple[WordEffect, ...]
    #: Whether every word was tried: of a long text only the parts that matter most are.
    is_whole: bool


class Explained(Message, frozen=True):
    """The answer to :class:`Explain`; one of both is None."""

    explanation: Explanation | None
    #: Why there is none: a sentence.
    reason: str | None = None


class Collect(Message, frozen=True):
    """Begin a collection cycle now."""


class CycleStarted(Message, frozen=True):
    """A cycle was begun for this request."""

    cycle_id: str


class CycleRunning(Message, frozen=True):
    """A cycle was already running; no second one is begun."""

    cycle_id: str


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a process sees wrong with the data or with what it needs, and that no restart would mend."""

    #: ``source``, ``collections``, ``silent``, ``stale``, ``database``, ``disk``.
    kind: str
    #: What it is about: a subreddit, a folder; empty for the whole.
    subject: str = ""
    #: One word where there is one, which says what to do: ``forbidden``, ``rate_limited``, ``stalled``, ``quiet``, ...
    cause: str = ""
    #: The cause in words, with figures. May hold words of others.
    reason: str
    severity: Severity = "critical"


#: A beat carries no more of one kind, and none with a longer subject or reason. Chosen, not measured.
MAX_TROUBLES: Final = 20
MAX_SUBJECT_CHARACTERS: Final = 60
MAX_REASON_CHARACTERS: Final = 300


class Beat(Message, frozen=True):
    """What a process says of itself, sent to the watchdog on an interval and never answered."""

    process: str
    pid: int
    state: State
    #: Seconds since the process began.
    uptime_s: float
    #: How late the event loop ran this beat, in seconds.
    loop_lag_s: float
    #: Grows with every finished unit of work.
    progress: int
    #: What it waits for (``interval``, ``analyzer``, ``model``, ``items``, ...); None while it works.
    waiting_for: str | None = None
    #: The unit in hand, in a word or two, without anybody's text.
    unit: str | None = None
    #: Seconds until the unit's own deadline; negative when it is over; None without a unit.
    unit_due_s: float | None = None
    #: Figures for health and metrics: ``outbox_items``, ``batches``, ...
    gauges: dict[str, float] = {}
    #: Facts in words for health: ``source``, ``model``, ...
    facts: dict[str, str] = {}
    #: What it sees wrong with the data, and the kinds that it can tell of by now: of others it does not know, which
    #: is not the same as none.
    troubles: tuple[Trouble, ...] = ()
    looked_for: tuple[str, ...] = ()


class Relieve(Message, frozen=True):
    """Give memory back: between two units of work, and within ``deadline_s``; then go on."""

    deadline_s: float


class Relieved(Message, frozen=True):
    """What the process held before and after, in MB; None where it was not measured."""

    before_mb: float | None
    after_mb: float | None


class Drain(Message, frozen=True):
    """Take nothing new and finish what is in hand within ``deadline_s``; go on if not stopped within as long again."""

    deadline_s: float


class Drained(Message, frozen=True):
    """What the process has taken and what it is done with since its start; equal when nothing is in hand."""

    items_in: int
    items_out: int


class Burden(Message, frozen=True):
    """Hold memory for a drill: ``mb`` in all, given back after ``hold_s``. See :mod:`ipc.ballast` for its bounds."""

    #: The one process that is meant: its successor must not take it for its own.
    pid: int
    mb: int
    hold_s: float


class Burdened(Message, frozen=True):
    """What the process holds in all now, in MB; None where it was not measured."""

    rss_mb: float | None


class Status(Message, frozen=True):
    """Ask the watchdog what it knows."""


class ProcessReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the watchdog knows of one process. What was not measured is None."""

    process: str
    #: supervisord's word: RUNNING, STOPPED, STARTING, BACKOFF, FATAL, ...; None when it did not answer.
    supervisor_state: str | None
    pid: int | None
    uptime_s: float | None
    memory_mb: float | None
    cpu_percent: float | None
    memory_warning_mb: float
    memory_limit_mb: float
    #: Seconds since the last beat arrived.
    beat_age_s: float | None
    beat: Beat | None
    #: The policy's last word (``ok``, ``warning``, ``strike``, ``restart``, ``quarantined``, ...) and its reason.
    verdict: str
    reason: str
    restarts: int
    last_restart_utc: float | None = None
    last_restart_reason: str | None = None
    #: How fast its memory grows, and when it reaches its limit; None without enough points, and without growth.
    slope_mb_per_h: float | None = None
    limit_reached_in_s: float | None = None
    #: Seconds since a beat told of a finished unit of work; since its first beat where none did.
    progress_age_s: float | None = None


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that went wrong and what was done about it."""

    id: str
    process: str
    kind: str
    opened_utc: float
    closed_utc: float | None
    reason: str
    action: str
    #: Of a trouble with the data: what it is about by now.
    subjects: tuple[str, ...] = ()
    severity: Severity = "critical"


class StatusReport(Message, frozen=True):
    """The watchdog's answer to :class:`Status`."""

    uptime_s: float
    #: Seconds since the last full round of samples.
    round_age_s: float | None
    #: Whether supervisord answered in that round.
    supervisor_answers: bool
    #: The channels that alerts leave by, such as ``mail``; a colon and why where one does not work, or there is none.
    alerts: str
    alerts_waiting: int
    processes: tuple[ProcessReport, ...]
    incidents: tuple[Incident, ...] = ()
    #: What only the digest will tell and is so now, a sentence each: a core that is busy for long.
    warnings: tuple[str, ...] = ()


class Recall(Message, frozen=True):
    """Ask the watchdog how much memory each process held over the last ``span_s``."""

    span_s: int


class MemoryPoint(msgspec.Struct, frozen=True, array_like=True):
    """The memory of one process in one interval, its children's included, in MB."""

    #: Seconds since the epoch, UTC, at which the interval begins.
    at_utc: int
    lowest_mb: float
    highest_mb: float


class MemoryCurve(msgspec.Struct, frozen=True, kw_only=True):
    """The memory of one process over time."""

    process: str
    #: Oldest first, 300 at most. An interval in which nothing was measured has none.
    points: tuple[MemoryPoint, ...]


class Recalled(Message, frozen=True):
    """The answer to :class:`Recall`."""

    #: How long an interval is: the shorter, the shorter the span that was asked for, or that anything is known of.
    every_s: int
    curves: tuple[MemoryCurve, ...]


#: What each door takes from a client, and what it answers.
AnalyzerRequest = Batch | Explain
AnalyzerReply = Ack | Explained
CollectorRequest = Collect
CollectorReply = CycleStarted | CycleRunning
WatchdogRequest = Beat | Status | Recall
WatchdogReply = StatusReport | Recalled
ControlRequest = Relieve | Drain | Burden
ControlReply = Relieved | Drained | Burdened

AnyMessage = (
    Batch
    | Ack
    | Explain
    | Explained
    | Collect
    | CycleStarted
    | CycleRunning
    | Beat
    | Relieve
    | Relieved
    | Drain
    | Drained
    | Burden
    | Burdened
    | Status
    | StatusReport
    | Recall
    | Recalled
)

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[AnyMessage] = msgspec.msgpack.Decoder(AnyMessage)


def encode(message: AnyMessage) -> bytes:
    """Return the message's bytes: the version byte, then MessagePack with the tag under ``type``."""
    return bytes((VERSION,)) + _encoder.encode(message)


def decode(payload: bytes | bytearray | memoryview) -> AnyMessage:
    """Return the message in ``payload``.

    Raises:
        WireError: another version, an unknown tag, a field of the wrong type, or not MessagePack.

    """
    if not payload:
        raise WireError("an empty frame: expected a version byte and a message")
    if payload[0] != VERSION:
        raise WireError(f"message version {payload[0]}: this side speaks version {VERSION}")
    try:
        return _decoder.decode(memoryview(payload)[1:])
    except (msgspec.MsgspecError, ValueError) as error:
        raise WireError(f"not a message of version {VERSION}: {error}") from error
