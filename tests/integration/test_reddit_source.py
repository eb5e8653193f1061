"""The real asyncpraw against a local stand-in for Reddit: what is collected, and what each failure becomes."""

from __future__ import annotations

import asyncio
import re
import socket
import traceback
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

import pytest
from fakes.fake_reddit import CLIENT_ID, CLIENT_SECRET, FakeReddit

from agent.sources.reddit import UNTOLD_WAIT_S, RedditSource
from ipc.errors import SourceUnavailable
from ipc.settings import CollectorSettings, Secret

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from agent.sources.protocol import Page

# asyncprawcore signs in with a class and a parameter that aiohttp 3.14 calls deprecated (and 4.0 will not have).
pytestmark = pytest.mark.filterwarnings(r"ignore:(BasicAuth|The 'auth' parameter) is deprecated:DeprecationWarning")

#: The wall clock of these tests stands still here.
NOW: Final = 1_760_000_000
SUBREDDIT: Final = "Cursor"


@pytest.fixture
async def fake() -> AsyncIterator[FakeReddit]:
    """A Reddit that answers."""
    async with FakeReddit() as fake:
        yield fake


def _settings(fake: FakeReddit, **changes: Any) -> CollectorSettings:  # noqa: ANN401 - of any setting's type
    given: dict[str, Any] = {
        "reddit_url": fake.url,
        "reddit_client_id": CLIENT_ID,
        "reddit_client_secret": Secret(CLIENT_SECRET),
        "subreddits": (SUBREDDIT,),
    }
    return CollectorSettings(**given | changes)


def _source(fake: FakeReddit, **changes: Any) -> RedditSource:  # noqa: ANN401 - of any setting's type
    return RedditSource(_settings(fake, **changes), now=lambda: NOW)


async def _pages(source: RedditSource, cursor: str | None = None, stream: str = SUBREDDIT) -> list[Page]:
    return [page async for page in source.read(stream, cursor)]


def _names(pages: list[Page]) -> list[str]:
    return [item.name for page in pages for item in page.items]


async def _failure(source: RedditSource, stream: str = SUBREDDIT) -> SourceUnavailable:
    with pytest.raises(SourceUnavailable) as raised:
        await _pages(source, stream=stream)
    return raised.value


async def test_posts_and_comments_of_the_last_hours_are_brought(fake: FakeReddit) -> None:
    """A first read goes back STARTUP_LOAD_HOURS and no further."""
    fake.add_post(SUBREDDIT, NOW - 25 * 3600)
    post = fake.add_post(SUBREDDIT, NOW - 60)
    fake.add_comment(SUBREDDIT, NOW - 30 * 3600)
    comment = fake.add_comment(SUBREDDIT, NOW - 10)
    async with _source(fake) as source:
        pages = await _pages(source)
    assert _names(pages) == [post, comment]
    assert not any(page.gap or page.rejected_count for page in pages)


async def test_a_post_keeps_every_field(fake: FakeReddit) -> None:
    """What Reddit says of a post stands in the item."""
    name = fake.add_post(SUBREDDIT, NOW - 60.5, title="A title", selftext="A text & more", score=-3, num_comments=0)
    async with _source(fake) as source:
        (item,) = (item for page in await _pages(source) for item in page.items)
    assert (item.name, item.subreddit, item.author, item.kind) == (name, SUBREDDIT, "fake_author", "post")
    assert (item.title, item.content, item.upvotes, item.comment_count) == ("A title", "A text & more", -3, 0)
    assert (item.created_utc, item.collected_utc, item.source) == (NOW - 61, NOW, "reddit")
    assert item.url == f"https://www.reddit.com/r/{SUBREDDIT}/comments/{name[3:]}/a_title/"


async def test_a_comment_keeps_every_field(fake: FakeReddit) -> None:
    """A comment has a body and a permalink, and no title and no comment count."""
    name = fake.add_comment(SUBREDDIT, NOW - 60, body="A body")
    async with _source(fake) as source:
        (item,) = (item for page in await _pages(source) for item in page.items)
    assert (item.kind, item.title, item.content, item.comment_count) == ("comment", "", "A body", None)
    assert item.url == f"https://www.reddit.com/r/{SUBREDDIT}/comments/zzz/a_title/{name[3:]}/"


