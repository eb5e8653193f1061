"""From Reddit's field names to an item: what is kept, what is mended, what is refused."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec
import pytest

from agent.sources import thing

NOW: Final = 1_760_000_000
POST: Final[dict[str, Any]] = {
    "id": "abc1",
    "subreddit": "Cursor",
    "author": "sample_user_1",
    "title": "A title",
    "selftext": "A text",
    "url": "https://example.com/a",
    "permalink": "/r/Cursor/comments/abc1/a_title/",
    "created_utc": 1_700_000_000,
    "score": 12,
    "num_comments": 3,
}
COMMENT: Final[dict[str, Any]] = {
    "id": "def2",
    "subreddit": "Cursor",
    "author": "sample_user_2",
    "body": "A body",
    "link_id": "t3_abc1",
    "created_utc": 1_700_000_001,
    "score": -2,
}


def _line(record: dict[str, Any], **changes: object) -> bytes:
    return json.dumps(record | changes).encode()


def test_a_post_of_an_archive_keeps_every_field() -> None:
    """A submission becomes a post whose name is made of its id."""
    item = thing.from_archive(_line(POST), NOW)
    assert item.name == "t3_abc1"
    assert (item.subreddit, item.author, item.title, item.content) == ("Cursor", "sample_user_1", "A title", "A text")
    assert (item.created_utc, item.collected_utc, item.upvotes, item.comment_count) == (1_700_000_000, NOW, 12, 3)
    assert (item.url, item.source, item.kind) == ("https://example.com/a", "archive", "post")


def test_a_comment_of_an_archive_keeps_every_field() -> None:
    """A record with a body becomes a comment, with a link made from its post's id where none is told."""
    item = thing.from_archive(_line(COMMENT), NOW)
    assert (item.name, item.kind, item.title, item.content) == ("t1_def2", "comment", "", "A body")
    assert (item.upvotes, item.comment_count) == (-2, None)
    assert item.url == "https://www.reddit.com/r/Cursor/comments/abc1/_/def2/"


@pytest.mark.parametrize("created", [1_700_000_000, 1_700_000_000.75, "1700000000", "1700000000.0"])
def test_a_time_may_be_written_in_any_way(created: object) -> None:
    """Archives of different years write whole numbers, fractions and strings."""
    assert thing.from_archive(_line(POST, created_utc=created), NOW).created_utc == 1_700_000_000


@pytest.mark.parametrize("record", [POST, COMMENT])
def test_what_is_not_told_is_none_and_not_zero(record: dict[str, Any]) -> None:
    """Missing is not zero: no score, no number of comments."""
    bare = {key: value for key, value in record.items() if key not in {"score", "num_comments", "author"}}
    item = thing.from_archive(_line(bare), NOW)
    assert (item.upvotes, item.comment_count, item.author) == (None, None, "[deleted]")


def test_escapes_of_an_archive_are_undone_once() -> None:
    """Archives hold Reddit's three escapes; what was written as one stays one."""
    item = thing.from_archive(_line(POST, title="a &lt;b&gt; &amp; c", selftext="&amp;lt;"), NOW)
    assert (item.title, item.content) == ("a <b> & c", "&lt;")


def test_a_self_post_links_to_reddit() -> None:
    """A link of Reddit's own that comes without a host gets one."""
    item = thing.from_archive(_line(POST, url="/r/Cursor/comments/abc1/a_title/"), NOW)
    assert item.url == "https://www.reddit.com/r/Cursor/comments/abc1/a_title/"
    item = thing.from_archive(_line(POST, url=None, permalink=None), NOW)
    assert item.url == "https://www.reddit.com/comments/abc1/"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//example.com", "ftp://example.com", ""])
def test_only_the_web_is_linked_to(url: str) -> None:
    """Any other scheme, or none, is replaced by the post's own page."""
    assert thing.from_archive(_line(POST, url=url), NOW).url.startswith("https://www.reddit.com/")


