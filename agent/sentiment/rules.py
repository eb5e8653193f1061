"""The written rules of texts: what becomes of a title and a body before a model sees them.

Pure and light: no model, no clock, no file. Training runs the same rules over its texts, so a change here asks for a
new training. Every item leaves with the name of the rule that decided, so that nobody has to guess later.

| rule | when | what happens |
|---|---|---|
| `text` | the ordinary case | title, newline, body: scored together |
| `title_only` | the body is empty, "[deleted]" or "[removed]" | the title is scored alone |
| `body_only` | the title is empty or gone, as with comments | the body is scored alone |
| `emoji` | nothing but emoji or emoticons | they are turned into words, and those are scored |
| `cut` | longer than `MAX_CHARS` | the head and the tail are scored, the middle is not |
| `not_english` | most letters are not Latin | not scored: neutral, with the low confidence `NOT_ENGLISH` |
| `gone` | title and body were deleted or removed | not scored: neutral with confidence 0.0, `NOTHING` |
| `empty` | there is no word: empty, links, punctuation | not scored: neutral with confidence 0.0, `NOTHING` |

The model reads English only. A Spanish or a German text has Latin letters and is scored as it is: its score is worth
little, mostly neutral, and nothing here finds out.
"""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Literal

import msgspec

from agent.sentiment.engine import Scores

Rule = Literal["text", "title_only", "body_only", "emoji", "cut", "not_english", "gone", "empty"]

#: The longest prepared text, in characters. About 1,000 pieces of the model's vocabulary, 25 times the common comment.
#: Chosen, not measured: it bounds what one post may cost to about 70 ms of one core.
MAX_CHARS = 4000
#: What is read of a title or body at all, before any rule: Reddit's own limit for a post's text.
RAW_CHARS = 40_000
#: Of a text that is cut, this share is its head; the rest is its tail, where verdicts ("TL;DR", "thanks") stand.
HEAD_SHARE = 0.7
#: A longer text is scored in pieces of at most this many characters: about 60 tokens, 40 words.
PIECE_CHARS = 240
#: What Reddit shows in place of a text that its author or a moderator took away.
GONE = frozenset({"[deleted]", "[removed]", "[deleted by user]", "[removed by reddit]"})
#: The score of an item without a text of its own. No confidence: it says nothing about anybody's sentiment.
NOTHING = Scores("neutral", 0.0, 0.0, 1.0, 0.0)
#: The score of a text in letters that the model cannot read: as undecided as three classes allow.
NOT_ENGLISH = Scores("neutral", 0.34, 0.33, 0.34, 0.33)

#: Stands for every link, so that the letters of an address are not read as words.
URL_TOKEN = "url"  # noqa: S105 - a word of the text, not a secret
#: Stands for every user name: the mark that the training data (GoEmotions) has in the place of names.
NAME_TOKEN = "[NAME]"  # noqa: S105 - a word of the text, not a secret

#: Emoji whose Unicode name misleads, or says less than people mean by them. Chosen, not measured.
_EMOJI_WORDS = {
    "\U0001f602": "laughing",
    "\U0001f923": "laughing",
    "\U0001f62d": "sobbing",
    "\U0001f622": "crying sad",
    "\U0001f614": "sad",
    "\U0001f61e": "disappointed",
    "\U0001f620": "angry",
    "\U0001f621": "angry",
    "\U0001f624": "angry",
    "\U0001f92c": "angry swearing",
    "\U0001f644": "eye roll annoyed",
    "\U0001f612": "annoyed",
    "\U0001f60d": "love it",
    "\U0001f970": "love it",
    "\U0001f618": "kiss love",
    "\u2764": "love",
    "\U0001f495": "love",
    "\U0001f496": "love",
    "\U0001f499": "love",
    "\U0001f49a": "love",
    "\U0001f49b": "love",
    "\U0001f49c": "love",
    "\U0001f494": "broken heart sad",
    "\U0001f44d": "thumbs up good",
    "\U0001f44e": "thumbs down bad",
    "\U0001f44f": "applause great",
    "\U0001f64f": "thanks",
    "\U0001f525": "fire great",
    "\U0001f389": "party celebrate",
    "\U0001f4af": "absolutely great",
    "\U0001f60a": "happy smile",
    "\U0001f600": "happy smile",
    "\U0001f603": "happy smile",
    "\U0001f604": "happy smile",
    "\U0001f601": "happy grin",
    "\U0001f642": "smile",
    "\u263a": "happy smile",
    "\U0001f641": "sad",
    "\u2639": "sad",
    "\U0001f922": "disgusting",
    "\U0001f92e": "disgusting vomit",
    "\U0001f60e": "cool",
    "\U0001f914": "thinking",
    "\U0001f937": "shrug",
    "\U0001f480": "skull",
    "\U0001f4a9": "poop",
    "\U0001f595": "middle finger",
}
#: Up to here every letter is Latin: the end of the block Latin Extended-B.
_LAST_LATIN = "\u024f"
_EMOJI = re.compile(
    "[\u2190-\u21ff\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001f0ff\U0001f170-\U0001f1ff\U0001f300-\U0001faff]",
)
_EMOJI_RUN = re.compile(f"({_EMOJI.pattern})(?:\\s*\\1)+")
_SKIN_AND_FLAG = re.compile("[\U0001f3fb-\U0001f3ff\U0001f1e6-\U0001f1ff]")
_EMOJI_NOISE = re.compile(r"\b(?:face|sign|symbol|emoji|black|white|with|heavy)\b")

