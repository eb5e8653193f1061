"""The real asyncpraw against a local stand-in for Reddit: what is collected, and what is seen at a later look."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest
from fakes.reddit_source import (
    NOW,
    SUBREDDIT,
    names_in,
    pages_of,
    settings_for,
    source_at,
)
from msgspec.structs import replace

from agent.sources.reddit import RedditSource
from ipc.errors import SourceUnavailable

if TYPE_CHECKING:
    from fakes.fake_reddit import FakeReddit

# asyncprawcore signs in with a class and a parameter that aiohttp 3.14 calls deprecated (and 4.0 will not have).
pytestmark = pytest.mark.filterwarnings(r"ignore:(BasicAuth|The 'auth' parameter) is deprecated:DeprecationWarning")


async def test_posts_and_comments_of_the_last_hours_are_brought(fake: FakeReddit) -> None:
    """A first read goes back STARTUP_LOAD_HOURS and no further."""
    fake.add_post(SUBREDDIT, NOW - 25 * 3600)
    post = fake.add_post(SUBREDDIT, NOW - 60)
    fake.add_comment(SUBREDDIT, NOW - 30 * 3600)
    comment = fake.add_comment(SUBREDDIT, NOW - 10)
    async with source_at(fake) as source:
        pages = await pages_of(source)
    assert names_in(pages) == [post, comment]
    assert not any(page.gap or page.rejected_count for page in pages)


async def test_a_post_keeps_every_field(fake: FakeReddit) -> None:
    """What Reddit says of a post stands in the item."""
    name = fake.add_post(SUBREDDIT, NOW - 60.5, title="A title", selftext="A text & more", score=-3, num_comments=0)
    async with source_at(fake) as source:
        (item,) = (item for page in await pages_of(source) for item in page.items)
    assert (item.name, item.subreddit, item.author, item.kind) == (name, SUBREDDIT, "fake_author", "post")
    assert (item.title, item.content, item.upvotes, item.comment_count) == ("A title", "A text & more", -3, 0)
    assert (item.created_utc, item.collected_utc, item.source) == (NOW - 61, NOW, "reddit")
    assert item.url == f"https://www.reddit.com/r/{SUBREDDIT}/comments/{name[3:]}/a_title/"


async def test_a_comment_keeps_every_field(fake: FakeReddit) -> None:
    """A comment has a body and a permalink, and no title and no comment count."""
    name = fake.add_comment(SUBREDDIT, NOW - 60, body="A body")
    async with source_at(fake) as source:
        (item,) = (item for page in await pages_of(source) for item in page.items)
    assert (item.kind, item.title, item.content, item.comment_count) == ("comment", "", "A body", None)
    assert item.url == f"https://www.reddit.com/r/{SUBREDDIT}/comments/zzz/a_title/{name[3:]}/"


async def test_only_the_last_page_carries_the_cursor(fake: FakeReddit) -> None:
    """A newest-first listing is read as a whole or again."""
    for age_s in range(250, 0, -1):
        fake.add_post(SUBREDDIT, NOW - age_s)
    async with source_at(fake) as source:
        pages = await pages_of(source)
    assert len(names_in(pages)) == 250
    assert [page.cursor is None for page in pages] == [True] * (len(pages) - 1) + [False]


async def test_the_next_read_brings_only_what_is_new(fake: FakeReddit) -> None:
    """With the cursor of the read before, nothing comes twice, and one page is enough."""
    for age_s in range(250, 10, -1):
        fake.add_post(SUBREDDIT, NOW - age_s)
        fake.add_comment(SUBREDDIT, NOW - age_s)
    async with source_at(fake) as source:
        cursor = (await pages_of(source))[-1].cursor
        assert names_in(await pages_of(source, cursor)) == []
        new = [fake.add_comment(SUBREDDIT, NOW - 5), fake.add_post(SUBREDDIT, NOW - 4)]
        fake.requests.clear()
        pages = await pages_of(source, cursor)
    assert sorted(names_in(pages)) == sorted(new)
    assert len(fake.requests) == 2


async def test_an_item_of_the_same_second_is_not_lost(fake: FakeReddit) -> None:
    """Two posts of one second, seen in two reads, are both brought, and once each."""
    first = fake.add_post(SUBREDDIT, NOW - 100)
    async with source_at(fake) as source:
        pages = await pages_of(source)
        second = fake.add_post(SUBREDDIT, NOW - 100)
        assert names_in(pages) == [first]
        assert names_in(await pages_of(source, pages[-1].cursor)) == [second]


@pytest.mark.parametrize("deleted", [1, 150])
async def test_deleted_anchors_neither_stall_nor_lose(fake: FakeReddit, deleted: int) -> None:
    """With the newest seen posts, or all the remembered ones, deleted, what came after them is brought."""
    seen = [fake.add_post(SUBREDDIT, NOW - age_s) for age_s in range(300, 100, -1)]
    async with source_at(fake) as source:
        cursor = (await pages_of(source))[-1].cursor
        for name in seen[-deleted:]:
            fake.delete(name)
        new = [fake.add_post(SUBREDDIT, NOW - 50), fake.add_post(SUBREDDIT, NOW - 49)]
        pages = await pages_of(source, cursor)
    assert names_in(pages) == new[::-1]
    assert not any(page.gap for page in pages)


async def test_a_listing_that_ends_before_the_last_seen_is_a_gap(fake: FakeReddit) -> None:
    """More came than Reddit lists: all that it lists is brought, and the gap is told once."""
    fake.add_post(SUBREDDIT, NOW - 5000)
    async with source_at(fake) as source:
        cursor = (await pages_of(source))[-1].cursor
        for age_s in range(1200, 0, -1):
            fake.add_post(SUBREDDIT, NOW - age_s)
        pages = await pages_of(source, cursor)
        assert len(names_in(pages)) == 1000
        assert [page.gap for page in pages].count(True) == 1
        after = await pages_of(source, pages[-1].cursor)
    assert names_in(after) == []
    assert not any(page.gap for page in after)


async def test_the_listing_limit_bounds_the_requests(fake: FakeReddit) -> None:
    """REDDIT_LISTING_LIMIT is kept to the item; on a first read that is no gap."""
    for age_s in range(400, 0, -1):
        fake.add_post(SUBREDDIT, NOW - age_s)
    async with source_at(fake, reddit_listing_limit=150) as source:
        pages = await pages_of(source)
    assert len(names_in(pages)) == 150
    assert [re.findall(r"limit=(\d+)", path)[0] for path in fake.requests] == ["100", "50", "100"]
    assert not any(page.gap for page in pages)


async def test_a_short_listing_of_deleted_posts_is_no_gap(fake: FakeReddit) -> None:
    """A small subreddit whose seen posts are all deleted is shown whole: nothing can lie between."""
    seen = fake.add_post(SUBREDDIT, NOW - 300)
    async with source_at(fake) as source:
        cursor = (await pages_of(source))[-1].cursor
        fake.delete(seen)
        new = fake.add_post(SUBREDDIT, NOW - 10)
        pages = await pages_of(source, cursor)
    assert names_in(pages) == [new]
    assert not any(page.gap for page in pages)


async def test_an_interrupted_read_is_repeated_without_loss(fake: FakeReddit) -> None:
    """A read that ends after its first page has moved no cursor: the next brings all of it."""
    names = [fake.add_post(SUBREDDIT, NOW - age_s) for age_s in range(250, 0, -1)]
    async with source_at(fake) as source:
        pages = source.read(SUBREDDIT, None)
        assert isinstance(pages, AsyncGenerator)
        async with aclosing(pages):
            assert (await anext(pages)).cursor is None
        assert set(names_in(await pages_of(source))) == set(names)


async def test_a_subreddit_that_was_empty_is_read_from_then_on(fake: FakeReddit) -> None:
    """A first read that finds nothing leaves a cursor that loses nothing, however long the pause after it."""
    fake.add_post(SUBREDDIT, NOW - 90 * 3600)
    async with source_at(fake) as source:
        cursor = (await pages_of(source))[-1].cursor
    post = fake.add_post(SUBREDDIT, NOW + 60)
    later = RedditSource(settings_for(fake), now=lambda: NOW + 200 * 3600)
    async with later as source:
        assert names_in(await pages_of(source, cursor)) == [post]


async def test_one_odd_item_costs_only_itself(fake: FakeReddit) -> None:
    """A null author is shown as deleted; what can't be an item is counted, and the rest of the page is there."""
    good = fake.add_post(SUBREDDIT, NOW - 50)
    nobodys = fake.add_post(SUBREDDIT, NOW - 49, author=None)
    fake.add_post(SUBREDDIT, None)
    fake.add_post(SUBREDDIT, NOW - 47, title=None)
    fake.add_post(SUBREDDIT, NOW - 46, score=2**70)
    fake.add_post(SUBREDDIT, NOW - 45, name="t3_<script>")
    half_emoji = fake.add_post(SUBREDDIT, NOW - 44, title="half \ud83d")
    linked = fake.add_post(SUBREDDIT, NOW - 43, url="javascript:alert(1)")
    async with source_at(fake) as source:
        pages = await pages_of(source)
    items = {item.name: item for page in pages for item in page.items}
    assert set(items) == {good, nobodys, half_emoji, linked}
    assert items[nobodys].author == "[deleted]"
    assert items[half_emoji].title == "half ?"
    assert items[linked].url.startswith("https://www.reddit.com/r/Cursor/comments/")
    assert sum(page.rejected_count for page in pages) == 4
    assert "item 3 of a page: no usable id or name" in [text for page in pages for text in page.rejected]


