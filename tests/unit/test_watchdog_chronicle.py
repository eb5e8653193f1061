from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest
from fakes.spans import BEGAN_UTC, spans_of
from msgspec.structs import replace
from structlog.testing import capture_logs

from watchdog import chronicle
from watchdog.chronicle import Chronicle, prune, read, write
from watchdog.records import Limits
from watchdog.watched import Watched

HOUR = spans_of(lambda _: 50.0, 1)


def api() -> Watched:
    """Return a process of which nothing was measured yet."""
    return Watched("api", Limits(warning_mb=400, limit_mb=480), Path("control.sock"))


def test_what_was_written_is_read_by_process_and_time(tmp_path: Path) -> None:
    """Other processes' lines lie between."""
    write(tmp_path / "samples", [*HOUR, *(replace(span, process="apis") for span in HOUR)])
    assert list(read(tmp_path / "samples", "api", 0)) == HOUR
    assert list(read(tmp_path / "samples", "api", HOUR[-3].at_utc)) == HOUR[-3:]
    assert list(read(tmp_path / "samples", "collector", 0)) == []
    assert list(read(tmp_path / "nowhere", "api", 0)) == []


def test_each_day_has_its_file_and_is_private(tmp_path: Path) -> None:
    """Days begin at midnight, UTC."""
    write(tmp_path, spans_of(lambda _: 50.0, 30))
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["20261118.ndjson", "20261119.ndjson"]
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


@pytest.mark.parametrize("cut", [1, 20, 60, 90])
def test_a_torn_line_costs_that_line_alone(tmp_path: Path, cut: int) -> None:
    """A power cut in the middle of it; what the next life adds is whole."""
    write(tmp_path, HOUR[:3])
    (path,) = tmp_path.iterdir()
    os.truncate(path, path.stat().st_size - cut)
    write(tmp_path, HOUR[3:5])
    assert list(read(tmp_path, "api", 0)) in (HOUR[:5], HOUR[:2] + HOUR[3:5])


def test_foreign_lines_are_left_out(tmp_path: Path) -> None:
    """Another version's, or a disk's rubbish."""
    write(tmp_path, HOUR[:1])
    (path,) = tmp_path.iterdir()
    path.write_bytes(b'["api",1]\n["api","x"]\n["api",\xff\n{}\n' + path.read_bytes())
    assert list(read(tmp_path, "api", 0)) == HOUR[:1]


def test_the_oldest_days_go(tmp_path: Path) -> None:
    """Today and so many before it are kept, whatever the wall clock says now."""
    for day in range(20):
        write(tmp_path, [replace(HOUR[0], at_utc=BEGAN_UTC + day * 86400)])
    prune(tmp_path, 14)
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert len(kept) == 15
    assert kept[-1] == "20261207.ndjson"


def test_no_more_bytes_are_kept_than_the_docs_say(tmp_path: Path) -> None:
    """The newest file stays, the oldest ones go."""
    for day in range(1, 6):
        (tmp_path / f"2026110{day}.ndjson").write_bytes(b"")
        os.truncate(tmp_path / f"2026110{day}.ndjson", chronicle.MAX_BYTES // 3)
    prune(tmp_path, 14)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"2026110{day}.ndjson" for day in (3, 4, 5)]


def test_a_day_is_bounded(tmp_path: Path) -> None:
    """Whatever happens in it."""
    write(tmp_path, HOUR[:1])
    (path,) = tmp_path.iterdir()
    os.truncate(path, chronicle.DAY_BYTES + 1)
    with pytest.raises(OSError, match="more of this day"):
        write(tmp_path, HOUR[1:2])


async def test_a_disk_that_takes_nothing_is_told_of_once(tmp_path: Path) -> None:
    """And again when it has been well in between; nothing is raised, and nothing piles up."""
    (tmp_path / "samples").write_text("a file where the folder should be")
    book, each = Chronicle(tmp_path / "samples", 14), api()
    with capture_logs() as logs:
        for second in range(0, 100, 10):
            book.note(each, None, float(second))
            await book.flush()
        (tmp_path / "samples").unlink()
        await book.flush()
        (tmp_path / "samples").rmdir()
        (tmp_path / "samples").write_text("again")
        await book.close()
    assert [line["event"] for line in logs] == 2 * ["The long history lacks what the disk does not take"]


async def test_the_last_span_is_written_at_the_end(tmp_path: Path) -> None:
    """A stop loses nothing; the next life adds to the same file."""
    for _ in range(2):
        book = Chronicle(tmp_path, 14)
        for second in range(15):
            book.note(api(), None, float(second))
        await book.close()
    assert [span.span_s for span in read(tmp_path, "api", 0)] == [10, 4, 10, 4]


def test_what_waits_for_the_disk_is_bounded(tmp_path: Path) -> None:
    """A disk that hangs for a day must not cost memory."""
    book, each = Chronicle(tmp_path, 14), api()
    tracemalloc.start()
    try:
        for second in range(0, 86400, 5):
            book.note(each, None, float(second))
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held_bytes < 1_000_000
