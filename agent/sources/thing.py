"""From a *thing* (Reddit's word for a post or a comment, in its API and in its archives) to an Item.

Pure: no file, no network. What can't be an item is a ``ValueError`` that names the field and never
repeats the text, which is other people's. What no text can hold is mended here, and what no text of Reddit's is
long enough for is cut, once and for all that read it later.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from ipc.messages import Item

#: What Reddit shows, and what stands here, where an author is gone.
DELETED: Final = "[deleted]"
#: What stands in place of a text that its author, or a moderator, took away.
_TAKEN_AWAY: Final = frozenset({DELETED, "[removed]"})
#: Longer is cut. Reddit takes 300 characters of a title, 40,000 of a text and 20 of a name; chosen with room.
MAX_TITLE_CHARACTERS: Final = 1000
MAX_TEXT_CHARACTERS: Final = 50_000
MAX_AUTHOR_CHARACTERS: Final = 100
#: A longer address is none: servers take about 8,000 bytes (RFC 9110, 4.1).
MAX_URL_CHARACTERS: Final = 8000
#: Where links of Reddit's own that come without a host belong.
WWW: Final = "https://www.reddit.com"

_FULLNAME: Final = re.compile(r"t[13]_[0-9a-z]{1,13}")
#: Names of subreddits, and of the profiles (``u_some-name``) that the archives list among them.
_SUBREDDIT: Final = re.compile(r"[A-Za-z0-9_.:-]{1,60}")
#: Control characters but for those that break and indent lines: a terminal would obey them, and tables end at a NUL.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
#: No control character and no blank, which browsers would take out: what is checked is what is opened.
_ADDRESS: Final = re.compile(rf"[^\x00-\x20\x7f-\x9f]{{1,{MAX_URL_CHARACTERS}}}")
#: The first second of the year 10000, where Python's dates end.
_END_OF_TIME_UTC: Final = 253_402_300_800

# MessagePack and SQLite end where 64 bits do; JSON does not.
_Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class _Thing(msgspec.Struct):
    """The fields that we read; the many others are not looked at."""

    created_utc: float
    subreddit: str
    id: str | None = None
    name: str | None = None
    author: str | None = None
    title: str | None = None
    selftext: str | None = None
    body: str | None = None
    url: str | None = None
    permalink: str | None = None
    link_id: str | None = None
    score: _Int64 | None = None
    num_comments: _Int64 | None = None
    #: ``deleted``, ``moderator``, ...: Reddit's word for who took a post away.
    removed_by_category: str | None = None


# Not strict: the archives write numbers as 12, 12.0 and "12", as the year would have it.
_decoder: Final = msgspec.json.Decoder(_Thing, strict=False)


def from_api(kind: str, data: object, collected_utc: int) -> Item:
    """Return the item in one child of a listing; ``kind`` is ``t1`` or ``t3``."""
    thing = msgspec.convert(data, _Thing, strict=False)
    name = _fullname(thing, kind)
    if not name.startswith(kind):
        raise ValueError(f"its name is not that of a {kind}")
    item = _item(thing, name, "reddit", collected_utc)
    return gone(item, collected_utc) if thing.removed_by_category or item.content in _TAKEN_AWAY else item


def gone(item: Item, collected_utc: int) -> Item:
    """Return what may be kept of an item that is gone where it came from: that there was one."""
    return replace(item, author=DELETED, title="", content="", url="", collected_utc=collected_utc, is_deleted=True)


def from_archive(line: bytes, collected_utc: int) -> Item:
    """Return the item in one line of an archive, a post or a comment by its name or else by its fields."""
    thing = _decoded(line)
    for field in ("title", "selftext", "body", "url"):
        if text := getattr(thing, field):
            setattr(thing, field, _unescaped(text))
    return _item(thing, _fullname(thing, "t3" if thing.body is None else "t1"), "archive", collected_utc)


def _decoded(line: bytes) -> _Thing:
    try:
        return _decoder.decode(line)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, RecursionError):
        return _decoded_leniently(line)


def _decoded_leniently(line: bytes) -> _Thing:
    # Half an emoji ("\ud83d" alone) is in the archives, and only the standard library reads past it.
    try:
        raw: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError("not JSON") from error
    return msgspec.convert(raw, _Thing, strict=False)


def _fullname(thing: _Thing, kind: str) -> str:
    name = thing.name or f"{kind}_{thing.id}"
    if not _FULLNAME.fullmatch(name):
        raise ValueError("no usable id or name")
    return name


def _item(thing: _Thing, name: str, source: str, collected_utc: int) -> Item:
    if not _SUBREDDIT.fullmatch(thing.subreddit):
        raise ValueError("no usable subreddit")
    # Written so that NaN fails too.
    if not 0 <= thing.created_utc < _END_OF_TIME_UTC:
        raise ValueError("created_utc is no time")
    is_comment = name.startswith("t1_")
    content = thing.body if is_comment else thing.selftext
    if is_comment and content is None:
        raise ValueError("a comment without body")
    if not is_comment and thing.title is None:
        raise ValueError("a post without title")
    return Item(
        name=name,
        subreddit=thing.subreddit,
        author=_clean(thing.author, MAX_AUTHOR_CHARACTERS) or DELETED,
        title="" if is_comment else _clean(thing.title, MAX_TITLE_CHARACTERS),
        content=_clean(content, MAX_TEXT_CHARACTERS),
        url=_comment_url(thing, name) if is_comment else _post_url(thing, name),
        created_utc=int(thing.created_utc),
        collected_utc=collected_utc,
        upvotes=thing.score,
        comment_count=None if is_comment else thing.num_comments,
        source=source,
    )


def _post_url(thing: _Thing, name: str) -> str:
    # Nothing but the web is linked to: a "javascript:" must not reach a page.
    is_web = (thing.url or "").startswith(("https://", "http://"))
    found = _address(thing.url if is_web else _on_www(thing.url)) or _address(_on_www(thing.permalink))
    return found or f"{WWW}/comments/{name[3:]}/"


def _comment_url(thing: _Thing, name: str) -> str:
    post = (thing.link_id or "").removeprefix("t3_")
    built = f"{WWW}/r/{thing.subreddit}/comments/{post}/_/{name[3:]}/" if post.isalnum() else ""
    return _address(_on_www(thing.permalink)) or _address(built) or f"{WWW}/r/{thing.subreddit}/"


def _on_www(path: str | None) -> str:
    return WWW + path if path and path.startswith("/") else ""


def _address(url: str | None) -> str:
    """Return the address, nothing when it is none."""
    return _encodable(url) if url and _ADDRESS.fullmatch(url) else ""


def _clean(text: str | None, most: int) -> str:
    """Return ``text`` without what no text can hold, and cut where it is longer than any that Reddit takes."""
    if text is None:
        return ""
    if len(text) > most:
        text = f"{text[: most - 1]}\N{HORIZONTAL ELLIPSIS}"
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", _encodable(text))


def _encodable(text: str) -> str:
    """Return ``text`` as what UTF-8 can carry: a lone half of a surrogate pair becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _unescaped(text: str) -> str:
    """Undo the three escapes that Reddit's API makes unless told not to, as the archives' makers mostly did not."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
