"""The terms of a text: its words, and pairs of words that stand side by side, without what carries no subject. Pure.

Text of strangers goes in, short pieces of it come out: data, as harmless or not as before. Code, links, quotes of
others, names of users and marks that only decorate are left out. English stop words only: see docs/statistics.md.
"""

from __future__ import annotations

import html
import re
import unicodedata
from typing import TYPE_CHECKING, Final

from api.stop_words import STOP_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipc.messages import Item

#: So much of an item's title and text is read, in characters: some 100 words. What a post is about stands at its
#: beginning. Chosen, not measured.
READ_CHARS: Final = 600
#: A longer run of letters is no word: a key, an address, text without blanks. Chosen, not measured.
LONGEST_WORD: Final = 25

# Each begins where a run does and can't go back over what it took, so that no text makes them slow.
_CODE: Final = re.compile(
    r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1[^\n]*$|\Z)|^(?: {4}|\t)[^\n]*$|`[^`\n]*`", re.MULTILINE | re.DOTALL
)
_QUOTED: Final = re.compile(r"^[ \t]*(?:>|&gt;)(?!!)[^\n]*$", re.MULTILINE)
_TARGET: Final = re.compile(r"\]\([^\s()]*\)")
_ADDRESS: Final = re.compile(
    r"(?:https?://|www\.)\S+|(?<![\w.-])[\w.-]+\.(?:com|org|net|io|dev|ai|html?|png|jpe?g)\b\S*", re.IGNORECASE
)
_NAME: Final = re.compile(r"(?<![\w/])(?:/?[ur]/[\w-]+|@\w+)")
# Combining marks on Latin letters, and signs that show nothing or turn the direction of writing.
_DECORATION: Final = re.compile("[\u0300-\u036f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]+")
_WORD: Final = re.compile(r"[^\W_]+(?:[.'\u2019+#-]+[^\W_]+)*(?:\+\+|#)?")


def text_of(item: Item) -> str:
    """Return what is read of an item."""
    title, content = item.title[:READ_CHARS], item.content[:READ_CHARS]
    return f"{title}\n\n{content}"[:READ_CHARS]


def terms(text: str) -> set[str]:
    """Return the terms of a text, each once: a post that says a word fifty times says no more than another."""
    found: set[str] = set()
    before = ""
    for word, is_next in _words(_cleaned(text)):
        # A number says something beside a name ("claude 4"), and nothing alone.
        is_number = word[0].isdigit()
        if word in STOP_WORDS or len(word) > LONGEST_WORD or (len(word) == 1 and not is_number):
            before = ""
            continue
        if before and is_next and before != word and not (is_number and before[0].isdigit()):
            found.add(f"{before} {word}")
        if not is_number:
            found.add(word)
        before = word
    return found


def _cleaned(text: str) -> str:
    text = _QUOTED.sub("\n", _CODE.sub("\n", text))
    text = html.unescape(_ADDRESS.sub(" , ", _TARGET.sub(" ", text)))
    # One sign may stand for eighteen letters.
    plain = unicodedata.normalize("NFKC", _NAME.sub(" , ", text))[: 2 * READ_CHARS]
    return unicodedata.normalize("NFC", _DECORATION.sub("", plain))


def _words(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the words, folded, and whether nothing but blanks stands between one and the word before it."""
    end = 0
    for match in _WORD.finditer(text):
        word = match.group().casefold().replace("\u2019", "'").removesuffix("'s")
        yield word, text[end : match.start()].strip(" \t") == ""
        end = match.end()
