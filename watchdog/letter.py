"""The words of each alert: an incident opened, still open, over; warnings gathered; several folded into one; a trial.

Pure. A subject is made of our own words, a process's name and figures; what a process says of itself stands only in
the text, and on one line.
"""

from __future__ import annotations

import platform
import time
from typing import TYPE_CHECKING, Final

from ipc.logs import harmless
from watchdog.alert import Alert, Section, section, subject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipc.messages import Incident, ProcessReport
    from watchdog.commands import Commands
    from watchdog.records import Limits

#: What a beat says of itself is cut at this. Chosen, not measured.
_MAX_WORD_CHARACTERS: Final = 100
#: One sentence with a path in it. Chosen, not measured.
_MAX_SAID_CHARACTERS: Final = 500
#: Of many alerts in one; an incident's own is 10 to 60 kB. Chosen, not measured.
_MAX_ATTACHMENT_CHARACTERS: Final = 1_000_000
_MINUTE_S: Final = 60.0
_HOUR_S: Final = 3600.0

#: How an incident's kind is told, in the past tense of a headline.
_HEADLINES: Final = {
    "crashed": "{process} crashed and was started again",
    "quarantine": "{process} is quarantined",
    "unhelped": "{process} grows again soon after its restart",
}


def opened(  # noqa: PLR0913 - what an incident is told of
    incident: Incident,
    before: ProcessReport | None,
    ends: int,
    limits: Limits,
    commands: Commands,
    *,
    said: str = "",
) -> Alert:
    """Tell of a new incident and of what was done about it.

    ``before`` is how the process was then; None when that is not known any more (the watchdog itself was
    restarted in between). ``said`` is what the process itself gave as the reason of its end.
    """
    headline = _headline(incident)
    facts = (
        ("when", when(incident.opened_utc)),
        *(_as_it_was(before) if before else (("as it was", "not known: the watchdog itself was restarted meanwhile"),)),
        ("so far", _so_far(incident.process, ends, limits)),
        ("incident", incident.id),
    )
    shows = ("To read the evidence", commands.incident(incident.id))
    return Alert(
        id=incident.id,
        subject=subject(f"{headline}: {_short(incident.reason)}"),
        at_utc=incident.opened_utc,
        sections=(
            section("What happened", f"{headline}, on {platform.node()}."),
            section("Why", incident.reason, (("it said", said[:_MAX_SAID_CHARACTERS]),) if said else ()),
            section("What was done", incident.action),
            _to_do(incident, span(limits.period_s), commands),
            section("Evidence", "", facts, (shows,)),
        ),
    )


def reminder(incident: Incident, nth: int, now: ProcessReport, at_utc: float, commands: Commands) -> Alert:
    """Tell that an incident is still open."""
    headline = f"{incident.process} still not well after {span(at_utc - incident.opened_utc)}"
    return Alert(
        id=f"{incident.id}-reminder-{nth}",
        subject=subject(f"{headline}: {_short(incident.reason)}"),
        at_utc=at_utc,
        replies_to=(incident.id,),
        sections=(
            section("What happened", f"The incident of {when(incident.opened_utc)} is still open: {now.reason}."),
            section("Why", incident.reason),
            section("What was done", f"The last time: {incident.action}"),
            section("What to do now", "", (), _looks(incident.process, commands)),
            section("Evidence", facts=(("restarts", str(now.restarts)), *_as_it_was(now), ("incident", incident.id))),
        ),
    )


def recovered(incidents: Sequence[Incident], reason: str, at_utc: float) -> Alert:
    """Tell that the incidents of one process are over, in one message: a quarantine's, or else the latest one's."""
    told = next((each for each in incidents if each.kind == "quarantine"), incidents[-1])
    facts = (
        ("when", when(at_utc)),
        ("it lasted", span(at_utc - told.opened_utc)),
        *(("incident", each.id) for each in incidents),
    )
    return Alert(
        id=f"{told.id}-recovered",
        subject=subject(f"{told.process} recovered: {_short(reason)}"),
        at_utc=at_utc,
        tone="recovered",
        replies_to=(told.id,),
        sections=(
            section("What happened", f"{told.process} has recovered, on {platform.node()}."),
            section("Why", reason),
            section("What was done", told.action),
            section("What to do now", "Nothing: should it happen again, it is a new incident and told as one."),
            section("Evidence", facts=facts),
        ),
    )