_HAPPY = re.compile(r"(?<!\S)(?:[:;=]['^-]?[)\]D}]+|\^_*\^|<3+|[(\[][:=])(?!\S)")
_SAD = re.compile(r"(?<!\S)(?:>?[:=]['^-]?[(\[/\\{]+|[-._]_+[-._]|</3|\)[:=])(?!\S)")
_NO_WORDS = re.compile(rf"{re.escape(NAME_TOKEN)}|\b{URL_TOKEN}\b")
#: Surely a word: no link, name or emoticon is four Latin letters between blanks.
_PLAIN_WORD = re.compile(r"(?<!\S)[A-Za-z]{4,}(?!\S)")
_FENCED = re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1[^\n]*$|\Z)", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"^(?: {4}|\t)[^\n]*$", re.MULTILINE)
_QUOTE_MARKS = re.compile(r"^[ \t]*>+(?!!)", re.MULTILINE)
_QUOTED = re.compile(r"^[ \t]*>(?!!)[^\n]*$", re.MULTILINE)
# What stands between two marks is bounded, and an address is not gone back over: without either, a post of nothing but
# opening marks takes seconds to minutes.
_SPOILER = re.compile(r">!(.{0,500}?)!<", re.DOTALL)
_MARKDOWN_LINK = re.compile(r"!?\[([^\]\n]{0,300})\]\((?:https?://|/|www\.)[^\s)]{0,2000}+(?:\s+\"[^\"\n]{0,300}\")?\)")
_URL = re.compile(r"(?:https?://|www\.)[^\s<>\"]+", re.IGNORECASE)
_USER = re.compile(r"(?<![\w/])(?:/?u/[\w-]{2,}|@\w{2,})")
_HEADING = re.compile(r"^[ \t]*#{1,6}[ \t]+", re.MULTILINE)
_BULLET = re.compile(r"^[ \t]*[*+-][ \t]+", re.MULTILINE)
_EMPHASIS = re.compile(r"(?<![\w*~])(\*{1,3}|~~|__)(?=\S)(.{1,500}?)(?<=\S)\1(?![\w*~])")
_LONG_RUN = re.compile(r"(\S)\1{3,}")
_BLANKS = re.compile(r"[^\S\n]+")
_NEWLINES = re.compile(r"\s*\n\s*")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+|\n")


class Prepared(msgspec.Struct, frozen=True):
    """What goes to the engine, or the fixed score of what doesn't. Exactly one of `text` and `fixed` is None."""

    #: Cleaned, not empty, at most `MAX_CHARS` long.
    text: str | None
    #: Which row of the module's table decided.
    rule: Rule
    fixed: Scores | None = None


def prepare(title: str, body: str) -> Prepared:
    """Make one text of an item's title and body by the table above. A comment has an empty title."""
    title_is_gone, body_is_gone = _is_gone(title), _is_gone(body)
    clean_title = "" if title_is_gone else clean(title.strip())
    clean_body = "" if body_is_gone else clean(body)
    text = f"{clean_title}\n{clean_body}".strip()
    if not has_words(text):
        text = spell_emoticons(text)
    if not has_words(text):
        gone = (title_is_gone or body_is_gone) and not text
        return Prepared(None, "gone" if gone else "empty", NOTHING)
    if is_not_english(text):
        return Prepared(None, "not_english", NOT_ENGLISH)
    if len(text) > MAX_CHARS:
        return Prepared(cut(text), "cut")
    if not has_words(_EMOJI.sub("", f"{title} {body}")):
        return Prepared(text, "emoji")
    if not clean_title:
        return Prepared(text, "body_only")
    return Prepared(text, "text" if clean_body else "title_only")


