from __future__ import annotations

import time

import pytest
from fakes.stored import item
from hypothesis import given
from hypothesis import strategies as st

from api.stop_words import STOP_WORDS
from api.terms import LONGEST_WORD, READ_CHARS, terms, text_of


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Claude Code is great", {"claude", "code", "claude code"}),
        ("Claude. Code", {"claude", "code"}),
        ("the GPT-5 of Sonnet 4.5!", {"gpt-5", "sonnet", "sonnet 4.5"}),
        ("C++ and C# and node.js", {"c++", "c#", "node.js"}),
        ("Cursor's pricing; the users\u2019 pricing", {"cursor", "pricing", "cursor pricing"}),
        ("refund refund REFUND", {"refund"}),
        ("Don't don\u2019t dont", set()),
        ("3 2024 x", set()),
        ("see https://evil.example/refund?x=crash and www.refund.example", set()),
        ("[pricing](https://evil.example/refund)", {"pricing"}),
        ("ask u/refund in r/crash or @somebody", set()),
        ("&gt; refund was quoted\nbut pricing was said", {"pricing"}),
        ("before\n```python\nrefund()\n```\npricing `crash()`", {"pricing"}),
        ("before\n    refund()\n\tcrash()\npricing", {"pricing"}),
        ("R&amp;D budget &lt;b&gt;", {"budget"}),
        ("\u202erefund\u202c pri\u200bcing", {"refund", "pricing", "refund pricing"}),
        ("r\u0335\u0334e\u0336f\u0337und", {"refund"}),
        ("\uff32\uff25\uff26\uff35\uff2e\uff24", {"refund"}),
        ("a" * (LONGEST_WORD + 1), set()),
        ("stra\u00dfe Stra\u00dfe", {"strasse"}),
        ("", set()),
        ("\x00\ud800 refund", {"refund"}),
    ],
)
def test_terms_are_words_and_pairs_of_them(text: str, found: set[str]) -> None:
    """Without what carries no subject: stop words, code, links, quotes, names of users, decoration."""
    assert terms(text) == found


@given(st.text(max_size=300))
def test_no_text_breaks_it(text: str) -> None:
    """Whatever comes in, what comes out is short words without stop words or blanks of their own."""
    for term in terms(text):
        words = term.split(" ")
        assert len(words) <= 2
        assert all(word and word not in STOP_WORDS for word in words)


@pytest.mark.parametrize(
    "piece",
    ["`", "```\n", "[](", "](", "a.b-", "a.", "<", "@u/", "x\u0336", "\u202e", "a'", "&amp;", "> ", "++", "\ufdfa"],
)
def test_no_text_takes_long(piece: str) -> None:
    """A post of nothing but opening marks costs no more than others: 17 ms for "a." 300 times were a minute for all."""
    text = text_of(item(title=piece * 5000, content=piece * 5000))
    began_s = time.perf_counter()
    for _ in range(20):
        terms(text)
    assert time.perf_counter() - began_s < 0.15


def test_the_beginning_of_an_item_is_read() -> None:
    """Title first; a comment has none."""
    assert text_of(item(title="Title", content="Content")) == "Title\n\nContent"
    assert len(text_of(item(title="t" * 10**6, content="c" * 10**6))) == READ_CHARS
    assert text_of(item("t1_a", content="Content")).strip() == "Content"
