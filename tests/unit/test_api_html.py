"""The page's parts: nothing that came from Reddit is ever markup."""

from __future__ import annotations

import pytest
from fakes.stored import TEN_O_CLOCK, item, scored
from hypothesis import given
from hypothesis import strategies as st

from agent.records import SubredditTotals, Totals
from api import page_parts
from api.html import Html, fill, is_web_address, link


@given(st.text())
def test_whatever_is_filled_in_is_text(text: str) -> None:
    """No character of markup survives, and braces are no template."""
    filled = fill('<a title="{value}">{value}</a>', value=text)
    inner = filled.removeprefix('<a title="').removesuffix("</a>")
    assert inner.count("<") == 0
    assert inner.count('"') == 1
    assert isinstance(filled, Html)


def test_html_of_ours_is_filled_in_as_it_is() -> None:
    """A part that was filled already is not escaped again."""
    assert fill("<p>{part}{text}</p>", part=fill("<b>{x}</b>", x="&"), text="<i>") == "<p><b>&amp;</b>&lt;i&gt;</p>"


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        " javascript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,<script>",
        "vbscript:x",
        "file:///etc/passwd",
        "//evil.example",
        "/r/aws",
        "http:",
        "https:///path",
        "http://[bad",
        "",
    ],
)
def test_what_is_no_web_address_becomes_no_link(url: str) -> None:
    """Only a whole http or https address can be clicked."""
    assert not is_web_address(url)
    assert link(url, "a & b") == "a &amp; b"


def test_a_link_tells_the_other_side_nothing_and_lends_it_nothing() -> None:
    """No referrer, no opener, no weight; quotes in an address end no attribute."""
    assert link('https://www.reddit.com/r/x/?a=1&b="><script>', "<b>") == (
        '<a href="https://www.reddit.com/r/x/?a=1&amp;b=&quot;&gt;&lt;script&gt;"'
        ' rel="noopener nofollow noreferrer">&lt;b&gt;</a>'
    )


def test_a_post_is_cut_and_isolated() -> None:
    """Ten million characters of title are 300 on the page, and marks of direction end where the post does."""
    hostile = scored(item("t3_a", title="\u202e<" * 5_000_000, content="<script>" * 1000, author="{evil}"))
    shown = page_parts.posts([hostile], TEN_O_CLOCK + 30)
    assert len(shown) < 6000
    assert "<script" not in shown
    assert shown.count("<bdi>") == shown.count("</bdi>") == 4
    assert "{evil}" in shown
    assert "30 seconds ago" in shown


def test_a_table_of_nothing_says_so() -> None:
    """No row of zeros."""
    assert "Nothing that was written in the last 24 hours is here." in page_parts.table(Totals(), [])


def test_a_bar_is_as_wide_as_its_shares() -> None:
    """Three parts that follow each other and make a hundred together; the average has its sign and its colour."""
    totals = Totals(total=8, positive=4, neutral=2, negative=2, avg_sentiment=0.125)
    table = page_parts.table(totals, [SubredditTotals(subreddit="<i>", totals=totals)])
    assert 'class="positive" x="0" width="50.00"' in table
    assert 'class="neutral" x="50.00"\n width="25.00"' in table
    assert 'class="negative" x="75.00" width="25.00"' in table
    assert '<td class="number positive">+0.12</td>' in table
    assert "r/&lt;i&gt;" in table


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 seconds ago"),
        (1, "1 second ago"),
        (89, "89 seconds ago"),
        (90, "2 minutes ago"),
        (5399, "90 minutes ago"),
        (5400, "2 hours ago"),
        (172_800, "2 days ago"),
    ],
)
def test_ages_are_told_in_words(seconds: float, words: str) -> None:
    """In the unit that a person would take."""
    shown = page_parts.posts([scored(item(created_utc=TEN_O_CLOCK))], TEN_O_CLOCK + seconds)
    assert words in shown
