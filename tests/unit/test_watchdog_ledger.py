from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from ipc.messages import Incident
from watchdog import ledger
from watchdog.incidents import KEPT, Incidents
from watchdog.ledger import Ledger, Remembered
from watchdog.records import Quarantine, Record

if TYPE_CHECKING:
    from pathlib import Path

#: Bytes that are no UTF-8 within a string: msgspec tells of them by Python's own error.
BAD_BYTES = b'{"untold": ["\xff"]}'
QUARANTINE = Quarantine(reason="it crashed", probe_at_s=130.0, delay_s=60, is_ours=True, probes=2, well_since_s=90.0)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """The whole ledger, and no half file beside it."""
    incidents = Incidents()
    incidents.open("api", "hung", "no beat")
    book = Ledger(
        saved_utc=time.time(),
        parent_pid=7,
        was_stopped=False,
        processes={"api": Remembered(end_ages_s=(1.0,), quarantine=QUARANTINE, restarts=3)},
        incidents=incidents.all(),
        untold=tuple(incidents.untold),
    )
    path = tmp_path / "state" / "watchdog.json"
    ledger.write(path, book)
    ledger.write(path, book)
    assert ledger.read(path) == book
    assert [each.name for each in path.parent.iterdir()] == ["watchdog.json"]
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", [b"", b"{", b'{"version": 2}', b'{"processes": 3}', b"\xff\xfe", BAD_BYTES])
def test_a_ledger_that_cannot_be_read_is_an_empty_one(tmp_path: Path, content: bytes) -> None:
    """The watchdog must come up with any file, or none."""
    path = tmp_path / "watchdog.json"
    assert ledger.read(path).processes == {}
    path.write_bytes(content)
    assert ledger.read(path).processes == {}


def test_restarts_keep_their_age_across_the_watchdogs_own_restart() -> None:
    """Written 10 s after the last end and read 5 s later: 15 s ago, on another clock."""
    remembered = ledger.remember(Record(ends_s=(40.0, 90.0)), 100.0, Remembered(restarts=2))
    assert (remembered.end_ages_s, remembered.restarts) == ((60.0, 10.0), 2)
    assert ledger.recall(remembered, now_s=0.5, away_s=5.0).ends_s == (-64.5, -14.5)


def test_a_quarantine_goes_on_across_the_watchdogs_own_restart() -> None:
    """What was left until its probe goes on to run out; a trial begins anew."""
    remembered = ledger.remember(Record(quarantine=QUARANTINE), 100.0, Remembered())
    recalled = ledger.recall(remembered, now_s=1.0, away_s=5.0).quarantine
    assert recalled == replace(QUARANTINE, probe_at_s=26.0, well_since_s=None)


def test_a_probe_under_way_is_remembered_as_due() -> None:
    """Were it remembered as made, a stop that is ours would look like an operator's to the next watchdog."""
    probing = replace(QUARANTINE, is_probing=True)
    recalled = ledger.recall(ledger.remember(Record(quarantine=probing), 100.0, Remembered()), 1.0, 0.0).quarantine
    assert recalled is not None
    assert (recalled.is_probing, recalled.probe_at_s) == (False, 1.0)


@pytest.mark.parametrize(("saved_ago_s", "away_s"), [(30.0, 30.0), (-86_400.0, 0.0)])
def test_a_wall_clock_that_jumped_back_makes_nothing_older(saved_ago_s: float, away_s: float) -> None:
    """supervisor#281: a clock that is set back makes ages negative, and what waits for them waits for ever.

    Ages are never negative.
    """
    assert ledger.away_s(Ledger(saved_utc=time.time() - saved_ago_s)) == pytest.approx(away_s, abs=0.5)


def test_the_same_fault_is_one_incident_until_it_is_over() -> None:
    """A crash loop is one incident; another kind, or the same after the end, is another."""
    incidents = Incidents()
    first = incidents.open("api", "crashed", "it ended with status 3")
    assert incidents.open("api", "crashed", "it ended with status 4").id == first.id
    assert incidents.open("api", "hung", "no beat").id != first.id
    assert incidents.open("collector", "crashed", "it ended").id != first.id
    assert {each.id for each in incidents.close("api")} >= {first.id}
    assert incidents.opened("api") == []
    assert incidents.open("api", "crashed", "again").reason == "again"


def test_incidents_are_bounded_and_the_open_ones_stay() -> None:
    """The oldest that are over go first."""
    old = [
        Incident(id=str(n), process="api", kind="hung", opened_utc=n, closed_utc=n or None, reason="", action="")
        for n in range(KEPT + 20)
    ]
    incidents = Incidents(old)
    incidents.open("collector", "hung", "no beat")
    kept = incidents.all()
    assert len(kept) == KEPT
    assert kept[0].id == "0"
    assert kept[1].id == "22"