async def test_requests_are_serialised(fake: FakeReddit) -> None:
    """Streams that are read at once still ask one after the other."""
    names = [f"sub_{number}" for number in range(8)]
    for name in names:
        fake.add_post(name, NOW - 10)
    async with source_at(fake) as source:
        read = await asyncio.gather(*(pages_of(source, stream=name) for name in names))
    assert [len(names_in(pages)) for pages in read] == [1] * 8
    assert fake.most_at_once == 1
    assert fake.token_requests == 1


async def test_the_user_agent_says_who_asks(fake: FakeReddit) -> None:
    """The setting is used; without it there is a descriptive one, as Reddit's rules want."""
    fake.add_post(SUBREDDIT, NOW - 10)
    async with source_at(fake) as source:
        await pages_of(source)
    async with source_at(fake, reddit_user_agent="linux:ours:1 (by /u/example)") as source:
        await pages_of(source)
    ours, default = sorted(fake.user_agents)
    assert ours.startswith("linux:ours:1 (by /u/example)")
    assert re.match(r"linux:sentimentagent:\d+\.\d+", default)


async def test_an_unreadable_cursor_is_read_as_none(fake: FakeReddit) -> None:
    """What is no cursor of ours costs a first read, not the stream."""
    post = fake.add_post(SUBREDDIT, NOW - 10)
    async with source_at(fake) as source:
        assert names_in(await pages_of(source, "not json")) == [post]


