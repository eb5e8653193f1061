"""What a look at an item makes of what is kept of it: pure, and the same for every store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from agent.records import Kept, Scored, SetAside

if TYPE_CHECKING:
    from ipc.messages import Item

#: What stays of an item whatever a later look says: where and when it was written, and how it first came.
_FIXED: Final = ("subreddit", "created_utc", "collected_utc", "source")


def seen(kept: Kept | None, look: Scored) -> Kept:
    """Return what is to be kept after a look; ``kept`` itself when the look is no later one and changes nothing."""
    checked_utc = look.item.collected_utc
    if kept is None:
        return Kept(scored=emptied(look) if look.item.is_deleted else look, checked_utc=checked_utc, place="")
    if checked_utc <= kept.checked_utc:
        return kept
    return replace(kept, scored=_later(kept.scored, look), checked_utc=checked_utc)


def emptied(one: Scored) -> Scored:
    """Return what stays of an item that was deleted: its anonymous score, and where and when it was."""
    return replace(one, item=_emptied(one.item))


def emptied_set_aside(one: SetAside) -> SetAside:
    """Return what stays of one that was set aside: the error's type alone, because its words may quote the text."""
    return replace(one, item=_emptied(one.item), error=one.error.partition(":")[0])


def _later(old: Scored, look: Scored) -> Scored:
    item = replace(look.item, **{field: getattr(old.item, field) for field in _FIXED})
    if item.is_deleted:
        return Scored(item=_emptied(item), score=old.score)
    is_other_text = old.item.is_deleted or (old.item.title, old.item.content) != (item.title, item.content)
    return Scored(item=item, score=look.score if is_other_text else old.score)


def _emptied(item: Item) -> Item:
    return replace(item, title="", content="", author="", url="", is_deleted=True)
