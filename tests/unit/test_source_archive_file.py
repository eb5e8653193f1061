"""Lines out of chunks, whatever the cuts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from agent.sources.archive_file import MAX_LINE_BYTES, Line, lines_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def _cut(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    """Yield ``data`` in chunks of these sizes, then the rest."""
    for size in sizes:
        chunk, data = data[:size], data[size:]
        yield chunk
    yield data


@given(st.lists(st.binary(max_size=20).filter(lambda text: b"\n" not in text)), st.lists(st.integers(0, 9)))
def test_lines_are_the_same_whatever_the_cuts(texts: list[bytes], sizes: list[int]) -> None:
    """Every line comes whole, in order, with its number and its end."""
    data = b"".join(text + b"\n" for text in texts)
    lines = list(lines_of(_cut(data, sizes), 0, 0))
    assert [line.text for line in lines] == texts
    assert [line.number for line in lines] == list(range(1, len(texts) + 1))
    assert [data[: line.end].count(b"\n") for line in lines] == [line.number for line in lines]


@given(st.binary(max_size=60), st.lists(st.integers(0, 9)), st.integers(0, 9))
def test_reading_goes_on_at_any_line_as_if_it_had_never_stopped(data: bytes, sizes: list[int], stop: int) -> None:
    """From a line's end and number on, the rest is what it would have been."""
    lines = list(lines_of(_cut(data, sizes), 0, 0))
    before, after = lines[:stop], lines[stop:]
    end, number = (before[-1].end, before[-1].number) if before else (0, 0)
    assert list(lines_of(iter([data[end:]]), number, end)) == after


def test_what_follows_the_last_break_comes_last() -> None:
    """Half a line is told from a whole one."""
    assert list(lines_of(iter([b"a\nb"]), 0, 0)) == [
        Line(1, 2, b"a", has_break=True),
        Line(2, 3, b"b", has_break=False),
    ]


def test_a_line_that_is_too_long_is_passed_over() -> None:
    """It keeps its number and its length, not its text; its neighbours are whole."""
    piece = b"x" * 100_000
    count = MAX_LINE_BYTES // len(piece) + 1
    lines = list(lines_of(iter([b"a\n", *[piece] * count, b"\nb\n"]), 0, 0))
    assert [line.text for line in lines] == [b"a", None, b"b"]
    assert [line.number for line in lines] == [1, 2, 3]
    assert lines[1].end == 2 + count * len(piece) + 1


def test_a_line_of_just_the_limit_is_kept() -> None:
    """The limit is inclusive, however the line was cut."""
    whole = b"x" * MAX_LINE_BYTES
    assert [line.text for line in lines_of(iter([whole, b"\n", whole + b"y\n", whole]), 0, 0)] == [whole, None, whole]