def clean(text: str) -> str:
    """Strip from one part what is not its author's prose: see each step's name. Idempotent on plain prose."""
    if len(text) > RAW_CHARS:
        text = cut(text, RAW_CHARS)
    text = html.unescape(text) if "&" in text else text
    if not (text.isascii() and text.isprintable()):
        text = "".join(character for character in text if not _is_invisible(character))
    text = unicodedata.normalize("NFKC", text.replace("\r\n", "\n").replace("\r", "\n"))
    # Each pattern is tried only where its mark stands: the answer is the same, in a third of the time.
    text = _FENCED.sub("\n", text) if "```" in text or "~~~" in text else text
    text = _INDENTED.sub("", text) if "    " in text or "\t" in text else text
    text = _without_quotes(text) if ">" in text else text
    text = _MARKDOWN_LINK.sub(r"\1", text) if "](" in text else text
    text = _URL.sub(f" {URL_TOKEN} ", text)
    text = _USER.sub(NAME_TOKEN, text) if "u/" in text or "@" in text else text
    text = _HEADING.sub("", text) if "#" in text else text
    text = _BULLET.sub("", text)
    text = _EMPHASIS.sub(r"\2", text) if any(mark in text for mark in "*~_") else text
    text = text.replace("`", "")
    text = spell_emoji(text)
    text = _LONG_RUN.sub(r"\1\1\1", text)
    return _NEWLINES.sub("\n", _BLANKS.sub(" ", text)).strip()


def _without_quotes(text: str) -> str:
    """Drop quoted lines where other text stands, else their marks; open spoilers."""
    unquoted = _QUOTED.sub("", text)
    text = unquoted if has_words(_SPOILER.sub(r"\1", unquoted)) else _QUOTE_MARKS.sub("", text)
    return _SPOILER.sub(r"\1", text)


def spell_emoji(text: str) -> str:
    """Turn emoji into words, a run of the same one into one; skin tones and flags are dropped.

    The model's vocabulary has no emoji: each would be the same unknown piece.
    """
    if text.isascii():
        return text
    text = _EMOJI_RUN.sub(r"\1", _SKIN_AND_FLAG.sub("", text))
    return _EMOJI.sub(lambda match: f" {_emoji_words(match[0])} ", text)


def spell_emoticons(text: str) -> str:
    """Turn ":)" and its like into words. Only for texts of nothing else: among words, the model knows them."""
    spelled = _HAPPY.sub(" happy smile ", _SAD.sub(" sad ", text))
    return _BLANKS.sub(" ", spelled).strip()


def has_words(text: str) -> bool:
    """Whether anything but links, user names, emoticons and punctuation stands in a text."""
    if _PLAIN_WORD.search(text):  # the common case, at a tenth of the cost
        return True
    bare = _NO_WORDS.sub(" ", _SAD.sub(" ", _HAPPY.sub(" ", _URL.sub(" ", text))))
    return any(map(str.isalnum, bare))


def is_not_english(text: str) -> bool:
    """Whether more than half of a text's letters are not Latin. Marks, digits and emoji don't count."""
    if text.isascii():
        return False
    letters = [character for character in text if character.isalpha()]
    foreign = sum(1 for letter in letters if letter > _LAST_LATIN and "LATIN" not in unicodedata.name(letter, ""))
    return 2 * foreign > len(letters)


def cut(text: str, chars: int = MAX_CHARS) -> str:
    """Keep the head and the tail of a text, each ending at a blank where one is near; at most `chars` in all."""
    head_chars = int(chars * HEAD_SHARE)
    head = text[:head_chars]
    tail = text[len(text) - (chars - head_chars) + 1 :]
    return f"{_to_blank(head)}\n{_to_blank(tail[::-1])[::-1]}"


def pieces(text: str) -> list[str]:
    """Split a text into pieces of at most `PIECE_CHARS`, at sentence ends and newlines where there are any.

    A text that fits is one piece. Whole, long posts drift to neutral: the model was taught on comments, and its average
    over 300 tokens is an average of everything. Pieces are filled up, so that a title doesn't stand apart for nothing.
    """
    if len(text) <= PIECE_CHARS:
        return [text]
    found: list[str] = []
    current = ""
    for sentence in _SENTENCE_END.split(text):
        rest = sentence
        while len(rest) > PIECE_CHARS:
            head = _to_blank(rest[:PIECE_CHARS])
            found += [part for part in (current, head) if part]
            current, rest = "", rest[len(head) :].lstrip()
        if len(current) + len(rest) + 1 > PIECE_CHARS:
            found.append(current)
            current = rest
        else:
            current = f"{current} {rest}" if current else rest
    return [piece for piece in (*found, current) if piece.strip()]


def _to_blank(text: str) -> str:
    """Drop the broken last word, if a blank stands within its last 40 characters."""
    at = max(text.rfind(" ", len(text) - 40), text.rfind("\n", len(text) - 40))
    return text[:at] if at > 0 else text


def _is_gone(part: str) -> bool:
    return part.strip().lower() in GONE


def _is_invisible(character: str) -> bool:
    """Whether a character has no ink: controls, zero-width, lone surrogates, private use, variation selectors."""
    if character in "\n\r\t" or " " <= character <= "~":
        return False
    return unicodedata.category(character) in {"Cc", "Cf", "Co", "Cs", "Cn"} or "\ufe00" <= character <= "\ufe0f"


def _emoji_words(emoji: str) -> str:
    if emoji in _EMOJI_WORDS:
        return _EMOJI_WORDS[emoji]
    return _BLANKS.sub(" ", _EMOJI_NOISE.sub("", unicodedata.name(emoji, "").lower())).strip()
