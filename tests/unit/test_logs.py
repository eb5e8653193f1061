from __future__ import annotations

import json
import logging
import shutil
from typing import TYPE_CHECKING

import pytest
import structlog

from ipc import logs
from ipc.errors import SettingsError
from ipc.settings import LogSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORGED = 'Hello\n2026-01-01T00:00:00Z level=error event="Forged" \x1b[31m\u202egnp.exe\u2028end\r"'


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def lines(folder: Path, settings: LogSettings, **values: object) -> list[str]:
    """Log one event and return what the shared file holds."""
    logs.configure("collector", settings, folder)
    logs.log("test").info("Something happened", **values)
    return (folder / "backend.log").read_text().splitlines()


def test_untrusted_text_cannot_forge_a_line(tmp_path: Path) -> None:
    """Newlines, escapes for the terminal and direction marks come out as text."""
    (line,) = lines(tmp_path, LogSettings(), title=FORGED)
    assert line.startswith("time=")
    assert "\x1b" not in line
    assert "\u202e" not in line
    assert "\u2028" not in line
    assert 'event="Forged"' not in line.split("title=")[0]


def test_an_event_is_key_and_value_with_time_and_process(tmp_path: Path) -> None:
    """What the runbook's greps rely on."""
    (line,) = lines(tmp_path, LogSettings(), memory_delta_mb=1.5)
    assert "level=info process=collector" in line
    assert 'event="Something happened"' in line
    assert "memory_delta_mb=1.5" in line


def test_json_is_one_object_a_line(tmp_path: Path) -> None:
    """The other format, for machines."""
    (line,) = lines(tmp_path, LogSettings(log_format="json"), title=FORGED, count=3)
    event = json.loads(line)
    assert event["event"] == "Something happened"
    assert event["count"] == 3
    assert "\n" not in event["title"]


def test_a_traceback_is_one_line(tmp_path: Path) -> None:
    """One event, one line, whatever went wrong."""
    logs.configure("api", LogSettings(), tmp_path)
    try:
        raise ValueError(FORGED)  # noqa: TRY301 - the traceback is what is tested
    except ValueError:
        logs.log("test").exception("Failed")
    (line,) = (tmp_path / "backend.log").read_text().splitlines()
    assert "ValueError" in line
    assert "Traceback" in line


def test_other_libraries_speak_the_same_way_and_never_below_warning(tmp_path: Path) -> None:
    """At DEBUG some of them would log requests with their headers."""
    logs.configure("collector", LogSettings(log_level="DEBUG"), tmp_path)
    logging.getLogger("asyncpraw").debug("Authorization: bearer hush")
    logging.getLogger("asyncio").warning("slow\ncallback")
    (line,) = (tmp_path / "backend.log").read_text().splitlines()
    assert "slow\\ncallback" in line.replace("\\\\n", "\\n")


def test_a_long_value_is_cut(tmp_path: Path) -> None:
    """A 10 MB title must not become a 10 MB line."""
    (line,) = lines(tmp_path, LogSettings(), title="x" * 10_000_000)
    assert len(line) < logs.MAX_VALUE_CHARACTERS + 300
    assert "10000000 characters" in line


def test_the_shared_file_is_turned_over_at_its_limit_by_whoever_sees_it(tmp_path: Path) -> None:
    """Two processes share the file: nothing is written to a file that nobody reads, and it stays bounded."""
    first = logs.SharedFile(tmp_path / "backend.log", max_mb=0.001)
    second = logs.SharedFile(tmp_path / "backend.log", max_mb=0.001)
    for number in range(100):
        for handler in (first, second):
            handler.emit(logging.makeLogRecord({"msg": f"event {number:03d} " + "x" * 30}))
    first.close()
    second.close()
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backend.log", "backend.log.1"]
    assert all(size < 2500 for size in sizes)
    assert "event 099" in (tmp_path / "backend.log").read_text()


def test_a_renamed_file_is_followed(tmp_path: Path) -> None:
    """What logrotate does: rename, then create."""
    logs.configure("api", LogSettings(), tmp_path)
    logs.log("test").info("before")
    (tmp_path / "backend.log").rename(tmp_path / "backend.log.1")
    logs.log("test").info("after")
    assert "after" in (tmp_path / "backend.log").read_text()


def test_a_folder_that_is_taken_away_ends_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is made again; where it can't be, lines are lost until it can, and the program goes on."""
    folder = tmp_path / "logs"
    logs.configure("api", LogSettings(), folder)
    shutil.rmtree(folder)
    logs.log("test").info("made again")
    assert "made again" in (folder / "backend.log").read_text()
    shutil.rmtree(folder)
    folder.write_text("a file in the folder's place")
    logs.log("test").info("lost")
    logs.log("test").info("lost")
    assert "Logging error" in capsys.readouterr().err
    folder.unlink()
    logs.log("test").info("back")
    assert "back" in (folder / "backend.log").read_text()


def test_a_file_that_cannot_be_written_is_a_settings_error(tmp_path: Path) -> None:
    """Told before anything starts."""
    (tmp_path / "backend.log").mkdir()
    with pytest.raises(SettingsError, match="backend.log"):
        logs.configure("api", LogSettings(), tmp_path)
