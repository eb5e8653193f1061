"""The words of an alert: what happened, why, what was done, what to do now, the evidence.

Pure. A subject is made of our own words, a process's name and figures; what a process says of
itself stands only in the text, and on one line.
"""

from __future__ import annotations

import platform
import textwrap
import time
from typing import TYPE_CHECKING, Final

import msgspec

from ipc.logs import harmless

if TYPE_CHECKING:
    from ipc.messages import Incident, ProcessReport
    from watchdog.records import Limits

#: What a beat says of itself is cut at this. Chosen, not measured.
_MAX_WORD_CHARACTERS: Final = 100

#: A line of a mail (RFC 5322 recommends 78), and where the words begin in it.
_WIDTH: Final = 76
_COLUMN: Final = 11
_MINUTE_S: Final = 60.0
_HOUR_S: Final = 3600.0


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One mail to be."""

    id: str
    subject: str
    text: str
    at_utc: float
    #: The evidence in words, to be attached; empty where there is none.
    attachment: str = ""


#: How an incident's kind is told, in the past tense of a headline.
_HEADLINES: Final = {
    "crashed": "{process} crashed and was started again",
    "quarantine": "{process} is quarantined",
}


def opened(incident: Incident, before: ProcessReport | None, ends: int, limits: Limits, supervisorctl: str) -> Alert:
    """Tell of a new incident and of what was done about it.

    ``before`` is how the process was then; None when that is not known any more (the watchdog itself was
    restarted in between). ``supervisorctl`` is the command with which an operator reaches supervisord.
    """
    headline = _HEADLINES.get(incident.kind, "{process} restarted").format(process=incident.process)
    is_quarantine = incident.kind == "quarantine"
    advice = _QUARANTINE_ADVICE if is_quarantine else _ADVICE
    commands = [
        (f"To {word}", f"{supervisorctl} {word} {incident.process}") for word in ("start", "stop") if is_quarantine
    ]
    lines = [
        ("What", f"{headline}, on {platform.node()}"),
        ("Why", incident.reason),
        ("Done", incident.action),
        ("When", _when(incident.opened_utc)),
        ("As it was", _as_it_was(before) if before else "not known: the watchdog itself was restarted meanwhile"),
        ("Last beat", _last_beat(before) if before else "not known"),
        ("So far", _so_far(incident.process, ends, limits)),
        ("Now", advice.format(process=incident.process, period=_span(limits.period_s))),
        *commands,
        ("Incident", incident.id),
        ("To read", f"sentimentagent incidents show {incident.id}"),
    ]
    return _alert(incident.id, f"{headline}: {_short(incident.reason)}", lines, incident.opened_utc)


def recovered(incident: Incident, reason: str) -> Alert:
    """Tell that a quarantine is over."""
    closed_utc = incident.closed_utc or time.time()
    lines = [
        ("What", f"{incident.process} has recovered from its quarantine, on {platform.node()}"),
        ("Why", reason),
        ("When", _when(closed_utc)),
        ("It lasted", _span(closed_utc - incident.opened_utc)),
        ("Incident", incident.id),
    ]
    return _alert(f"{incident.id}-recovered", f"{incident.process} recovered: {_short(reason)}", lines, closed_utc)


_ADVICE: Final = (
    "Nothing, if it stays the only time. No other mail is sent about the same fault of {process} until it has been"
    " well for {period}; `sentimentagent status` shows how it is."
)
_QUARANTINE_ADVICE: Final = (
    "Read the log of {process}. It is started again by itself, ever more rarely, until it stays up, and then you are"
    " told. To have it tried at once, start it; to have it left alone, start and stop it."
)


def _alert(alert_id: str, subject: str, lines: list[tuple[str, str]], at_utc: float) -> Alert:
    text = "\n".join(_paragraph(name, harmless(words)) for name, words in lines)
    return Alert(id=alert_id, subject=f"[SentimentAgent] {harmless(subject, 200)}", text=f"{text}\n", at_utc=at_utc)


def _paragraph(name: str, words: str) -> str:
    first, rest = f"{name:<{_COLUMN}}", " " * _COLUMN
    if name.startswith("To "):  # a command, to be copied whole
        return first + words
    return textwrap.fill(words, _WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)


def _short(reason: str) -> str:
    """Return what fits into a subject: the fault itself, without what follows from it."""
    return reason.partition(";")[0]


def _so_far(process: str, ends: int, limits: Limits) -> str:
    period = _span(limits.period_s)
    return f"restarts and crashes of {process} within {period}: {ends}; at {limits.intensity} it is quarantined"


def _as_it_was(before: ProcessReport) -> str:
    memory = "memory not measured" if before.memory_mb is None else f"memory {before.memory_mb:.0f} MB"
    cpu = "CPU not measured" if before.cpu_percent is None else f"CPU {before.cpu_percent:.1f} %"
    uptime = "" if before.uptime_s is None else f", up {_span(before.uptime_s)}"
    thresholds = f"warning {before.memory_warning_mb:.0f}, limit {before.memory_limit_mb:.0f}"
    return f"process {before.pid or 'not known'}{uptime}, {memory} ({thresholds}), {cpu}"


def _last_beat(before: ProcessReport) -> str:
    beat = before.beat
    if beat is None or before.beat_age_s is None:
        return "none"
    doing = f"waiting for {beat.waiting_for}" if beat.waiting_for else f"busy with {beat.unit or 'nothing named'}"
    gauges = (f"{name} {value:g}" for name, value in sorted(beat.gauges.items()))
    said = [f"{before.beat_age_s:.1f} s before: {beat.state}", f"{beat.progress} units done", doing, *gauges]
    return ", ".join(harmless(words, _MAX_WORD_CHARACTERS) for words in said)


def _when(utc: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(utc))


def _span(seconds: float) -> str:
    if seconds < 2 * _MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR_S:
        return f"{seconds / _MINUTE_S:.0f} min"
    return f"{seconds / _HOUR_S:.1f} h"
