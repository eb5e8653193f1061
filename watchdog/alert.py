"""An alert: what one message says, as values, and the plain text of it. Nothing of how it is sent.

Every alert has the same sections, in this order: what happened, why, what was done, what to do now, evidence.
"""

from __future__ import annotations

import textwrap
from typing import Final, Literal

import msgspec

from ipc.logs import harmless

#: A line of a mail (RFC 5322 recommends 78).
_WIDTH: Final = 76
_INDENT: Final = " " * 2
_GAP: Final = 2
#: A subject is read on a telephone. Chosen, not measured.
_MAX_SUBJECT_CHARACTERS: Final = 200

_PREFIX: Final = "[SentimentAgent] "

#: What an alert is about: something is wrong, something could become wrong, it is well again, or none of these.
Tone = Literal["trouble", "warning", "recovered", "notice"]


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A headline and what stands under it; every text is on one line."""

    title: str
    words: str = ""
    #: Names and values.
    facts: tuple[tuple[str, str], ...] = ()
    #: What each is for, and the command itself, to be copied whole.
    commands: tuple[tuple[str, str], ...] = ()


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One message to be. Its id is unique, and begins with a time, so that ids sort as alerts came."""

    id: str
    subject: str
    at_utc: float
    sections: tuple[Section, ...]
    tone: Tone = "trouble"
    #: The ids of the alerts that it goes on with: those that opened the incidents.
    replies_to: tuple[str, ...] = ()
    #: The evidence in words, to be attached where the channel can; empty where there is none.
    attachment: str = ""

    @property
    def headline(self) -> str:
        """The subject without our name."""
        return self.subject.removeprefix(_PREFIX)

    @property
    def text(self) -> str:
        """The whole of it in plain text; no line but a command's is longer than a mail's should be."""
        return "\n".join("\n".join([section.title, *_lines(section), ""]) for section in self.sections)


def section(
    title: str,
    words: str = "",
    facts: tuple[tuple[str, str], ...] = (),
    commands: tuple[tuple[str, str], ...] = (),
) -> Section:
    """Return a section whose words can forge no line, whoever said them."""
    return Section(
        title=title,
        words=harmless(words),
        facts=tuple((harmless(name), harmless(value)) for name, value in facts),
        commands=tuple((harmless(purpose), harmless(command)) for purpose, command in commands),
    )


def subject(words: str) -> str:
    """Return ``words`` as a header can carry them, with our name before them."""
    return f"{_PREFIX}{harmless(words, _MAX_SUBJECT_CHARACTERS)}"


def _lines(section: Section) -> list[str]:
    lines = _filled(section.words, _INDENT, _INDENT) if section.words else []
    column = max((len(name) for name, _ in section.facts), default=0) + _GAP
    for name, value in section.facts:
        lines += _filled(value, f"{_INDENT}{name:<{column}}", _INDENT + " " * column)
    for purpose, command in section.commands:
        lines += ["", f"{_INDENT}{purpose}:", f"{_INDENT * 2}{command}"]
    if not section.words and not section.facts:
        return lines[1:]
    return lines


def _filled(words: str, first: str, rest: str) -> list[str]:
    filled = textwrap.wrap(words, _WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
    return filled or [first.rstrip()]
