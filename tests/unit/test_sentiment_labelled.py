"""Files of labelled texts: the forms that are read, and lines that are none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.sentiment import labelled
from agent.sentiment.labelled import BadLine, Example

if TYPE_CHECKING:
    from pathlib import Path


def written(folder: Path, content: str | bytes) -> Path:
    """Return a file with this content."""
    file = folder / "texts"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def test_each_form_is_read(tmp_path: Path) -> None:
    """Tab-separated with and without a kind, and JSON with a text or with a title and a content."""
    lines = [
        "positive\tI love it",
        "emoji\tNegative\t\U0001f44e",
        '{"label": "neutral", "text": "It is Tuesday."}',
        '{"label": "negative", "title": "Down again", "content": "Third time.", "kind": "news"}',
    ]
    examples, bad = labelled.read(written(tmp_path, "\n".join(lines)))
    assert bad == []
    assert examples == [
        Example(1, "positive", "", "I love it"),
        Example(2, "negative", "", "\U0001f44e", "emoji"),
        Example(3, "neutral", "", "It is Tuesday."),
        Example(4, "negative", "Down again", "Third time.", "news"),
    ]


def test_headings_blank_lines_and_windows_are_passed_over(tmp_path: Path) -> None:
    """What a spreadsheet adds changes nothing; line numbers stay the file's."""
    examples, bad = labelled.read(written(tmp_path, b"\xef\xbb\xbflabel\ttext\r\n\r\npositive\tfine\r\n"))
    assert (examples, bad) == ([Example(3, "positive", "", "fine")], [])


def test_a_text_keeps_its_tabs_and_gains_its_newlines(tmp_path: Path) -> None:
    r"""Only the first tab parts; ``\n`` stands for a newline between tabs, and JSON has its own."""
    content = 'neutral\ta\tb\\nc\n{"label": "neutral", "text": "d\\ne \\\\n"}'
    examples, _ = labelled.read(written(tmp_path, content))
    assert [example.text for example in examples] == ["a\tb\nc", "d\ne \\n"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("good\tI love it", "found 'good'"),
        ("I love it", "found 'I love it'"),
        ("positive", "without a text"),
        ("positive\t  ", "without a text"),
        ('{"label": "good", "text": "x"}', "found 'good'"),
        ('{"text": "x"}', "label"),
        ('{"label": "positive"', "truncated"),
        ("1\t2\t3", "found '1'"),
    ],
)
def test_a_line_that_is_no_example_is_named(tmp_path: Path, line: str, says: str) -> None:
    """With its number, and never left out in silence."""
    examples, bad = labelled.read(written(tmp_path, f"positive\tfine\n{line}\nnegative\tbad\n"))
    assert [example.line for example in examples] == [1, 3]
    assert [each.line for each in bad] == [2]
    assert says in bad[0].reason


def test_other_bytes_than_utf_8_cost_their_line_alone(tmp_path: Path) -> None:
    """A file in another encoding is told of by its lines."""
    examples, bad = labelled.read(written(tmp_path, b"positive\tcaf\xe9\npositive\tfine\n"))
    assert [example.line for example in examples] == [2]
    assert bad == [BadLine(1, "expected UTF-8, found other bytes")]
