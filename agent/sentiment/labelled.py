r"""Labelled texts from a file: what models are measured on. Not what they are taught with; that is ``training/``.

A line is one example, in one of three forms:

    label TAB text
    kind TAB label TAB text
    {"label": "...", "text": "...", "kind": "..."}      or "title" and "content" in the place of "text"

The labels are positive, neutral and negative, whatever their case. In the tab-separated forms ``\n`` within a text
stands for a newline, a first line of column names is passed over, and so are blank lines. Nothing else is: a line that
can't be read is returned as such, with its number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from agent.sentiment.engine import SENTIMENTS, Sentiment

if TYPE_CHECKING:
    from pathlib import Path

_EXPECTED: Final = "expected 'label TAB text' with the label positive, neutral or negative"
_HEADINGS: Final = ({"label", "text"}, {"kind", "label", "text"})
#: So much of a wrong line's first cell is shown. Chosen.
_SHOWN_CHARACTERS: Final = 30


class Example(msgspec.Struct, frozen=True):
    """One text and what people say of it."""

    #: Where it stands in its file, from 1.
    line: int
    label: Sentiment
    title: str
    text: str
    #: The group that it is counted in; None where the file has none.
    kind: str | None = None


class BadLine(msgspec.Struct, frozen=True):
    """A line that is no example, and why not."""

    line: int
    reason: str


def read(file: Path) -> tuple[list[Example], list[BadLine]]:
    """Return the examples of a file and its bad lines, each in the file's order.

    Raises:
        OSError: the file can't be read.

    """
    examples: list[Example] = []
    bad: list[BadLine] = []
    for number, raw in enumerate(file.read_bytes().split(b"\n"), start=1):
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r")
            if line.strip() and not (number == 1 and {cell.strip().lower() for cell in line.split("\t")} in _HEADINGS):
                examples.append(_parsed(line, number))
        except UnicodeDecodeError:
            bad.append(BadLine(number, "expected UTF-8, found other bytes"))
        except (ValueError, msgspec.MsgspecError) as error:
            bad.append(BadLine(number, str(error)))
    return examples, bad


def _parsed(line: str, number: int) -> Example:
    """Return the example of one line.

    Raises:
        ValueError: it is none; the text says what was expected and what was found.

    """
    if line.lstrip().startswith("{"):
        return _from_json(line, number)
    first, _, rest = line.partition("\t")
    if (label := _label(first)) is not None:
        return _example(number, label, "", rest.replace("\\n", "\n"))
    second, _, text = rest.partition("\t")
    if (label := _label(second)) is not None:
        return _example(number, label, "", text.replace("\\n", "\n"), first.strip())
    raise ValueError(f"{_EXPECTED}, found {first[:_SHOWN_CHARACTERS]!r} before the first tab or the line's end")


class _JsonLine(msgspec.Struct):
    label: str
    text: str = ""
    title: str = ""
    content: str = ""
    kind: str | None = None


def _from_json(line: str, number: int) -> Example:
    found = msgspec.json.decode(line, type=_JsonLine)
    if (label := _label(found.label)) is None:
        raise ValueError(f"expected the label positive, neutral or negative, found {found.label[:_SHOWN_CHARACTERS]!r}")
    return _example(number, label, found.title, found.text or found.content, found.kind)


def _example(number: int, label: Sentiment, title: str, text: str, kind: str | None = None) -> Example:
    if not (title.strip() or text.strip()):
        raise ValueError("a label without a text")
    return Example(number, label, title, text, kind)


def _label(word: str) -> Sentiment | None:
    return next((each for each in SENTIMENTS if each == word.strip().lower()), None)
