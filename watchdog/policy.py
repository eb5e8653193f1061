"""The policy: one sample and what was known before, in; a verdict and what is known now, out.

Pure: no clock, no I/O, nothing but values. :func:`judge` first asks whether the process that was
known has ended, then what supervisord says of it (:data:`_BY_STATE`), and for a running process
each check of :mod:`watchdog.faults`.

What it never does: judge a process that starts, stops, or is held by a debugger; fight an
operator's stop; hold a number against anybody that was not measured; count a silence that the
watchdog itself slept through; restart the same process faster than the tolerated pace for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from watchdog import planned, relief
from watchdog.faults import examine
from watchdog.records import Limits, Quarantine, Record, Sample, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from watchdog.records import Action

#: sysexits.h: the settings are wrong; only the operator can mend them.
EX_CONFIG: Final = 78

Judged = tuple[Verdict, Record]


def judge(record: Record, sample: Sample, limits: Limits) -> Judged:
    """Return the verdict on ``sample``, and the record to bring next time."""
    record = replace(record, ends_s=tuple(at_s for at_s in record.ends_s if sample.at_s - at_s < limits.period_s))
    known = record.identity
    has_ended = known is not None and (sample.is_gone or sample.identity not in {None, known})
    if has_ended or (known is None and sample.identity is not None):
        record = replace(
            record,
            identity=sample.identity,
            since_s=sample.at_s,
            strikes=(),
            family_strikes=(),
            overdue_since_s=None,
            overdue_progress=None,
        )
        record = relief.under(record)
    if has_ended and not sample.was_asked and not _is_explained(sample):
        assert known is not None  # noqa: S101 - what has_ended says
        return _crashed(record, sample, limits, f"process {known[0]} ended{_how(sample)}")
    return _BY_STATE.get(sample.supervisor, _not_judged)(record, sample, limits)


def _is_explained(sample: Sample) -> bool:
    """Return whether an end is no crash: it was told to, or nobody can tell, or its settings are wrong."""
    return sample.supervisor in _NOT_A_CRASH or (sample.supervisor == "EXITED" and sample.exit_status == EX_CONFIG)


def settled(record: Record, action: Action, *, is_done: bool, at_s: float, limits: Limits) -> Record:
    """Return the record after ``action`` was carried out, or was tried in vain.

    Whoever lives now is new to the record: its predecessor's end was counted with the verdict.
    """
    if action == "escalate":
        return record
    record = replace(record, identity=None, strikes=(), family_strikes=(), overdue_since_s=None, overdue_progress=None)
    if action == "probe" and not is_done and record.quarantine:
        return replace(record, quarantine=_later(record.quarantine, at_s, limits))
    return record


# What supervisord's word makes of it.


def _running(record: Record, sample: Sample, limits: Limits) -> Judged:
    if sample.identity is None:
        return Verdict(name="not judged", reason="it can't be examined"), record
    if record.quarantine and not record.quarantine.is_probing:  # an operator started it: as good as a probe of ours
        record = replace(record, quarantine=replace(record.quarantine, is_probing=True, well_since_s=None))
    verdict, record = examine(record, sample, limits)
    if verdict.name == "restart":
        verdict, record = planned.followed(verdict, record, sample, limits)
        return _ended(record, sample, limits, verdict)
    return _on_trial(record, sample, limits, verdict) if record.quarantine else (verdict, record)


def _on_trial(record: Record, sample: Sample, limits: Limits, verdict: Verdict) -> Judged:
    """A probed process that has been well for long enough is recovered."""
    quarantine = record.quarantine
    assert quarantine is not None  # noqa: S101 - who calls has asked
    if verdict.name not in {"ok", "warning"}:
        return verdict, replace(record, quarantine=replace(quarantine, well_since_s=None))
    since_s = sample.at_s if quarantine.well_since_s is None else quarantine.well_since_s
    well_s = sample.at_s - since_s
    if well_s >= limits.settle_s:
        reason = f"well for {well_s:.0f} s after {quarantine.reason}"
        return Verdict(name="recovered", reason=reason, action="recover"), replace(record, quarantine=None, ends_s=())
    reason = f"probe {quarantine.probes}: well for {well_s:.0f} s of {limits.settle_s:g} s; {verdict.reason}"
    record = replace(record, quarantine=replace(quarantine, well_since_s=since_s))
    return Verdict(name="probing", reason=reason, action=verdict.action), record


def _stopped(record: Record, sample: Sample, limits: Limits) -> Judged:
    quarantine = record.quarantine
    if quarantine and quarantine.is_ours and not quarantine.is_probing:
        return _until_probe(record, quarantine, sample, limits)
    reason = "stopped by an operator or never started: left alone"
    return Verdict(name="stopped", reason=reason, action="release" if quarantine else None), replace(
        record, quarantine=None
    )


def _given_up(record: Record, sample: Sample, limits: Limits) -> Judged:
    """EXITED or FATAL: supervisord will not start it again."""
    if record.quarantine and record.quarantine.is_probing:
        return _ended(record, sample, limits, Verdict(name="crashed", reason="it did not stay up", action="hold"))
    if record.quarantine:
        return _until_probe(record, record.quarantine, sample, limits)
    if sample.supervisor == "FATAL":
        return _quarantined(record, sample, limits, _GAVE_UP)
    if sample.exit_status == EX_CONFIG:  # whatever its autorestart says, more often would help nobody
        return _quarantined(record, sample, limits, _BAD_SETTINGS)
    reason = f"it ended{_how(sample)}, and supervisord does not start it again"
    return _ended(record, sample, limits, Verdict(name="crashed", cause="crashed", reason=reason, action="start"))


def _backing_off(record: Record, sample: Sample, limits: Limits) -> Judged:
    if record.quarantine:
        return _ended(record, sample, limits, Verdict(name="crashed", reason="it did not stay up", action="stop"))
    return _not_judged(record, sample, limits)


def _unsupervised(record: Record, sample: Sample, limits: Limits) -> Judged:
    """Nobody to ask: what is seen is said, and nothing is done."""
    if sample.identity is None:
        return Verdict(name="not judged", reason="supervisord does not answer, and no living process is known"), record
    verdict, record = examine(record, sample, limits)
    if verdict.name in {"restart", "strike"}:
        reason = f"{verdict.reason}; supervisord does not answer, so nothing restarts it"
        return Verdict(name="warning", cause=verdict.cause, reason=reason), record
    return verdict, record


def _not_judged(record: Record, sample: Sample, limits: Limits) -> Judged:
    del limits
    return Verdict(
        name="not judged", reason=_WORDS.get(sample.supervisor, f"supervisord says {sample.supervisor}")
    ), record


_GAVE_UP: Final = Verdict(
    name="crashed", cause="fatal", action="hold", reason="supervisord gave up starting it (FATAL)"
)
_BAD_SETTINGS: Final = Verdict(
    name="crashed",
    cause="settings",
    action="hold",
    reason="it ended with status 78: its settings are wrong, and only the operator can mend them",
)

_WORDS: Final[dict[str | None, str]] = {
    "STARTING": "starting",
    "STOPPING": "being stopped",
    "BACKOFF": "ended while starting; supervisord tries again",
    "SHUTDOWN": "supervisord stops everything",
    "ABSENT": "supervisord has no program of this name",
}

_BY_STATE: Final[dict[str | None, Callable[[Record, Sample, Limits], Judged]]] = {
    None: _unsupervised,
    "RUNNING": _running,
    "STOPPED": _stopped,
    "EXITED": _given_up,
    "FATAL": _given_up,
    "BACKOFF": _backing_off,
}

#: States in which a process ends because it was told to, or in which nobody can tell.
_NOT_A_CRASH: Final = frozenset({"STOPPING", "STOPPED", "SHUTDOWN", "ABSENT", None})


# What follows from an end that was not asked for.


def _crashed(record: Record, sample: Sample, limits: Limits, reason: str) -> Judged:
    return _ended(record, sample, limits, Verdict(name="crashed", cause="crashed", reason=reason, action="await"))


def _ended(record: Record, sample: Sample, limits: Limits, verdict: Verdict) -> Judged:
    """Count an end; too many of them, or one on trial, make the verdict a quarantine."""
    record = replace(record, ends_s=(*record.ends_s, sample.at_s), strikes=())
    if record.quarantine:
        quarantine = _later(record.quarantine, sample.at_s, limits)
        reason = f"probe {quarantine.probes} failed: {verdict.reason}; the next one follows in {quarantine.delay_s:g} s"
        action: Action = "hold" if verdict.action == "hold" else "stop"
        quarantine = replace(quarantine, is_ours=quarantine.is_ours or action == "stop")
        return Verdict(name="quarantined", reason=reason, action=action), replace(record, quarantine=quarantine)
    if len(record.ends_s) >= limits.intensity:
        reason = f"{verdict.reason}; restart or crash no. {len(record.ends_s)} within {limits.period_s:g} s"
        return _quarantined(record, sample, limits, replace(verdict, reason=reason, action="stop"))
    return verdict, record


def _quarantined(record: Record, sample: Sample, limits: Limits, found: Verdict) -> Judged:
    quarantine = Quarantine(
        reason=found.reason,
        delay_s=limits.first_probe_s,
        probe_at_s=sample.at_s + limits.first_probe_s,
        is_ours=found.action == "stop",
    )
    reason = f"{found.reason}; a first probe follows in {limits.first_probe_s:g} s"
    return replace(found, name="quarantined", reason=reason), replace(record, quarantine=quarantine)


def _until_probe(record: Record, quarantine: Quarantine, sample: Sample, limits: Limits) -> Judged:
    del limits
    left_s = quarantine.probe_at_s - sample.at_s
    if left_s > 0:
        return Verdict(
            name="quarantined", reason=f"{quarantine.reason}; the next probe follows in {left_s:.0f} s"
        ), record
    quarantine = replace(quarantine, is_probing=True, probes=quarantine.probes + 1, well_since_s=None)
    reason = f"probe {quarantine.probes} after {quarantine.delay_s:g} s"
    return Verdict(name="probing", reason=reason, action="probe"), replace(record, quarantine=quarantine)


def _later(quarantine: Quarantine, at_s: float, limits: Limits) -> Quarantine:
    delay_s = min(quarantine.delay_s * 2, limits.longest_probe_s)
    return replace(quarantine, delay_s=delay_s, probe_at_s=at_s + delay_s, is_probing=False, well_since_s=None)


def _how(sample: Sample) -> str:
    if sample.supervisor != "EXITED" or sample.exit_status is None:
        return " without being asked to"
    if sample.exit_status < 0:
        return " by a signal that was not the watchdog's"
    return f" with status {sample.exit_status}"