async def test_only_the_last_page_carries_the_cursor(fake: FakeReddit) -> None:
    """A newest-first listing is read as a whole or again."""
    for age_s in range(250, 0, -1):
        fake.add_post(SUBREDDIT, NOW - age_s)
    async with _source(fake) as source:
        pages = await _pages(source)
    assert len(_names(pages)) == 250
    assert [page.cursor is None for page in pages] == [True] * (len(pages) - 1) + [False]


async def test_the_next_read_brings_only_what_is_new(fake: FakeReddit) -> None:
    """With the cursor of the read before, nothing comes twice, and one page is enough."""
    for age_s in range(250, 10, -1):
        fake.add_post(SUBREDDIT, NOW - age_s)
        fake.add_comment(SUBREDDIT, NOW - age_s)
    async with _source(fake) as source:
        cursor = (await _pages(source))[-1].cursor
        assert _names(await _pages(source, cursor)) == []
        new = [fake.add_comment(SUBREDDIT, NOW - 5), fake.add_post(SUBREDDIT, NOW - 4)]
        fake.requests.clear()
        pages = await _pages(source, cursor)
    assert sorted(_names(pages)) == sorted(new)
    assert len(fake.requests) == 2


async def test_an_item_of_the_same_second_is_not_lost(fake: FakeReddit) -> None:
    """Two posts of one second, seen in two reads, are both brought, and once each."""
    first = fake.add_post(SUBREDDIT, NOW - 100)
    async with _source(fake) as source:
        pages = await _pages(source)
        second = fake.add_post(SUBREDDIT, NOW - 100)
        assert _names(pages) == [first]
        assert _names(await _pages(source, pages[-1].cursor)) == [second]


@pytest.mark.parametrize("deleted", [1, 150])
async def test_deleted_anchors_neither_stall_nor_lose(fake: FakeReddit, deleted: int) -> None:
    """With the newest seen posts, or all the remembered ones, deleted, what came after them is brought."""
    seen = [fake.add_post(SUBREDDIT, NOW - age_s) for age_s in range(300, 100, -1)]
    async with _source(fake) as source:
        cursor = (await _pages(source))[-1].cursor
        for name in seen[-deleted:]:
            fake.delete(name)
        new = [fake.add_post(SUBREDDIT, NOW - 50), fake.add_post(SUBREDDIT, NOW - 49)]
        pages = await _pages(source, cursor)
    assert _names(pages) == new[::-1]
    assert not any(page.gap for page in pages)


async def test_a_listing_that_ends_before_the_last_seen_is_a_gap(fake: FakeReddit) -> None:
    """More came than Reddit lists: all that it lists is brought, and the gap is told once."""
    fake.add_post(SUBREDDIT, NOW - 5000)
    async with _source(fake) as source:
        cursor = (await _pages(source))[-1].cursor
        for age_s in range(1200, 0, -1):
            fake.add_post(SUBREDDIT, NOW - age_s)
        pages = await _pages(source, cursor)
        assert len(_names(pages)) == 1000
        assert [page.gap for page in pages].count(True) == 1
        after = await _pages(source, pages[-1].cursor)
    assert _names(after) == []
    assert not any(page.gap for page in after)


async def test_the_listing_limit_bounds_the_requests(fake: FakeReddit) -> None:
    """REDDIT_LISTING_LIMIT is kept to the item; on a first read that is no gap."""
    for age_s in range(400, 0, -1):
        fake.add_post(SUBREDDIT, NOW - age_s)
    async with _source(fake, reddit_listing_limit=150) as source:
        pages = await _pages(source)
    assert len(_names(pages)) == 150
    assert [re.findall(r"limit=(\d+)", path)[0] for path in fake.requests] == ["100", "50", "100"]
    assert not any(page.gap for page in pages)


async def test_a_short_listing_of_deleted_posts_is_no_gap(fake: FakeReddit) -> None:
    """A small subreddit whose seen posts are all deleted is shown whole: nothing can lie between."""
    seen = fake.add_post(SUBREDDIT, NOW - 300)
    async with _source(fake) as source:
        cursor = (await _pages(source))[-1].cursor
        fake.delete(seen)
        new = fake.add_post(SUBREDDIT, NOW - 10)
        pages = await _pages(source, cursor)
    assert _names(pages) == [new]
    assert not any(page.gap for page in pages)