async def test_a_second_look_brings_votes_edits_and_deletions(fake: FakeReddit) -> None:
    """Posts and comments are asked for together, by name; what was taken away keeps nothing that anybody wrote."""
    names = [fake.add_post(SUBREDDIT, NOW - 60, selftext="first") for _ in range(3)]
    names.append(fake.add_comment(SUBREDDIT, NOW - 50))
    async with source_at(fake) as source:
        stored = [item for page in await pages_of(source) for item in page.items]
        fake.edit(names[0], score=99, selftext="second")
        fake.take_away(names[1])
        fake.edit(names[2], removed_by_category="moderator")
        fake.take_away(names[3])
        again = {item.name: item for item in (await source.look_again(stored)).items}
    assert (again[names[0]].upvotes, again[names[0]].content, again[names[0]].is_deleted) == (99, "second", False)
    for name in names[1:]:
        item = again[name]
        assert item.is_deleted
        assert (item.title, item.content, item.author, item.url) == ("", "", "[deleted]", "")
    assert fake.requests[-1].startswith("/api/info")


async def test_a_hundred_are_looked_at_with_one_request(fake: FakeReddit) -> None:
    """So that a sweep of a store stays within Reddit's rate."""
    for _ in range(250):
        fake.add_post(SUBREDDIT, NOW - 60)
    async with source_at(fake) as source:
        stored = [item for page in await pages_of(source) for item in page.items]
        asked = len(fake.requests)
        assert len((await source.look_again(stored)).items) == 250
        assert len(fake.requests) - asked == 3


async def test_what_reddit_no_longer_names_is_gone(fake: FakeReddit) -> None:
    """Its answer simply leaves such an item out."""
    names = [fake.add_post(SUBREDDIT, NOW - 60) for _ in range(4)]
    async with source_at(fake) as source:
        stored = [item for page in await pages_of(source) for item in page.items]
        fake.delete(names[0])
        again = (await source.look_again(stored)).items
    assert [item.name for item in again if item.is_deleted] == names[:1]


async def test_an_answer_that_names_almost_nothing_deletes_nothing(fake: FakeReddit) -> None:
    """A fault at the other end must not empty the store: what is missing then is left as it was."""
    names = [fake.add_post(SUBREDDIT, NOW - 60) for _ in range(4)]
    async with source_at(fake) as source:
        stored = [item for page in await pages_of(source) for item in page.items]
        for name in names[:3]:
            fake.delete(name)
        again = (await source.look_again(stored)).items
    assert {item.name: item for item in again} == {item.name: replace(item, collected_utc=NOW) for item in stored}


async def test_one_unreadable_answer_leaves_what_is_missing_as_it_was(fake: FakeReddit) -> None:
    """It may be the missing one; looked at it was, or it would be asked for again before all others."""
    names = [fake.add_post(SUBREDDIT, NOW - 60) for _ in range(4)]
    async with source_at(fake) as source:
        stored = [item for page in await pages_of(source) for item in page.items]
        fake.edit(names[0], created_utc="never")
        again = await source.look_again(stored)
    assert again.rejected_count == 1
    assert {item.name: item.is_deleted for item in again.items} == dict.fromkeys(names, False)


async def test_a_second_look_that_is_refused_deletes_nothing(fake: FakeReddit) -> None:
    """403 is no deletion."""
    fake.add_post(SUBREDDIT, NOW - 60)
    async with source_at(fake) as source:
        stored = [item for page in await pages_of(source) for item in page.items]
        fake.failures["info"] = fake.answer(403)
        with pytest.raises(SourceUnavailable):
            await source.look_again(stored)