def test_half_an_emoji_is_mended() -> None:
    """A lone surrogate, which no UTF-8 can carry, becomes a question mark, and the item can be sent."""
    item = thing.from_archive(rb'{"id": "a", "subreddit": "b", "title": "x \ud83d y", "created_utc": 1}', NOW)
    assert item.title == "x ? y"
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(item), type=type(item)) == item


def test_control_characters_are_replaced() -> None:
    """A terminal obeys them and a table ends at a NUL; those that break and indent lines stay."""
    item = thing.from_archive(_line(POST, title="a\x00b\x1b[31m\x7f\x9b", selftext="a\r\n\tb\x85", author="\x08"), NOW)
    assert item.title == "a\ufffdb\ufffd[31m\ufffd\ufffd"
    assert (item.content, item.author) == ("a\r\n\tb\ufffd", "\ufffd")


def test_what_is_longer_than_anything_on_reddit_is_cut() -> None:
    """It ends in a mark, and is the same whoever brings it; all that Reddit takes is kept whole."""
    whole = {"title": "t" * 300, "selftext": "x" * 40_000, "author": "a" * 20}
    huge = {"title": "\U0001f600" * 10_000, "selftext": "x" * 1_000_000, "author": "a" * 10_000}
    item = thing.from_api("t3", POST | whole, NOW)
    assert (item.title, item.content, item.author) == (whole["title"], whole["selftext"], whole["author"])
    item = thing.from_api("t3", POST | huge, NOW)
    assert (len(item.title), len(item.content), len(item.author)) == (1000, 50_000, 100)
    assert {text[-2:] for text in (item.title, item.content, item.author)} == {"\U0001f600\u2026", "x\u2026", "a\u2026"}


@pytest.mark.parametrize(
    "broken",
    ["https://example.com/" + "a" * 10_000, "https://a\r\nX-Header: b", "https://exa\tmple.com", "https://a b"],
)
def test_what_no_browser_would_open_as_it_stands_is_no_address(broken: str) -> None:
    """The post's own page is linked to instead, and the subreddit where even that has none."""
    at = "https://www.reddit.com"
    assert thing.from_archive(_line(POST, url=broken), NOW).url == f"{at}{POST['permalink']}"
    assert thing.from_archive(_line(POST, url=broken, permalink=f"/{broken}"), NOW).url == f"{at}/comments/abc1/"
    comment = _line(COMMENT, permalink=f"/{broken}", link_id="t3_" + "a" * 10_000)
    assert thing.from_archive(comment, NOW).url == f"{at}/r/Cursor/"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"not json", "not JSON"),
        (b"", "not JSON"),
        (b'{"id": "a", "sub', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b'{"x": ' + b"[" * 100_000, "not JSON"),
        (b"[1, 2]", "Expected `object`, got `array`"),
        (_line(POST, created_utc=None), "created_utc"),
        (_line(POST, created_utc="nan"), "created_utc is no time"),
        (_line(POST, created_utc=-1), "created_utc is no time"),
        (_line(POST, created_utc=1e300), "created_utc is no time"),
        (_line(POST, subreddit=None), "subreddit"),
        (_line(POST, subreddit="a\nb"), "no usable subreddit"),
        (_line(POST, id=None), "no usable id or name"),
        (_line(POST, id="../x"), "no usable id or name"),
        (_line(POST, name="t5_abc1"), "no usable id or name"),
        (_line(POST, name="t1_abc1"), "a comment without body"),
        (_line(POST, title=None), "a post without title"),
        (_line(POST, score=2**64), "score"),
        (_line(POST, score="many"), "score"),
    ],
)
def test_what_can_be_no_item_is_refused_by_a_reason(line: bytes, reason: str) -> None:
    """The reason names what is wrong, and never repeats the text."""
    with pytest.raises(ValueError, match=reason) as raised:
        thing.from_archive(line, NOW)
    assert "A title" not in str(raised.value)


def test_the_api_says_which_kind_a_thing_is() -> None:
    """A comment among posts is refused."""
    assert thing.from_api("t3", POST, NOW).source == "reddit"
    with pytest.raises(ValueError, match="not that of a t3"):
        thing.from_api("t3", COMMENT | {"name": "t1_def2"}, NOW)