async def test_an_interrupted_read_is_repeated_without_loss(fake: FakeReddit) -> None:
    """A read that ends after its first page has moved no cursor: the next brings all of it."""
    names = [fake.add_post(SUBREDDIT, NOW - age_s) for age_s in range(250, 0, -1)]
    async with _source(fake) as source:
        pages = source.read(SUBREDDIT, None)
        assert isinstance(pages, AsyncGenerator)
        async with aclosing(pages):
            assert (await anext(pages)).cursor is None
        assert set(_names(await _pages(source))) == set(names)


async def test_a_subreddit_that_was_empty_is_read_from_then_on(fake: FakeReddit) -> None:
    """A first read that finds nothing leaves a cursor that loses nothing, however long the pause after it."""
    fake.add_post(SUBREDDIT, NOW - 90 * 3600)
    async with _source(fake) as source:
        cursor = (await _pages(source))[-1].cursor
    post = fake.add_post(SUBREDDIT, NOW + 60)
    later = RedditSource(_settings(fake), now=lambda: NOW + 200 * 3600)
    async with later as source:
        assert _names(await _pages(source, cursor)) == [post]


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
    async with _source(fake) as source:
        pages = await _pages(source)
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
    async with _source(fake) as source:
        read = await asyncio.gather(*(_pages(source, stream=name) for name in names))
    assert [len(_names(pages)) for pages in read] == [1] * 8
    assert fake.most_at_once == 1
    assert fake.token_requests == 1


async def test_the_user_agent_says_who_asks(fake: FakeReddit) -> None:
    """The setting is used; without it there is a descriptive one, as Reddit's rules want."""
    fake.add_post(SUBREDDIT, NOW - 10)
    async with _source(fake) as source:
        await _pages(source)
    async with _source(fake, reddit_user_agent="linux:ours:1 (by /u/example)") as source:
        await _pages(source)
    ours, default = sorted(fake.user_agents)
    assert ours.startswith("linux:ours:1 (by /u/example)")
    assert re.match(r"linux:sentimentagent:\d+\.\d+", default)


#: What the data answers with, the cause that it must become, and seconds to wait where they were told.
FAILURES: Final = {
    "rate limit with retry-after": (429, {"retry-after": "7"}, "{}", "rate_limited", 7.0),
    "rate limit without": (429, {}, "{}", "rate_limited", None),
    "rate limit with a date": (429, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, "{}", "rate_limited", None),
    "rate limit with the window": (429, {"x-ratelimit-reset": "33"}, "{}", "rate_limited", 33.0),
    "server error that is not tried again": (521, {}, "{}", "server_error", None),
    "private": (403, {}, '{"reason": "private"}', "forbidden", None),
    "for legal reasons": (451, {}, "{}", "forbidden", None),
    "banned": (404, {}, '{"reason": "banned"}', "not_found", None),
    "nonexistent": (302, {"location": "/subreddits/search?q=x"}, "", "no_such_subreddit", None),
    "a captive portal": (302, {"location": "https://login.example/"}, "", "not_reddit", None),
    "HTML with 200": (200, {"content-type": "text/html"}, "<html>hello</html>", "not_reddit", None),
    "broken JSON": (200, {}, '{"kind": "Listing", ', "not_reddit", None),
    "JSON that is no listing": (200, {}, '{"hello": ["world"]}', "not_reddit", None),
    "JSON that is a list": (200, {}, "[]", "not_reddit", None),
    "nothing with 200": (200, {}, "", "not_reddit", None),
    "bad request": (400, {}, '{"message": "Bad Request", "error": 400}', "refused", None),
    "teapot": (418, {}, "{}", "refused", None),
}


@pytest.mark.parametrize("case", FAILURES)
async def test_each_failure_of_a_subreddit_has_a_name(fake: FakeReddit, case: str) -> None:
    """One subreddit fails by a named cause with no secret in its text, and another one is read."""
    status, headers, text, cause, retry_after_s = FAILURES[case]
    fake.failures["cursor"] = fake.answer(status, headers, text)
    other = fake.add_post("programming", NOW - 10)
    async with _source(fake) as source:
        failure = await _failure(source)
        if cause != "rate_limited":
            assert _names(await _pages(source, stream="programming")) == [other]
    assert (failure.cause, failure.retry_after_s) == (cause, retry_after_s)
    _assert_no_secret(failure)


