from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from fakes.stored import item, scored

from api.drivers import MAX_POSTS, MAX_WORDS, loudest, moved, words
from api.intervals import Counts

if TYPE_CHECKING:
    from agent.records import Scored, Sentiment


def heard(name: str, sentiment: Sentiment, upvotes: int | None, comments: int | None = 0) -> Scored:
    """Return a scored post that got so much back."""
    one = msgspec.structs.replace(item(name), upvotes=upvotes, comment_count=comments)
    return scored(one, sentiment)


def test_the_loudest_speak_in_the_direction_of_the_shift() -> None:
    """Never those of the other side, nor neutral ones; most heard first among equals."""
    items = [
        heard("t3_quiet", "negative", 0),
        heard("t3_loud", "negative", 500, 90),
        heard("t3_happy", "positive", 9000),
        heard("t3_unknown", "negative", None, None),
        heard("t3_downvoted", "negative", -50),
        heard("t3_neutral", "neutral", 9000),
    ]
    names = [one.item.name for one in loudest(items, is_up=False)]
    assert names == ["t3_loud", "t3_downvoted", "t3_quiet", "t3_unknown"]
    assert [one.item.name for one in loudest(items, is_up=True)] == ["t3_happy"]


def test_so_many_posts_are_told() -> None:
    """The strongest of many."""
    items = [heard(f"t3_{index:02}", "positive", index) for index in range(20)]
    assert [one.item.upvotes for one in loudest(items, is_up=True)] == list(range(19, 19 - MAX_POSTS, -1))


def test_words_that_came_and_words_that_went() -> None:
    """A pair stands for its words; what both sides say is not among them."""
    before = ["the composer is lovely today"] * 30 + ["slow indexing"] * 15
    after = ["the composer is broken"] * 10 + ["rate limits again"] * 15 + ["composer"] * 20
    found = {word.word: word for word in words(before, after)}
    assert found["rate limits"].weight > 2.5
    assert (found["rate limits"].before, found["rate limits"].after) == (0, 15)
    assert found["slow indexing"].weight < -2.5
    assert not found.keys() & {"rate", "limits", "slow", "indexing"}
    assert not any("today" in word or "again" in word for word in found)
    weights = [abs(word.weight) for word in words(before, after)]
    assert weights == sorted(weights, reverse=True)


def test_a_text_that_repeats_a_word_counts_once() -> None:
    """Neither a loud text nor a word of two texts makes a finding."""
    usual = [f"word{letter} another{letter}" for letter in "abcdefghijklmnop"] * 5
    assert words(usual, [*usual, "refund " * 90, "refund " * 90]) == []
    assert [word.word for word in words(usual, usual + ["refund " * 90] * 20)] == ["refund"]


def test_so_many_words_are_told() -> None:
    """However many came."""
    assert words([], []) == []
    went, came = (" and ".join(f"{word}{letter}" for letter in "abcdefghijklmnop") for word in ("old", "young"))
    assert len(words([went] * 50, [came] * 50)) == MAX_WORDS


@pytest.mark.parametrize(
    ("before", "after", "of"),
    [
        (Counts(30, 30, 100), Counts(30, 60, 100), "negative"),
        (Counts(60, 10, 100), Counts(20, 10, 100), "positive"),
        (Counts(10, 40, 100), Counts(15, 10, 100), "negative"),
        (Counts(10, 10, 100), Counts(200, 100, 1000), "positive"),
    ],
)
def test_what_moved_is_the_share_that_changed_more(before: Counts, after: Counts, of: Sentiment) -> None:
    """Praise that ended is told by its own words."""
    assert moved(before, after) == of
