"""Records as rows of the table ``items`` and back."""

from __future__ import annotations

from typing import Any, Final

from agent.records import Kept, Score, Scored
from ipc.messages import Item

#: What :func:`scored` reads.
COLUMNS: Final = (
    "name, subreddit, author, title, content, url, created_utc, collected_utc, upvotes, comment_count, source,"
    " is_deleted, sentiment, confidence, p_positive, p_neutral, p_negative, rule, model"
)
#: The last look; ``checked_utc`` stays NULL as long as the first look was the only one.
LAST_LOOK: Final = "ifnull(checked_utc, collected_utc)"
#: What :func:`kept` reads.
KEPT: Final = f"rowid, {LAST_LOOK}, {COLUMNS}"
_ALL: Final = f"{COLUMNS}, kind"

INSERT: Final = f"INSERT INTO items ({_ALL}, checked_utc) VALUES ({', '.join('?' * 21)})"  # noqa: S608 - literals
#: What a later look may change, by rowid.
UPDATE: Final = """
    UPDATE items SET author = ?, title = ?, content = ?, url = ?, upvotes = ?, comment_count = ?, is_deleted = ?,
        sentiment = ?, confidence = ?, p_positive = ?, p_neutral = ?, p_negative = ?, rule = ?, model = ?,
        checked_utc = ?
    WHERE rowid = ?
"""


def inserted(one: Kept) -> tuple[Any, ...]:
    """Return the parameters of :data:`INSERT`."""
    item, score = one.scored.item, one.scored.score
    return (
        item.name,
        item.subreddit,
        item.author,
        item.title,
        item.content,
        item.url,
        item.created_utc,
        item.collected_utc,
        item.upvotes,
        item.comment_count,
        item.source,
        item.is_deleted,
        score.sentiment,
        score.confidence,
        score.positive,
        score.neutral,
        score.negative,
        score.rule,
        score.model,
        item.kind,
        None if one.checked_utc == item.collected_utc else one.checked_utc,
    )


def updated(one: Kept) -> tuple[Any, ...]:
    """Return the parameters of :data:`UPDATE`."""
    item, score = one.scored.item, one.scored.score
    return (
        item.author,
        item.title,
        item.content,
        item.url,
        item.upvotes,
        item.comment_count,
        item.is_deleted,
        score.sentiment,
        score.confidence,
        score.positive,
        score.neutral,
        score.negative,
        score.rule,
        score.model,
        one.checked_utc,
        int(one.place),
    )


def kept(row: tuple[Any, ...]) -> Kept:
    """Return what the columns of :data:`KEPT` hold; the place is the rowid."""
    rowid, checked_utc, *rest = row
    return Kept(scored=scored(tuple(rest)), checked_utc=checked_utc, place=str(rowid))


def scored(row: tuple[Any, ...]) -> Scored:
    """Return what :data:`COLUMNS` hold."""
    name, subreddit, author, title, content, url, created_utc, collected_utc, upvotes, comment_count, source = row[:11]
    is_deleted, sentiment, confidence, positive, neutral, negative, rule, model = row[11:]
    return Scored(
        item=Item(
            name=name,
            subreddit=subreddit,
            author=author,
            title=title,
            content=content,
            url=url,
            created_utc=created_utc,
            collected_utc=collected_utc,
            upvotes=upvotes,
            comment_count=comment_count,
            source=source,
            is_deleted=bool(is_deleted),
        ),
        score=Score(
            sentiment=sentiment,
            confidence=confidence,
            positive=positive,
            neutral=neutral,
            negative=negative,
            rule=rule,
            model=model,
        ),
    )