TOKEN_FAILURES: Final = {
    "wrong credentials": (401, {}, '{"message": "Unauthorized", "error": 401}', "bad_credentials"),
    "an error with 200": (200, {}, '{"error": "invalid_grant"}', "bad_credentials"),
    "blocked": (403, {"content-type": "text/html"}, "<html>blocked</html>", "forbidden"),
    "rate limit": (429, {"retry-after": "3"}, "{}", "rate_limited"),
    "server error": (503, {}, "{}", "server_error"),
    "HTML with 200": (200, {"content-type": "text/html"}, "<html>hello</html>", "not_reddit"),
    "JSON without a token": (200, {}, "{}", "not_reddit"),
    "JSON that is a list": (200, {}, "[]", "not_reddit"),
}


@pytest.mark.parametrize("case", TOKEN_FAILURES)
async def test_each_failure_of_the_sign_in_has_a_name(fake: FakeReddit, case: str) -> None:
    """What is wrong with the token is told of every subreddit that needs it."""
    status, headers, text, cause = TOKEN_FAILURES[case]
    fake.token_failure = fake.answer(status, headers, text)
    async with _source(fake) as source:
        failures = [await _failure(source), await _failure(source, "programming")]
    assert [failure.cause for failure in failures] == [cause, cause]
    assert fake.requests == []
    for failure in failures:
        _assert_no_secret(failure)


async def test_failures_that_asyncpraw_retries_are_named_in_the_end(fake: FakeReddit) -> None:
    """Both are tried three times, over 2 to 6 s, hence side by side: 503, and 401 on data with fresh tokens."""
    fake.failures["busy"] = fake.answer(503)
    fake.failures["expired"] = fake.answer(401, {"www-authenticate": 'Bearer error="invalid_token"'})
    fake.failures["unclear"] = fake.answer(401)
    async with _source(fake) as one, _source(fake) as two, _source(fake) as three:
        failures = await asyncio.gather(_failure(one, "busy"), _failure(two, "expired"), _failure(three, "unclear"))
    assert [failure.cause for failure in failures] == ["server_error", "token_expired", "token_expired"]
    assert len([path for path in fake.requests if path.startswith("/r/busy/")]) == 3


@pytest.mark.parametrize("kind", ["hang", "hang_within"])
async def test_a_hang_ends_after_the_timeout(fake: FakeReddit, kind: str) -> None:
    """No answer, or half of one: REDDIT_TIMEOUT_S ends it, and the next subreddit is read."""
    fake.failures["cursor"] = getattr(fake, kind)
    other = fake.add_post("programming", NOW - 10)
    async with _source(fake, reddit_timeout_s=0.1) as source:
        async with asyncio.timeout(1):
            failure = await _failure(source)
        assert _names(await _pages(source, stream="programming")) == [other]
    assert failure.cause == "timed_out"


async def test_a_hang_of_the_sign_in_ends_after_the_timeout(fake: FakeReddit) -> None:
    """The token request is bounded like any other."""
    fake.token_failure = fake.hang
    async with _source(fake, reddit_timeout_s=0.1) as source, asyncio.timeout(1):
        assert (await _failure(source)).cause == "timed_out"


async def test_a_refused_connection_is_unreachable(fake: FakeReddit) -> None:
    """Nobody listens: no status, no retry, one cause."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        async with _source(fake, reddit_url=url) as source:
            failure = await _failure(source)
    assert failure.cause == "unreachable"
    _assert_no_secret(failure)


async def test_a_cut_connection_is_unreachable(fake: FakeReddit) -> None:
    """The connection closes without an answer."""
    fake.failures["cursor"] = fake.cut
    async with _source(fake) as source:
        assert (await _failure(source)).cause == "unreachable"


async def test_an_impossible_name_is_never_asked_for(fake: FakeReddit) -> None:
    """A name from the settings can't reach into another path."""
    async with _source(fake) as source:
        for name in ("../api/v1/me", "a b", "", "r/Cursor", "x" * 40):
            assert (await _failure(source, name)).cause == "no_such_subreddit"
    assert fake.requests == []
    assert fake.token_requests == 0


async def test_credentials_that_cannot_be_sent_are_told_apart(fake: FakeReddit) -> None:
    """A colon in the client id fails within asyncpraw, before any request."""
    async with _source(fake, reddit_client_id="fake:client") as source:
        failure = await _failure(source)
    assert failure.cause == "unexpected"
    assert "fake:client" not in "".join(traceback.format_exception(failure))


