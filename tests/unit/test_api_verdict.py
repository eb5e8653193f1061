"""The health verdict: facts in, status and reasons out."""

from __future__ import annotations

import msgspec
import pytest
from fakes.processes import process_report, status_report
from fakes.stored import TEN_O_CLOCK

from agent.records import Collections, Contents
from api.store_check import StoreCheck
from api.verdict import Facts, Limits, judge

LIMITS = Limits(memory_warning_mb=400, memory_limit_mb=480, freshness_minutes=60, failed_collections=3, silence_s=10)
CONTENTS = Contents(items=5, set_aside=0, newest_collected_utc=TEN_O_CLOCK - 60, sources=("reddit",))
COLLECTIONS = Collections(last_finished_utc=TEN_O_CLOCK - 60, succeeded=9, failed=3, failed_last_hour=3)
WELL = Facts(
    store=StoreCheck(contents=CONTENTS, collections=COLLECTIONS),
    memory_mb=60.0,
    report=status_report(),
    report_age_s=0.4,
    now_utc=TEN_O_CLOCK,
)


def changed(**fields: object) -> Facts:
    """Return facts of a system that is well, but for these."""
    return msgspec.structs.replace(WELL, **fields)


def with_store(**fields: object) -> Facts:
    """Return facts with these contents or collections of the store."""
    contents = {name: value for name, value in fields.items() if name in Contents.__struct_fields__}
    collections = {name: value for name, value in fields.items() if name in Collections.__struct_fields__}
    return changed(
        store=StoreCheck(
            contents=msgspec.structs.replace(CONTENTS, **contents),
            collections=msgspec.structs.replace(COLLECTIONS, **collections),
        )
    )


def test_a_system_that_is_well_is_healthy_without_a_reason() -> None:
    """At the thresholds, not above them."""
    assert judge(WELL, LIMITS) == judge(changed(memory_mb=400.0), LIMITS)
    verdict = judge(with_store(newest_collected_utc=TEN_O_CLOCK - 3600), LIMITS)
    assert (verdict.status, verdict.reasons) == ("healthy", ())


def test_what_is_not_known_is_no_reason() -> None:
    """An empty store is not old, and what supervisord or the kernel did not say is not guilty."""
    assert judge(with_store(items=0, newest_collected_utc=None, sources=()), LIMITS).status == "healthy"
    unknown = process_report("collector", memory_mb=None, cpu_percent=None, supervisor_state=None)
    assert judge(changed(report=status_report(unknown)), LIMITS).status == "healthy"


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (changed(memory_mb=400.1), "api uses 400 MB (warning above 400)"),
        (changed(memory_mb=481.0), "api uses 481 MB, which is critical (limit 480)"),
        (
            with_store(newest_collected_utc=TEN_O_CLOCK - 3601 - 60),
            "the newest data is 61 minutes old (warning above 60)",
        ),
        (
            with_store(newest_collected_utc=TEN_O_CLOCK - 20 * 3600),
            "the newest data is 20 hours old (warning above 60 minutes)",
        ),
        (
            with_store(newest_collected_utc=TEN_O_CLOCK - 5 * 86400),
            "the newest data is 5 days old (warning above 60 minutes)",
        ),
        (with_store(failed_last_hour=4), "4 collections failed in the last hour (warning above 3)"),
        (changed(report=None, report_age_s=None), "the watchdog does not answer: how the processes are is not known"),
        (
            changed(report_age_s=11.0),
            "the watchdog has not answered for 11 s: what is told of the processes is that old",
        ),
        (
            changed(report=status_report(process_report("analyzer", memory_mb=450.0))),
            "analyzer uses 450 MB (warning above 400)",
        ),
        (
            changed(report=status_report(process_report("collector", supervisor_state="FATAL", reason="settings"))),
            "collector is down (FATAL): settings",
        ),
        (
            changed(report=status_report(process_report("collector", supervisor_state="STOPPED"))),
            "collector is down (STOPPED)",
        ),
        (
            changed(report=status_report(process_report("collector", beat=None, beat_age_s=None))),
            "collector has not been heard of",
        ),
        (
            changed(report=status_report(process_report("watchdog", beat_age_s=12.3))),
            "watchdog has been silent for 12 s",
        ),
    ],
)
def test_each_rule_degrades_and_says_why(facts: Facts, reason: str) -> None:
    """One reason, in words, with the figure and the threshold."""
    verdict = judge(facts, LIMITS)
    assert (verdict.status, verdict.reasons) == ("degraded", (reason,))


def test_without_the_store_it_is_unhealthy_and_the_other_reasons_stand_too() -> None:
    """The worst first; what the store would have said is not made up."""
    verdict = judge(changed(store=StoreCheck(error="locked"), memory_mb=500.0), LIMITS)
    assert verdict.status == "unhealthy"
    assert verdict.reasons == ("the store does not answer: locked", "api uses 500 MB, which is critical (limit 480)")


def test_an_old_report_accuses_nobody_but_the_watchdog() -> None:
    """What it said of the others may be over by now."""
    old = changed(report=status_report(process_report("collector", supervisor_state="FATAL")), report_age_s=60.0)
    assert len(judge(old, LIMITS).reasons) == 1


def test_freshness_is_never_negative() -> None:
    """A clock that was set back makes data new, not newer than new."""
    assert with_store(newest_collected_utc=TEN_O_CLOCK + 100).freshness_minutes == 0


def test_an_api_that_answers_is_not_called_down() -> None:
    """What the watchdog saw of it may be from before its restart, a second ago."""
    stopped = process_report("api", supervisor_state="STOPPED", beat=None, beat_age_s=None)
    assert judge(changed(report=status_report(stopped)), LIMITS).status == "healthy"
