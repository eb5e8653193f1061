from __future__ import annotations

from typing import Any

from fakes.judged import AT_S, KNOWN, LIMITS, gone, judge_all, sample
from msgspec.structs import replace

from watchdog.policy import judge, settled
from watchdog.records import Quarantine, Record


def test_restarts_and_crashes_together_lead_to_quarantine() -> None:
    """pm2#839: restarts for memory are not counted, so a leak restarts its process for ever.

    Here they count like crashes do.
    """
    record = replace(KNOWN, ends_s=(AT_S - 500, AT_S - 10))
    verdicts, record = judge_all([sample(rss_mb=500), sample(rss_mb=500)], record)
    assert (verdicts[-1].name, verdicts[-1].cause, verdicts[-1].action) == ("quarantined", "memory", "stop")
    assert verdicts[-1].reason == (
        "memory 500 MB over 480 MB; restart or crash no. 3 within 600 s; a first probe follows in 60 s"
    )
    assert record.quarantine


def test_ends_of_long_ago_are_forgotten() -> None:
    """Only what happened within the period counts."""
    verdicts, record = judge_all([sample(beat_age_s=11)], replace(KNOWN, ends_s=(AT_S - 601, AT_S - 600)))
    assert verdicts[0].name == "restart"
    assert record.ends_s == (AT_S,)


def quarantine(**changes: Any) -> Quarantine:  # noqa: ANN401 - any field of a quarantine
    """Return a quarantine that has just begun, with ``changes``."""
    return replace(Quarantine(reason="it crashed", probe_at_s=AT_S + 60, delay_s=60, is_ours=True), **changes)


def test_a_quarantined_process_is_probed_ever_more_rarely() -> None:
    """Each failed probe doubles the delay, up to an hour."""
    record = Record(quarantine=quarantine())
    delays = []
    at_s = AT_S
    for _ in range(8):
        assert record.quarantine
        at_s = record.quarantine.probe_at_s
        early, record = judge(record, gone(supervisor="STOPPED", at_s=at_s - 1), LIMITS)
        assert early.name == "quarantined"
        probe, record = judge(record, gone(supervisor="STOPPED", at_s=at_s), LIMITS)
        assert (probe.name, probe.action) == ("probing", "probe")
        _, record = judge(record, sample(at_s=at_s), LIMITS)
        failed, record = judge(record, gone(supervisor="EXITED", exit_status=1, at_s=at_s), LIMITS)
        assert (failed.name, failed.action, failed.cause) == ("quarantined", "stop", None)
        assert record.quarantine
        delays.append(record.quarantine.delay_s)
    assert delays == [120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_a_probed_process_that_stays_well_is_recovered() -> None:
    """It must hold out at the pace of ends that is tolerated anyway: 600 s by 3."""
    record = replace(KNOWN, ends_s=(AT_S, AT_S), quarantine=quarantine(is_probing=True, probes=1))
    verdicts, record = judge_all([sample(at_s=AT_S + s) for s in (0, 199, 200)], record)
    assert [verdict.name for verdict in verdicts] == ["probing", "probing", "recovered"]
    assert verdicts[1].reason == "probe 1: well for 199 s of 200 s; memory 87 of 480 MB, beat 0.4 s ago"
    assert verdicts[-1].action == "recover"
    assert (record.quarantine, record.ends_s) == (None, ())


def test_a_probed_process_that_hangs_again_fails_its_probe() -> None:
    """On trial any fault leads back, without a new incident."""
    record = replace(KNOWN, quarantine=quarantine(is_probing=True, probes=1))
    (verdict,), record = judge_all([sample(beat_age_s=11)], record)
    assert (verdict.name, verdict.action, verdict.cause) == ("quarantined", "stop", None)
    assert verdict.reason == "probe 1 failed: no beat for 11.0 s, over 10 s; the next one follows in 120 s"
    assert record.quarantine
    assert not record.quarantine.is_probing


def test_an_operator_who_stops_a_probed_process_ends_the_quarantine() -> None:
    """What was started again and is stopped now was stopped by somebody else."""
    (verdict,), record = judge_all([gone(supervisor="STOPPED")], Record(quarantine=quarantine(is_probing=True)))
    assert (verdict.name, verdict.action) == ("stopped", "release")
    assert record.quarantine is None


def test_an_operator_who_starts_a_quarantined_process_has_it_probed() -> None:
    """A start by hand is as good as a probe: it is judged, and not stopped."""
    verdicts, record = judge_all([sample()], replace(KNOWN, quarantine=quarantine()))
    assert (verdicts[0].name, verdicts[0].action) == ("probing", None)
    assert record.quarantine
    assert record.quarantine.is_probing


def test_fatal_is_left_by_probes_and_not_for_ever() -> None:
    """supervisor#487: after a few failed starts a program is FATAL for ever, and nobody tries it again.

    By itself supervisord never leaves FATAL.
    """
    verdicts, record = judge_all([gone(supervisor="FATAL"), gone(supervisor="FATAL", at_s=AT_S + 60)], Record())
    assert [(verdict.name, verdict.action) for verdict in verdicts] == [("quarantined", "hold"), ("probing", "probe")]
    again, record = judge(record, gone(supervisor="FATAL", at_s=AT_S + 70), LIMITS)
    assert (again.name, again.action) == ("quarantined", "hold")
    stopped, _ = judge(record, gone(supervisor="STOPPED", at_s=AT_S + 75), LIMITS)
    assert stopped.action == "release", "nobody but an operator stops what supervisord had given up"


def test_wrong_settings_are_not_started_again_and_again() -> None:
    """Status 78 says that only the operator can mend it."""
    (verdict,), record = judge_all([gone(supervisor="EXITED", exit_status=78)])
    assert (verdict.name, verdict.cause, verdict.action) == ("quarantined", "settings", "hold")
    assert record.quarantine


def test_a_probe_that_could_not_be_started_is_not_taken_for_an_operators_stop() -> None:
    """The program is STOPPED as before; the next probe comes later."""
    record = Record(quarantine=quarantine(is_probing=True, probes=1))
    record = settled(record, "probe", is_done=False, at_s=AT_S, limits=LIMITS)
    verdict, _ = judge(record, gone(supervisor="STOPPED", at_s=AT_S + 1), LIMITS)
    assert (verdict.name, verdict.reason) == ("quarantined", "it crashed; the next probe follows in 119 s")
