from __future__ import annotations

import json
import time
import tracemalloc
from pathlib import Path

from ipc.messages import Beat
from watchdog import history
from watchdog.history import PACK, PACKS, History, Ring, point_of
from watchdog.records import Limits, Verdict
from watchdog.registry import Heard
from watchdog.watched import Watched

KEPT = PACK * PACKS


def collector() -> Watched:
    """Return a process of which nothing was measured yet."""
    return Watched("collector", Limits(warning_mb=400, limit_mb=480), Path("control.sock"))


def heard(**said: object) -> Heard:
    """Return a beat that came at 100 s."""
    of_all = {"process": "collector", "pid": 7, "state": "ready", "uptime_s": 1.0, "loop_lag_s": 0.0, "progress": 3}
    return Heard(beat=Beat(**(of_all | said)), at_s=100.0)  # type: ignore[arg-type] # the fields are right, by name


def filled(points: int) -> Ring:
    """Return a ring that was given so many points, a second apart."""
    ring = Ring()
    for nth in range(points):
        assert ring.wants(float(nth), "ok")
        ring.add(float(nth), "ok", b"%d\n" % nth)
    return ring


def test_a_point_a_second_is_kept_however_often_it_is_offered() -> None:
    """The rounds come four times a second, or more often."""
    ring = Ring()
    kept = 0
    for nth in range(400):
        if ring.wants(nth * 0.25, "ok"):
            ring.add(nth * 0.25, "ok", b"")
            kept += 1
    assert kept == 100


def test_a_change_of_verdict_or_pid_is_kept_at_once() -> None:
    """What was decided must not fall between two points."""
    ring = filled(1)
    assert not ring.wants(0.25, "ok")
    assert ring.wants(0.25, "strike")


def test_a_ring_is_bounded_and_keeps_the_newest() -> None:
    """Half an hour, whatever the uptime."""
    ring = filled(3 * KEPT + 7)
    lines = ring.all().split()
    assert lines == [b"%d" % nth for nth in range(2 * KEPT, 3 * KEPT + 7)]


def test_fresh_lines_are_given_once() -> None:
    """Each line goes to disk once; a ring that has turned over since gives all it has."""
    ring = filled(5)
    assert ring.take_fresh() == [b"0\n", b"1\n", b"2\n", b"3\n", b"4\n"]
    assert ring.take_fresh() == []
    ring.add(9, "ok", b"9\n")
    assert ring.take_fresh() == [b"9\n"]
    assert len(filled(3 * KEPT).take_fresh()) == KEPT


def test_what_was_not_measured_is_null() -> None:
    """Missing is not zero."""
    point = point_of(collector(), None, 101.0)
    assert (point.pid, point.rss_mb, point.beat_age_s, point.progress) == (None, None, None, None)
    assert point.verdict == "not judged"


def test_what_a_beat_says_is_bounded() -> None:
    """A process that goes mad must not fill the watchdog's memory."""
    gauges = {f"{'g' * 500}{nth}": float(nth) for nth in range(500)}
    point = point_of(collector(), heard(unit="u" * 10_000, gauges=gauges), 101.0)
    assert point.unit == "u" * history.MAX_WORD_CHARACTERS
    assert len(json.dumps(point.gauges)) < 2000
    assert (point.progress, point.beat_age_s) == (3, 1.0)


def test_a_full_ring_takes_a_tenth_of_a_megabyte_or_two(tmp_path: Path) -> None:
    """What the watchdog may hold for it, with a beat as rich as ours are."""
    book, each = History(tmp_path), collector()
    each.verdict = Verdict(name="ok", reason="")
    said = heard(
        unit="batch of 32", gauges={"outbox_items": 12345.0, "batches": 99999.0, "queries": 12.5, "failed": 0.0}
    )
    tracemalloc.start()
    try:
        for nth in range(2 * KEPT):
            book.note(each, said, float(nth))
            if nth % 60 == 0:
                book.take_fresh()
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert book.lines("collector").count(b"\n") == KEPT
    assert held_bytes < 200_000


def test_the_history_survives_the_watchdogs_restart(tmp_path: Path) -> None:
    """A torn last line, and what is older than the span, are left."""
    book, each = History(tmp_path / "history"), collector()
    for nth in range(3):
        book.note(each, heard(progress=nth), 100.0 + nth)
    book.write(book.take_fresh())
    path = tmp_path / "history" / "collector.ndjson"
    old = path.read_bytes().splitlines()[0].replace(b'"at_utc":', b'"at_utc":1')
    path.write_bytes(old.replace(b'"at_utc":1', b'"at_utc":0.') + b"\n" + path.read_bytes() + b'{"at_utc": 12')
    again = History(tmp_path / "history")
    again.load(["collector", "analyzer"])
    assert [json.loads(line)["progress"] for line in again.lines("collector").splitlines()] == [0, 1, 2]
    assert again.lines("analyzer") == b""


def test_the_files_of_the_history_are_bounded(tmp_path: Path) -> None:
    """Two segments a process, whatever the uptime; together they hold half an hour and more."""
    book = History(tmp_path)
    line = json.dumps({"at_utc": time.time(), "filler": "x" * 260}).encode() + b"\n"
    for _ in range(100):
        book.write({"collector": [line] * 60})
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == 2
    assert 1800 * len(line) < sum(sizes) < 1.2 * 1024 * 1024