def folded(alerts: Sequence[Alert]) -> Alert:
    """Put many alerts into one, oldest first; it goes on with all of their threads."""
    first, last = alerts[0], alerts[-1]
    threads = dict.fromkeys(thread for each in alerts for thread in each.replies_to or (each.id,))
    sections: list[Section] = [
        section(
            "What happened",
            f"{len(alerts)} alerts came faster than ALERT_CAP_PER_HOUR lets them out, or while none could be sent.",
            tuple((when(each.at_utc), each.headline) for each in alerts),
        )
    ]
    for number, each in enumerate(alerts, 1):
        sections += [section(f"No. {number} of {len(alerts)}: {each.headline}"), *each.sections]
    return Alert(
        id=f"{first.id}-and-{len(alerts) - 1}-more-until-{last.at_utc:.0f}",
        subject=subject(f"{len(alerts)} alerts, the last: {last.headline}"),
        at_utc=last.at_utc,
        tone="trouble" if any(each.tone == "trouble" for each in alerts) else last.tone,
        replies_to=tuple(threads),
        sections=tuple(sections),
        attachment="\n".join(each.attachment for each in alerts if each.attachment)[:_MAX_ATTACHMENT_CHARACTERS],
    )


def trial(at_utc: float) -> Alert:
    """Return the message of ``sentimentagent alert test``."""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(at_utc))
    return Alert(
        id=f"{stamp}-trial-{at_utc % 1 * 1e6:06.0f}",
        subject=subject(f"Test of the alerts from {platform.node()}"),
        at_utc=at_utc,
        tone="notice",
        sections=(
            section("What happened", f"Somebody ran `sentimentagent alert test` on {platform.node()}."),
            section("Why", "To see that alerts reach you before one is needed."),
            section("What was done", "This message went the way that every alert goes."),
            section("What to do now", "Nothing. You would be told."),
            section("Evidence", facts=(("when", when(at_utc)),)),
        ),
    )


_ADVICE: Final = (
    "Nothing, if it stays the only time. No other mail is sent about the same fault of {process} until it has been"
    " well for {period}, and then you are told."
)
_QUARANTINE_ADVICE: Final = (
    "Read the log of {process}. It is started again by itself, ever more rarely, until it stays up, and then you are"
    " told. To have it tried at once, start it; to have it left alone, start and stop it."
)


def _to_do(incident: Incident, period: str, commands: Commands) -> Section:
    if incident.kind != "quarantine":
        words = _ADVICE.format(process=incident.process, period=period)
        return section("What to do now", words, (), _looks(incident.process, commands))
    actions = [(f"To {word} it", commands.control(word, incident.process)) for word in ("start", "stop")]
    words = _QUARANTINE_ADVICE.format(process=incident.process)
    return section("What to do now", words, (), (*_looks(incident.process, commands), *actions))


def _looks(process: str, commands: Commands) -> tuple[tuple[str, str], ...]:
    return (("To see how all are", commands.status()), (f"To read what {process} said", commands.log(process)))


def _headline(incident: Incident) -> str:
    return _HEADLINES.get(incident.kind, "{process} restarted").format(process=incident.process)


def _short(reason: str) -> str:
    """Return what fits into a subject: the fault itself, without what follows from it."""
    return reason.partition(";")[0]


def _so_far(process: str, ends: int, limits: Limits) -> str:
    told = f"restarts and crashes of {process} within {span(limits.period_s)}: {ends}"
    return f"{told}; at {limits.intensity} it is quarantined" if process != "watchdog" else told


def _as_it_was(before: ProcessReport) -> tuple[tuple[str, str], ...]:
    uptime = "" if before.uptime_s is None else f", up {span(before.uptime_s)}"
    memory = "not measured" if before.memory_mb is None else f"{before.memory_mb:.0f} MB"
    thresholds = f"warning {before.memory_warning_mb:.0f}, limit {before.memory_limit_mb:.0f}"
    return (
        ("process", f"{before.pid or 'not known'}{uptime}"),
        ("memory", f"{memory} ({thresholds})"),
        ("CPU", "not measured" if before.cpu_percent is None else f"{before.cpu_percent:.1f} %"),
        ("last beat", _last_beat(before)),
    )


def _last_beat(before: ProcessReport) -> str:
    beat = before.beat
    if beat is None or before.beat_age_s is None:
        return "none"
    doing = f"waiting for {beat.waiting_for}" if beat.waiting_for else f"busy with {beat.unit or 'nothing named'}"
    gauges = (f"{name} {value:g}" for name, value in sorted(beat.gauges.items()))
    said = [f"{before.beat_age_s:.1f} s before: {beat.state}", f"{beat.progress} units done", doing, *gauges]
    return ", ".join(harmless(words, _MAX_WORD_CHARACTERS) for words in said)


def when(utc: float) -> str:
    """Return a moment, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(utc))


def span(seconds: float) -> str:
    """Return a duration in the unit that fits it; one below nothing is that of a wall clock that stepped back."""
    if seconds < 0:
        return "an unknown time"
    if seconds < 2 * _MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR_S:
        return f"{seconds / _MINUTE_S:.0f} min"
    return f"{seconds / _HOUR_S:.1f} h"
