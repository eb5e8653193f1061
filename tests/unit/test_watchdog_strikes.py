from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from ipc.environment import load
from ipc.errors import SettingsError
from ipc.messages import Beat
from watchdog import policy, shadow
from watchdog.records import Limits, Quarantine, Record, Sample
from watchdog.strikes import Marks, are_enough, is_one_short, marked

if TYPE_CHECKING:
    from collections.abc import Callable

    from watchdog.records import Verdict

    Judge = Callable[[Record, Sample, Limits], tuple[Verdict, Record]]


def marks_of(letters: str, samples: int = 3) -> Marks:
    """Return the marks after samples that were over (``O``) or not (``.``)."""
    marks: Marks = ()
    for letter in letters:
        marks = marked(marks, samples, is_over=letter == "O")
    return marks


@pytest.mark.parametrize(
    ("letters", "samples", "marks"),
    [
        ("", 3, ()),
        (".", 3, ()),
        ("O", 3, (True,)),
        (".O", 3, (True,)),
        ("O.", 3, (True, False)),
        ("O..", 3, (True, False, False)),
        ("O...", 3, ()),
        ("OOOO", 3, (True, True, True)),
        ("O.", 1, ()),
    ],
)
def test_the_last_samples_are_kept_as_long_as_one_of_them_was_over(letters: str, samples: int, marks: Marks) -> None:
    """A process that is well has none, so that its record stays as small as it was."""
    assert marks_of(letters, samples) == marks


@pytest.mark.parametrize(
    ("letters", "strikes", "samples", "is_short", "is_enough"),
    [
        ("O", 2, 3, True, False),
        ("O.", 2, 3, False, False),
        ("O..", 2, 3, False, False),
        ("O.O", 2, 3, False, True),
        ("O", 1, 1, False, True),
        ("O", 3, 5, False, False),
        ("OO", 3, 5, True, False),
        ("O.O", 3, 3, True, False),
        ("", 1, 1, False, False),
        ("", 2, 3, False, False),
    ],
)
def test_one_short_is_only_who_was_over_just_now(
    letters: str, strikes: int, samples: int, *, is_short: bool, is_enough: bool
) -> None:
    """The sample that decides is hurried for nobody else."""
    marks = marks_of(letters, samples)
    assert (is_one_short(marks, strikes), are_enough(marks, strikes)) == (is_short, is_enough)


LIMITS = Limits(warning_mb=400, limit_mb=480)
BEAT = Beat(process="api", pid=100, state="ready", uptime_s=900, loop_lag_s=0, progress=7, waiting_for="a request")
ON_TRIAL = Quarantine(reason="memory", probe_at_s=0, delay_s=60, is_ours=True, is_probing=True)


def hurried(letters: str, judge: Judge, supervisor: str | None, record: Record, limits: Limits = LIMITS) -> list[bool]:
    """Return after which samples the next one is hurried; what was restarted begins anew."""
    quick = []
    for nth, letter in enumerate(letters):
        sample = Sample(
            at_s=900 + nth,
            supervisor=supervisor,
            identity=(100, 1),
            rss_mb=500 if letter == "O" else 450,
            beat=BEAT,
            beat_age_s=0.1,
            own_beat_age_s=0.1,
        )
        verdict, record = judge(record, sample, limits)
        quick.append(verdict.name == "strike" and is_one_short(record.strikes, limits.strikes))
    return quick


KNOWN = Record(identity=(100, 1), since_s=0, relieved_at_s=890, is_relieved=True)


@pytest.mark.parametrize(
    ("judge", "supervisor", "record", "most"),
    [
        (policy.judge, None, KNOWN, 0),
        (policy.judge, "SHUTDOWN", KNOWN, 0),
        (policy.judge, "STOPPING", KNOWN, 0),
        (shadow.judge, "RUNNING", KNOWN, 1),
        (shadow.judge, "RUNNING", replace(KNOWN, quarantine=ON_TRIAL), 1),
        (shadow.judge, None, KNOWN, 0),
    ],
    ids=["nobody supervises", "all stops", "it stops", "in the shadow", "on trial in the shadow", "both"],
)
def test_where_no_restart_follows_nothing_is_hurried_for_ever(
    judge: Judge, supervisor: str | None, record: Record, most: int
) -> None:
    """A process may be over its limit for days there; the watchdog must not look twenty times a second at it."""
    assert sum(hurried("O" * 200, judge, supervisor, record)) <= most


@pytest.mark.parametrize("letters", ["O.", "O..", "O..."])
@pytest.mark.parametrize(("strikes", "samples"), [(2, 3), (3, 3), (2, 2), (5, 9)])
def test_a_process_around_its_limit_hurries_every_second_sample_at_most(
    letters: str, strikes: int, samples: int
) -> None:
    """The hurried one is below the limit again, and the one after that comes when it comes."""
    limits = replace(LIMITS, strikes=strikes, strike_samples=samples)
    quick = hurried(letters * 100, shadow.judge, "RUNNING", KNOWN, limits)
    assert sum(quick) <= len(quick) / 2
    assert not any(first and second for first, second in itertools.pairwise(quick))


def test_more_strikes_than_samples_are_refused() -> None:
    """They could never come together, and the limit would be none."""
    environ = {"SENTIMENTAGENT_HOME": "/nowhere", "WATCHDOG_STRIKES": "4"}
    with pytest.raises(SettingsError, match="WATCHDOG_STRIKES=4 is above WATCHDOG_STRIKE_SAMPLES=3"):
        load(environ)
    assert load({**environ, "WATCHDOG_STRIKE_SAMPLES": "4"}).watchdog.watchdog_strikes == 4
