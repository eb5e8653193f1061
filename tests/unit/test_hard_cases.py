"""The form of the hard cases: what is in the file, by kind."""

from __future__ import annotations

from collections import Counter

from agent.sentiment import labelled
from agent.sentiment.engine import SENTIMENTS
from agent.sentiment.judges import HARD_CASES
from agent.sentiment.rules import PIECE_CHARS, prepare

KINDS = {
    "negation",
    "contrast",
    "sarcasm",
    "code",
    "quoted",
    "emoji",
    "slang",
    "question",
    "news",
    "language",
    "long",
}
EXAMPLES, BAD = labelled.read(HARD_CASES)


def test_every_line_is_a_case() -> None:
    """Each has a kind, a label and a text."""
    assert BAD == []
    assert len(EXAMPLES) >= 220
    assert {example.kind for example in EXAMPLES} == KINDS


def test_each_kind_has_enough_of_each_label() -> None:
    """So that nobody gets a kind right by always saying the same."""
    counted = Counter((example.kind, example.label) for example in EXAMPLES)
    for kind in KINDS:
        counts = [counted[kind, label] for label in SENTIMENTS]
        assert sum(counts) >= 20, kind
        assert min(counts) >= 2, kind
        assert max(counts) <= 0.65 * sum(counts), kind


def test_no_case_counts_twice() -> None:
    """The same text, whatever its case and blanks."""
    texts = Counter(" ".join(example.text.lower().split()) for example in EXAMPLES)
    assert [text for text, count in texts.items() if count > 1] == []


def test_each_kind_is_what_it_says() -> None:
    """Sarcasm bears its mark, quotes have quoted lines, code has code, long posts have many pieces."""
    by_kind = {kind: [example.text for example in EXAMPLES if example.kind == kind] for kind in KINDS}
    assert all(text.endswith("/s") for text in by_kind["sarcasm"])
    assert all(text.startswith("> ") for text in by_kind["quoted"])
    assert all(
        "`" in text or "\n    " in text or "Traceback" in text or "Exit code" in text for text in by_kind["code"]
    )
    assert all(len(text) > 5 * PIECE_CHARS for text in by_kind["long"])
    assert all(not text.isascii() for text in by_kind["emoji"])
    assert sum(text.endswith("?") for text in by_kind["question"]) > 20


def test_every_case_reaches_a_judge() -> None:
    """No rule answers in its place but the one on other letters: that would measure no model."""
    unread = [example for example in EXAMPLES if prepare(example.title, example.text).text is None]
    assert {prepare("", example.text).rule for example in unread} <= {"not_english"}
    assert {example.kind for example in unread} <= {"language"}
