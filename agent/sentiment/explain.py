"""Which words drove a verdict, found by leaving each out: occlusion. Pure over an engine, its passes bounded.

A long text is scored in pieces (:mod:`agent.sentiment.rules`), and its score is made of theirs, so a word's weight
takes one pass over the word's own piece. The pieces that move the verdict most are tried first, until ``MAX_WORDS``
words are tried; a text that has more says so by ``is_whole``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from agent.sentiment import batching, rules
from agent.sentiment.engine import SENTIMENTS, Outcome, Scores, TextFailure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.sentiment.engine import Engine

#: Words that are tried: two comments' worth, or the piece of a long post that matters most. Chosen: 0.5 s of a core.
MAX_WORDS: Final = 50
_WORD: Final = re.compile(r"\S+")


class Word(msgspec.Struct, frozen=True):
    """One word of the text that was scored, and what it did."""

    word: str
    #: What the verdict's probability loses without the word. Negative: the word speaks against the verdict.
    effect: float


class Explanation(msgspec.Struct, frozen=True):
    """A score and the words behind it, the strongest first."""

    scores: Scores
    words: list[Word]
    #: Whether every word of the text was tried.
    is_whole: bool


def explain(engine: Engine, text: str) -> Explanation | TextFailure:
    """Score a prepared text and each of its words' absence; a text that breaks the model comes back as its failure."""
    pieces = rules.pieces(text)
    scored = engine.score(pieces)
    parts: list[Scores] = []
    for outcome in scored:
        if isinstance(outcome, TextFailure):
            return outcome
        parts.append(outcome)
    verdict = _merged(parts)
    side = SENTIMENTS.index(verdict.sentiment)
    words = _by_weight(pieces, parts, side)
    tried = words[:MAX_WORDS]
    absences = _absences(engine, [pieces[piece][:start] + pieces[piece][end:] for piece, start, end in tried])
    found = [
        Word(pieces[piece][start:end], _of(verdict, side) - _of(_merged(_with(parts, piece, absence)), side))
        for (piece, start, end), absence in zip(tried, absences, strict=True)
        if isinstance(absence, Scores)
    ]
    return Explanation(verdict, sorted(found, key=lambda word: -abs(word.effect)), len(words) <= MAX_WORDS)


def _by_weight(pieces: Sequence[str], parts: Sequence[Scores], side: int) -> list[tuple[int, int, int]]:
    """Return every word as (piece, start, end), those of the piece that moves the verdict most first."""
    whole = _of(_merged(parts), side)

    def moved(piece: int) -> float:
        others = [part for index, part in enumerate(parts) if index != piece]
        return abs(whole - _of(_merged(others), side)) if others else 0.0

    return [
        (piece, match.start(), match.end())
        for piece in sorted(range(len(pieces)), key=moved, reverse=True)
        for match in _WORD.finditer(pieces[piece])
    ]


def _absences(engine: Engine, texts: Sequence[str]) -> list[Outcome]:
    """Score what is left without each word; where no word is left, the score is that of no text at all."""
    outcomes = iter(engine.score([text for text in texts if rules.has_words(text)]))
    return [next(outcomes) if rules.has_words(text) else rules.NOTHING for text in texts]


def _with(parts: Sequence[Scores], piece: int, scores: Scores) -> list[Scores]:
    return [*parts[:piece], scores, *parts[piece + 1 :]]


def _merged(parts: Sequence[Scores]) -> Scores:
    return batching.merge([(part.positive, part.neutral, part.negative) for part in parts])


def _of(scores: Scores, side: int) -> float:
    return (scores.positive, scores.neutral, scores.negative)[side]
