from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from watchdog.log_excerpt import LEFT_OUT, excerpt

ROOT = Path(__file__).parents[2]
HEAD = "time=2026-11-24T08:13:20.354907Z level=info process=collector"


def told(tmp_path: Path, text: str, name: str = "backend.log", **bound: int) -> str:
    """Return the excerpt of a log with this text."""
    path = tmp_path / name
    path.write_text(text)
    return excerpt(path, **bound)


def test_a_line_of_ours_stays_as_it_is(tmp_path: Path) -> None:
    """Figures, and words that we know."""
    line = f'{HEAD} event="Collection cycle succeeded" cycle_id=6efc source=sample posts=281 memory_delta_mb=-0.67\n'
    assert told(tmp_path, line) == line


def test_words_under_a_name_that_is_not_known_are_left_out(tmp_path: Path) -> None:
    """A new line of the log is silent until somebody has thought about it."""
    line = f'{HEAD} event="Items rejected" count=2 first="somebody: I hate \\"it\\"" author=somebody\n'
    assert told(tmp_path, line) == f'{HEAD} event="Items rejected" count=2 first={LEFT_OUT} author={LEFT_OUT}\n'


def test_an_event_that_quotes_is_cut_where_it_begins_to(tmp_path: Path) -> None:
    """Asyncio tells of a task with the words of its error."""
    line = f"{HEAD} event=\"Task exception was never retrieved\\nfuture: <Task exception=ValueError('text')>\"\n"
    assert told(tmp_path, line) == f'{HEAD} event="Task exception was never retrieved..."\n'


def test_an_error_keeps_its_type_and_calls_and_no_words(tmp_path: Path) -> None:
    """Its words may quote what it choked on."""
    trace = 'Traceback (most recent call last):\\n  File \\"a.py\\", line 3, in score\\nValueError: somebody wrote this'
    text = told(tmp_path, f'{HEAD} event=Failed exception="{trace}"\n')
    assert "ValueError" in text
    assert "line 3, in score" in text
    assert "somebody wrote this" not in text


def test_what_no_part_of_ours_wrote_is_counted(tmp_path: Path) -> None:
    """A library's print may hold anything."""
    text = told(tmp_path, f"Predicting: some post's text\nmore of it\n{HEAD} event=Ready\n")
    assert text.splitlines() == ["(left out: 2 lines that no part of ours wrote)", f"{HEAD} event=Ready"]


def test_json_lines_are_read_alike(tmp_path: Path) -> None:
    """LOG_FORMAT=json."""
    line = {"time": "2026-11-24T08:13:20Z", "level": "info", "event": "x (quoted)", "author": "somebody", "items": 3}
    text = told(tmp_path, json.dumps(line) + "\n")
    assert json.loads(text) == {**line, "event": "x ...", "author": LEFT_OUT}


def test_supervisord_speaks_for_itself(tmp_path: Path) -> None:
    """Its own lines alone."""
    line = "2026-11-24 08:13:13,835 INFO spawned: 'collector' with pid 24949\n"
    assert told(tmp_path, f"{line}something else\n", "supervisord.log") == line


def test_only_whole_lines_of_the_end_are_read(tmp_path: Path) -> None:
    """A log of gigabytes costs no more than its end."""
    lines = [f"{HEAD} event=Ready pid={number}\n" for number in range(1000)]
    text = told(tmp_path, "".join(lines), max_bytes=500)
    assert 0 < len(text) <= 500
    assert "".join(lines).endswith(text)


def events() -> list[str]:
    """Return every event that our code logs in so many words."""
    found = []
    for package in ("agent", "api", "ipc", "watchdog"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                is_log = (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and isinstance(node.func.value, ast.Name)
                    and node.func.value.id == "_log"
                )
                if is_log and isinstance(node.args[0], ast.Constant):  # type: ignore[attr-defined]
                    found.append(str(node.args[0].value))  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize("event", sorted(set(events())))
def test_every_event_of_ours_is_a_plain_sentence(tmp_path: Path, event: str) -> None:
    """So none of them is cut."""
    assert told(tmp_path, f'{HEAD} event="{event}"\n') == f'{HEAD} event="{event}"\n'
