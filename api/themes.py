"""Themes: what is written about now and was not before. Pure: posts in, groups of posts with their words out.

A theme grows from the term that rose most among the posts that no theme has yet: the posts with that term, the terms
that mostly stand in those posts, and the posts with these. See docs/statistics.md.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from agent.records import Sentiment
from api.log_odds import NOTABLE, log_odds
from api.terms import terms

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: Posts of fewer people are no theme. Chosen, not measured.
MIN_POSTS: Final = 3
#: With fewer posts before there is nothing to compare with: what is common counts then. Chosen, not measured.
MIN_BEFORE: Final = 30
#: A term belongs to a theme when at least this share of its posts does. Chosen on real posts.
SHARE: Final = 0.6
#: So many words are told of a theme, each of at least this share of its posts. Chosen.
MAX_KEYWORDS: Final = 5
KEYWORD_SHARE: Final = 0.2
#: A younger post is taken to be as old: in its first minutes a single vote would be sixty an hour. Chosen.
MIN_AGE_S: Final = 3600
_HOUR_S: Final = 3600


class Talked(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed of one post."""

    id: str
    #: None where nobody is named: an account that is gone is not everybody else's whose account is gone.
    author: str | None
    title: str
    #: What is read of it, the title too.
    text: str
    created_utc: int
    #: Upvotes and comments together; None where the source told neither.
    engagement: int | None
    sentiment: Sentiment


class Theme(msgspec.Struct, frozen=True, kw_only=True):
    """Posts about one thing."""

    #: The same as long as the word that it grew from is.
    id: str
    keywords: list[str]
    #: Most engagement first.
    posts: list[Talked]
    #: Engagement an hour since each post was written, summed; None where no post's engagement is known.
    velocity: float | None
    #: The hour in which most of its posts were written.
    peak_utc: int
    first_utc: int


def find(now: Sequence[Talked], before: Sequence[str], at_utc: int, limit: int) -> list[Theme]:
    """Return the themes of ``now``, those that move fastest first; ``before`` are texts of the days before."""
    weights = _weights(Counter(term for post in now for term in terms(post.text)), before)
    found_in: dict[str, set[int]] = {term: set() for term in weights}
    for index, post in enumerate(now):
        # Read once more instead of kept: what rose is a hundredth of all terms.
        for term in terms(post.text) & weights.keys():
            found_in[term].add(index)
    themes = [
        _theme(words, [now[index] for index in group], at_utc) for words, group in _groups(found_in, weights, now)
    ]
    return sorted(themes, key=lambda theme: -1.0 if theme.velocity is None else theme.velocity, reverse=True)[:limit]


def _weights(now: Mapping[str, int], before: Sequence[str]) -> dict[str, float]:
    """Return the terms that rose, with how surely."""
    if len(before) < MIN_BEFORE:
        return {term: float(count) for term, count in now.items() if count >= MIN_POSTS}
    earlier = Counter(term for text in before for term in terms(text))
    odds = log_odds(now, earlier, least=MIN_POSTS)
    return {term: odds[term] for term, count in now.items() if count >= MIN_POSTS and odds[term] >= NOTABLE}


def _groups(
    found_in: Mapping[str, set[int]], weights: Mapping[str, float], now: Sequence[Talked]
) -> Iterator[tuple[list[str], set[int]]]:
    """Yield keywords and posts of each theme, beginning with the term that rose most."""
    free = set(range(len(now)))
    titles = [terms(post.title) & weights.keys() for post in now]
    said = _by_post(found_in, len(now))
    for seed in sorted(weights, key=lambda term: (-weights[term], term)):
        group = found_in[seed] & free
        if not _is_theme(seed, group, now, titles):
            continue
        # Looked for among the terms of these posts alone: of all terms there are as many as strangers like.
        near = set[str]().union(*(said[index] for index in group))
        joined = [term for term in near if _belongs(found_in[term] & free, group)]
        group = group.union(*(found_in[term] & free for term in joined))
        free -= group
        yield _keywords(seed, [term for term in joined if _is_common(found_in[term], group)], found_in, weights), group


def _by_post(found_in: Mapping[str, set[int]], posts: int) -> list[list[str]]:
    said: list[list[str]] = [[] for _ in range(posts)]
    for term, indexes in found_in.items():
        for index in indexes:
            said[index].append(term)
    return said


def _is_theme(seed: str, group: set[int], now: Sequence[Talked], titles: Sequence[set[str]]) -> bool:
    """Tell whether enough people write about it, in titles: there stands what a post is about."""
    titled = sum(seed in titles[index] for index in group)
    return len({now[index].author or now[index].id for index in group}) >= MIN_POSTS and 2 * titled >= len(group)


def _is_common(posts: set[int], group: set[int]) -> bool:
    return len(posts & group) >= KEYWORD_SHARE * len(group)


def _belongs(posts: set[int], group: set[int]) -> bool:
    return len(posts) >= MIN_POSTS and len(posts & group) >= SHARE * len(posts)


def _keywords(
    seed: str, joined: Sequence[str], found_in: Mapping[str, set[int]], weights: Mapping[str, float]
) -> list[str]:
    """Return the words to tell, the seed first: a pair in the place of its words, no word twice or as a plural."""
    chosen: list[str] = []
    told: set[str] = set()
    ranked = sorted({*joined} - {seed}, key=lambda term: (-weights[term], -len(term.split()), term))
    for term in (_paired(seed, joined, found_in), *ranked):
        words = {word.removesuffix("s") for word in term.split()}
        if not words & told and len(chosen) < MAX_KEYWORDS:
            chosen.append(term)
            told |= words
    return chosen


def _paired(seed: str, joined: Sequence[str], found_in: Mapping[str, set[int]]) -> str:
    """Return the pair that the seed mostly stands in, or the seed."""
    pairs = [term for term in joined if seed in term.split() and term != seed]
    best = max(pairs, key=lambda term: (len(found_in[term]), term), default=seed)
    return best if len(found_in[best]) >= SHARE * len(found_in[seed]) else seed


def _theme(keywords: list[str], posts: Sequence[Talked], at_utc: int) -> Theme:
    hours = Counter(post.created_utc // _HOUR_S * _HOUR_S for post in posts)
    known = [
        post.engagement * _HOUR_S / max(MIN_AGE_S, at_utc - post.created_utc)
        for post in posts
        if post.engagement is not None
    ]
    return Theme(
        id=hashlib.sha256(keywords[0].encode()).hexdigest()[:16],
        keywords=keywords,
        posts=sorted(posts, key=lambda post: (-(post.engagement or 0), post.created_utc, post.id)),
        velocity=sum(known) if known else None,
        peak_utc=max(hours, key=lambda hour: (hours[hour], -hour)),
        first_utc=min(post.created_utc for post in posts),
    )