@pytest.mark.parametrize(("headers", "wait_s"), [({"retry-after": "7"}, 7.0), ({}, UNTOLD_WAIT_S)])
async def test_a_rate_limit_holds_back_the_following_subreddits(
    fake: FakeReddit, headers: dict[str, str], wait_s: float
) -> None:
    """Until the wait is over they fail at once, unasked; then they are read again."""
    clock_s = 1000.0
    fake.failures["cursor"] = fake.answer(429, headers)
    other = fake.add_post("programming", NOW - 10)
    async with RedditSource(_settings(fake), now=lambda: NOW, clock_s=lambda: clock_s) as source:
        await _failure(source)
        asked = len(fake.requests)
        clock_s += wait_s - 2
        failure = await _failure(source, "programming")
        assert (failure.cause, failure.retry_after_s) == ("rate_limited", 2.0)
        assert len(fake.requests) == asked
        clock_s += 2
        assert _names(await _pages(source, stream="programming")) == [other]


async def test_an_empty_rate_window_is_not_slept_through(fake: FakeReddit) -> None:
    """With no request left, what was answered is kept, and the next request fails at once instead of hanging."""
    fake.rate_headers = {"x-ratelimit-remaining": "0.0", "x-ratelimit-used": "1000", "x-ratelimit-reset": "300"}
    post = fake.add_post(SUBREDDIT, NOW - 10)
    async with _source(fake) as source, asyncio.timeout(1):
        pages = aiter(source.read(SUBREDDIT, None))
        assert _names([await anext(pages)]) == [post]
        with pytest.raises(SourceUnavailable) as raised:
            await anext(pages)
    assert raised.value.cause == "rate_limited"
    assert raised.value.retry_after_s == pytest.approx(300, abs=2)


async def test_an_unreadable_cursor_is_read_as_none(fake: FakeReddit) -> None:
    """What is no cursor of ours costs a first read, not the stream."""
    post = fake.add_post(SUBREDDIT, NOW - 10)
    async with _source(fake) as source:
        assert _names(await _pages(source, "not json")) == [post]


async def test_a_second_look_brings_votes_edits_and_deletions(fake: FakeReddit) -> None:
    """Posts and comments are asked for together, by name; what was taken away keeps nothing that anybody wrote."""
    names = [fake.add_post(SUBREDDIT, NOW - 60, selftext="first") for _ in range(3)]
    names.append(fake.add_comment(SUBREDDIT, NOW - 50))
    async with _source(fake) as source:
        stored = [item for page in await _pages(source) for item in page.items]
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
    async with _source(fake) as source:
        stored = [item for page in await _pages(source) for item in page.items]
        asked = len(fake.requests)
        assert len((await source.look_again(stored)).items) == 250
        assert len(fake.requests) - asked == 3


async def test_what_reddit_no_longer_names_is_gone(fake: FakeReddit) -> None:
    """Its answer simply leaves such an item out."""
    names = [fake.add_post(SUBREDDIT, NOW - 60) for _ in range(4)]
    async with _source(fake) as source:
        stored = [item for page in await _pages(source) for item in page.items]
        fake.delete(names[0])
        again = (await source.look_again(stored)).items
    assert [item.name for item in again if item.is_deleted] == names[:1]


async def test_an_answer_that_names_almost_nothing_deletes_nothing(fake: FakeReddit) -> None:
    """A fault at the other end must not empty the store: what is missing then is left as it was."""
    names = [fake.add_post(SUBREDDIT, NOW - 60) for _ in range(4)]
    async with _source(fake) as source:
        stored = [item for page in await _pages(source) for item in page.items]
        for name in names[:3]:
            fake.delete(name)
        again = (await source.look_again(stored)).items
    assert [(item.name, item.is_deleted) for item in again] == [(names[3], False)]


async def test_a_second_look_that_is_refused_deletes_nothing(fake: FakeReddit) -> None:
    """403 is no deletion."""
    fake.add_post(SUBREDDIT, NOW - 60)
    async with _source(fake) as source:
        stored = [item for page in await _pages(source) for item in page.items]
        fake.failures["info"] = fake.answer(403)
        with pytest.raises(SourceUnavailable):
            await source.look_again(stored)


def _assert_no_secret(failure: SourceUnavailable) -> None:
    """Neither the sentence nor the traceback with all its causes names a credential or a token."""
    whole = "".join(traceback.format_exception(failure)) + repr(failure)
    for secret in (CLIENT_ID, CLIENT_SECRET, "fake-token", "bearer"):
        assert secret not in whole
