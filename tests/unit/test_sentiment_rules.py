"""The written rules of texts, case by case."""

import time

import pytest

from agent.sentiment import rules
from agent.sentiment.rules import clean, has_words, pieces, prepare


@pytest.mark.parametrize(
    ("title", "body", "rule", "text"),
    [
        ("It works", "And I love it", "text", "It works\nAnd I love it"),
        ("It works", "", "title_only", "It works"),
        ("\tIt works", "", "title_only", "It works"),
        ("It works", "   \n\t", "title_only", "It works"),
        ("It works", "[removed]", "title_only", "It works"),
        ("It works", " [Deleted] ", "title_only", "It works"),
        ("It works", "https://example.org/a.png", "text", "It works\nurl"),
        ("", "And I love it", "body_only", "And I love it"),
        ("[deleted]", "And I love it", "body_only", "And I love it"),
        ("[deleted by user]", "[removed]", "gone", None),
        ("", "[deleted]", "gone", None),
        ("[deleted]", "", "gone", None),
        ("", "", "empty", None),
        (" ", "\u200b\u200d\ufeff", "empty", None),
        ("", "...!?", "empty", None),
        ("", "https://example.org", "empty", None),
        ("", "u/somebody", "empty", None),
        ("", "\U0001f602\U0001f602\U0001f602", "emoji", "laughing"),
        ("\U0001f44d\U0001f3fd", "", "emoji", "thumbs up good"),
        ("", ":(", "emoji", "sad"),
        ("", " :-) <3 ", "emoji", "happy smile happy smile"),
        ("", "\\o/ :o", "body_only", "\\o/ :o"),
        ("", "Привет, как дела?", "not_english", None),
        ("", "这个更新太糟糕了", "not_english", None),
        ("", "ひどい update", "body_only", "ひどい update"),
        ("Me gusta mucho", "", "title_only", "Me gusta mucho"),
        ("", "naïve café Ünïcödé", "body_only", "naïve café Ünïcödé"),
        ("", "42", "body_only", "42"),
    ],
)
def test_a_title_and_a_body_become_one_text_by_a_named_rule(title: str, body: str, rule: str, text: str | None) -> None:
    """Each row of the module's table, and the edges between rows."""
    prepared = prepare(title, body)
    assert (prepared.rule, prepared.text) == (rule, text)
    assert (prepared.fixed is None) == (text is not None)


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("plain words, no marks", "plain words, no marks"),
        ("Tom &amp; Jerry &lt;3 &gt;:(", "Tom & Jerry <3 >:("),
        ("> they said\n\nI disagree", "I disagree"),
        ("&gt; they said\n\nI disagree", "I disagree"),
        ("> only a quote", "only a quote"),
        (">!the butler!< did it", "the butler did it"),
        ("before\n```\nx = 1\n```\nafter", "before\nafter"),
        ("before\n```python\nx = 1", "before"),
        ("before\n\n    x = 1\n\tif y:\n\nafter", "before\nafter"),
        ("use `pip` now", "use pip now"),
        ("see https://a.b/c?d=e(f) now", "see url now"),
        ("see www.example.org", "see url"),
        ("[the docs](https://a.b) rock", "the docs rock"),
        ('[the docs](/wiki "hover") rock', "the docs rock"),
        ("thanks u/Some_body and /u/x-y", "thanks [NAME] and [NAME]"),
        ("on r/programming", "on r/programming"),
        ("mail me@example.org", "mail me@example.org"),
        ("# Big\n* one\n- two", "Big\none\ntwo"),
        ("**so** *very* ~~bad~~ good", "so very bad good"),
        ("2 * 3 * 4 and snake_case_name", "2 * 3 * 4 and snake_case_name"),
        (":) :( :-/ <3 ^_^", ":) :( :-/ <3 ^_^"),
        ("soooooooo good!!!!!!!!", "sooo good!!!"),
        ("ze\u200bro wi\u00addth \x07bell \ue000 \ud800", "zero width bell"),
        ("\U0001d401\U0001d428\U0001d425\U0001d41d \ufb01ne", "Bold fine"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("love ❤️ it", "love love it"),
        ("rocket \U0001f680", "rocket rocket"),
        ("[NAME] said so", "[NAME] said so"),
    ],
)
def test_cleaning_leaves_the_authors_prose(raw: str, cleaned: str) -> None:
    """Quotes, code, links, marks and invisible characters go; words and emoticons stay."""
    assert clean(raw) == cleaned


def test_cleaning_twice_changes_nothing_more() -> None:
    """Training cleans what the service cleans again when it is evaluated."""
    once = clean("Well **done** u/bob! 😂 https://a.b [NAME]\n> quote")
    assert clean(once) == once


def test_an_enormous_text_keeps_its_head_and_its_tail() -> None:
    """The middle goes, the bound holds, and the rule says so."""
    prepared = prepare("Title", "head " + "middle " * 20_000 + "the very end")
    assert prepared.rule == "cut"
    assert prepared.text is not None
    assert len(prepared.text) <= rules.MAX_CHARS
    assert prepared.text.startswith("Title\nhead middle")
    assert prepared.text.endswith("middle the very end")


def test_a_single_enormous_word_is_bounded_too() -> None:
    """Nothing to cut at: it is cut anyway."""
    prepared = prepare("", "ab" * 100_000)
    assert prepared.text is not None
    assert len(prepared.text) <= rules.MAX_CHARS
    assert all(len(piece) <= rules.PIECE_CHARS for piece in pieces(prepared.text))


@pytest.mark.parametrize(
    "mark", ["*", "[", "(", ">!", "`", "```\n", "~~", "__", " *a", "[a](", "[](/", "#", "&", "> ", "\u200b", "😂"]
)
def test_no_text_makes_a_rule_slow(mark: str) -> None:
    """Unclosed marks by the thousand once made such patterns take minutes."""
    started = time.process_time()
    prepare(mark * 20_000, "x" + mark * 20_000)
    assert time.process_time() - started < 1.5


def test_a_short_text_is_one_piece() -> None:
    """Comments are scored whole."""
    assert pieces("One. Two. Three.") == ["One. Two. Three."]


def test_a_long_text_is_cut_at_its_sentences() -> None:
    """No piece is longer than the bound, no word is lost, and sentences stay whole where they fit."""
    text = "\n".join(f"This is sentence number {number} of a long post. It goes on!" for number in range(30))
    found = pieces(text)
    assert all(0 < len(piece) <= rules.PIECE_CHARS for piece in found)
    assert " ".join(found).split() == text.split()
    assert all(piece.endswith(("post.", "on!")) for piece in found)


def test_links_and_names_are_no_words() -> None:
    """So a post of a bare link has nothing to judge."""
    assert not has_words("https://example.org url [NAME] !!")
    assert has_words("url of it")


def test_fixed_scores_are_scores() -> None:
    """They go the same way as the model's: probabilities sum to 1 and confidence says how little is known."""
    for fixed in (rules.NOTHING, rules.NOT_ENGLISH):
        assert fixed.positive + fixed.neutral + fixed.negative == pytest.approx(1.0)
        assert fixed.sentiment == "neutral"
        assert fixed.compound == pytest.approx(0.0)
    assert rules.NOTHING.confidence == 0.0
    assert rules.NOT_ENGLISH.confidence < 0.5
