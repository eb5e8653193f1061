from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

import pytest
import structlog

from ipc import logs
from ipc.settings import LogSettings
from watchdog import log_tail

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLANTED = "my cat hates the new autocomplete"

FATAL = """Fatal Python error: Segmentation fault

Current thread 0x00007f7c8b8b8740 (most recent call first):
  File "/opt/sa/agent/engine.py", line 12 in score
"""


@pytest.fixture
def _own_logging() -> Iterator[None]:
    """Give the root logger back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


@pytest.mark.usefixtures("_own_logging")
@pytest.mark.parametrize("form", ["text", "json"])
def test_an_error_keeps_its_type_and_calls_and_loses_its_words(tmp_path: Path, form: Literal["text", "json"]) -> None:
    """An error's words may quote the post that it choked on."""
    logs.configure("collector", LogSettings(log_format=form, log_file="collector.log"), tmp_path)
    log = logs.log("test")
    log.info("Collection cycle started", cycle_id="c-1")
    logging.getLogger("library.part").warning("odd token in %s", PLANTED)
    try:
        try:
            int(PLANTED)
        except ValueError as error:
            raise RuntimeError(f'no "number" in:\n{PLANTED}') from error
    except RuntimeError:
        log.exception("Subreddit not read", stream="claude")
    tail = log_tail.read(tmp_path, "collector", "backend.log")
    assert PLANTED in (tmp_path / "collector.log").read_text()
    assert PLANTED not in tail
    assert "left out: 1 line " in tail
    assert "ValueError" in tail
    assert "RuntimeError" in tail
    assert "test_watchdog_log_tail.py" in tail
    assert "cycle_id" in tail
    assert "stream" in tail


def test_lines_that_no_part_of_ours_wrote_are_left_out_and_counted(tmp_path: Path) -> None:
    """A library prints what it likes; Python's own last words at a crash are kept."""
    ours = "time=2026-01-01T00:00:00.1Z level=info process=api event=Ready"
    (tmp_path / "api.log").write_text(f"{ours}\n{PLANTED}\n  {PLANTED}\n{ours}\n{FATAL}{PLANTED}\n")
    tail = log_tail.read(tmp_path, "api", "backend.log")
    assert tail.splitlines() == [
        ours,
        "(left out: 2 lines that no part of ours wrote)",
        ours,
        *filter(None, FATAL.splitlines()),
        "(left out: 1 line that no part of ours wrote)",
    ]


def test_only_the_end_of_a_long_log_is_read(tmp_path: Path) -> None:
    """Whole lines of it."""
    line = "time=2026-01-01T00:00:00.1Z level=info process=api event=Query ms=1"
    (tmp_path / "api.log").write_text(f"{line}\n" * 10_000)
    lines = log_tail.read(tmp_path, "api", "backend.log").splitlines()
    assert set(lines) == {line}
    assert len(lines) == log_tail.TAIL_BYTES // (len(line) + 1)


def test_without_a_log_of_its_own_the_shared_one_is_read(tmp_path: Path) -> None:
    """As when the processes were started by hand."""
    mine = "time=2026-01-01T00:00:00.1Z level=info process=api event=Ready"
    (tmp_path / "backend.log").write_text(f"{mine}\n{mine.replace('=api', '=collector')}\n")
    assert log_tail.read(tmp_path, "api", "backend.log") == f"{mine}\n"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            'time=2026-11-24T13:43:13Z level=error process=analyzer event="The process ends" error="no \\"x\\"" kind=E',
            'no "x"',
        ),
        ('{"error": "no x", "event": "The process ends", "time": "2026-11-24T13:43:13Z"}', "no x"),
        ('time=2026-11-24T13:43:13Z level=info process=analyzer event=Stopped error="old"', ""),
        ('{"error": "no x", "event": "Query"}', ""),
        ("{cut off", ""),
        ("", ""),
    ],
)
def test_a_process_that_says_why_it_ends_is_quoted(line: str, words: str) -> None:
    """Only its very last line counts: an older one is of an older end."""
    assert log_tail.last_words(f"time=2026-11-24T13:43:12Z event=Ready\n{line}\n") == words
    assert log_tail.last_words(f"{line}\ntime=2026-11-24T13:43:14Z event=Ready\n") == ""
