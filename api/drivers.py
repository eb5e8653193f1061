"""What drove a shift: the posts that speak its direction loudest, and the words that came or went. Pure.

Which items moved together with the net is seen here, not why: nobody asked their authors. See docs/statistics.md.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from api.log_odds import NOTABLE, log_odds
from api.terms import terms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.records import Scored, Sentiment
    from api.intervals import Counts

#: So many of each are told.
MAX_POSTS: Final = 5
MAX_WORDS: Final = 10
#: How much a pair counts against its words. Chosen.
_PAIRS_WORTH: Final = 1.1
#: A word of fewer texts is one person's. Chosen, not measured.
MIN_TEXTS: Final = 3


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """A word, or a pair of words, that one side has more of."""

    word: str
    #: In how many of the texts that were read it stands.
    before: int
    after: int
    #: Log-odds in standard errors: above 0 it came, below 0 it went.
    weight: float


def moved(before: Counts, after: Counts) -> Sentiment:
    """Return which of the two, the positive or the negative items, changed their share more.

    A net that fell because praise ended is told by the words of the praise, not by those of the complaints.
    """
    positive = abs(after.positive / after.total - before.positive / before.total)
    negative = abs(after.negative / after.total - before.negative / before.total)
    return "positive" if positive > negative else "negative"


def loudest(items: Iterable[Scored], *, is_up: bool) -> list[Scored]:
    """Return the items that speak most for the direction: by compound, times the logarithm of what they got back.

    Votes and comments that are not known count as none.
    """
    sign = 1 if is_up else -1

    def weight(scored: Scored) -> float:
        heard = max(0, scored.item.upvotes or 0) + max(0, scored.item.comment_count or 0)
        return sign * scored.score.compound * (1 + math.log1p(heard))

    with_it = [scored for scored in items if sign * scored.score.compound > 0]
    return sorted(with_it, key=lambda scored: (-weight(scored), scored.item.name))[:MAX_POSTS]


def words(before: Iterable[str], after: Iterable[str]) -> list[Word]:
    """Return the terms that one side's texts have more of, the surest first; a pair in the place of its words."""
    earlier, later = _counted(before), _counted(after)
    weights = log_odds(later, earlier, least=MIN_TEXTS)
    found: list[Word] = []
    told: set[str] = set()
    notable = [term for term in weights if abs(weights[term]) >= NOTABLE]
    for term in sorted(notable, key=lambda term: (-_rank(term, weights[term]), term)):
        if told.isdisjoint(term.split()):
            told.update(term.split())
            found.append(Word(word=term, before=earlier[term], after=later[term], weight=weights[term]))
    return sorted(found[:MAX_WORDS], key=lambda word: -abs(word.weight))


def _rank(term: str, weight: float) -> float:
    """Return the weight's size; a pair that is nearly as sure as its words says more than they do."""
    return abs(weight) * (_PAIRS_WORTH if " " in term else 1.0)


def _counted(texts: Iterable[str]) -> Counter[str]:
    return Counter(term for text in texts for term in terms(text))
