"""The real asyncpraw against a local stand-in for Reddit: what each failure becomes."""

from __future__ import annotations

import asyncio
import socket
import traceback
from typing import TYPE_CHECKING, Final

import pytest
from fakes.reddit_source import (
    NOW,
    SUBREDDIT,
    assert_no_secret,
    failure_of,
    names_in,
    pages_of,
    settings_for,
    source_at,
)

from agent.sources.reddit import UNTOLD_WAIT_S, RedditSource
from ipc.errors import SourceUnavailable

if TYPE_CHECKING:
    from fakes.fake_reddit import FakeReddit

# asyncprawcore signs in with a class and a parameter that aiohttp 3.14 calls deprecated (and 4.0 will not have).
pytestmark = pytest.mark.filterwarnings(r"ignore:(BasicAuth|The 'auth' parameter) is deprecated:DeprecationWarning")

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


@pytest.mark.parametrize("case", FAILURES)
async def test_each_failure_of_a_subreddit_has_a_name(fake: FakeReddit, case: str) -> None:
    """One subreddit fails by a named cause with no secret in its text, and another one is read."""
    status, headers, text, cause, retry_after_s = FAILURES[case]
    fake.failures["cursor"] = fake.answer(status, headers, text)
    other = fake.add_post("programming", NOW - 10)
    async with source_at(fake) as source:
        failure = await failure_of(source)
        if cause != "rate_limited":
            assert names_in(await pages_of(source, stream="programming")) == [other]
    assert (failure.cause, failure.retry_after_s) == (cause, retry_after_s)
    assert_no_secret(failure)


@pytest.mark.parametrize("case", TOKEN_FAILURES)
async def test_each_failure_of_the_sign_in_has_a_name(fake: FakeReddit, case: str) -> None:
    """What is wrong with the token is told of every subreddit that needs it."""
    status, headers, text, cause = TOKEN_FAILURES[case]
    fake.token_failure = fake.answer(status, headers, text)
    async with source_at(fake) as source:
        failures = [await failure_of(source), await failure_of(source, "programming")]
    assert [failure.cause for failure in failures] == [cause, cause]
    assert fake.requests == []
    for failure in failures:
        assert_no_secret(failure)


async def test_failures_that_asyncpraw_retries_are_named_in_the_end(fake: FakeReddit) -> None:
    """Both are tried three times, over 2 to 6 s, hence side by side: 503, and 401 on data with fresh tokens."""
    fake.failures["busy"] = fake.answer(503)
    fake.failures["expired"] = fake.answer(401, {"www-authenticate": 'Bearer error="invalid_token"'})
    fake.failures["unclear"] = fake.answer(401)
    async with source_at(fake) as one, source_at(fake) as two, source_at(fake) as three:
        failures = await asyncio.gather(
            failure_of(one, "busy"), failure_of(two, "expired"), failure_of(three, "unclear")
        )
    assert [failure.cause for failure in failures] == ["server_error", "token_expired", "token_expired"]
    assert len([path for path in fake.requests if path.startswith("/r/busy/")]) == 3


@pytest.mark.parametrize("kind", ["hang", "hang_within"])
async def test_a_hang_ends_after_the_timeout(fake: FakeReddit, kind: str) -> None:
    """No answer, or half of one: REDDIT_TIMEOUT_S ends it, and the next subreddit is read."""
    fake.failures["cursor"] = getattr(fake, kind)
    other = fake.add_post("programming", NOW - 10)
    async with source_at(fake, reddit_timeout_s=0.1) as source:
        async with asyncio.timeout(1):
            failure = await failure_of(source)
        assert names_in(await pages_of(source, stream="programming")) == [other]
    assert failure.cause == "timed_out"


async def test_a_hang_of_the_sign_in_ends_after_the_timeout(fake: FakeReddit) -> None:
    """The token request is bounded like any other."""
    fake.token_failure = fake.hang
    async with source_at(fake, reddit_timeout_s=0.1) as source, asyncio.timeout(1):
        assert (await failure_of(source)).cause == "timed_out"


async def test_a_refused_connection_is_unreachable(fake: FakeReddit) -> None:
    """Nobody listens: no status, no retry, one cause."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        async with source_at(fake, reddit_url=url) as source:
            failure = await failure_of(source)
    assert failure.cause == "unreachable"
    assert_no_secret(failure)


async def test_a_cut_connection_is_unreachable(fake: FakeReddit) -> None:
    """The connection closes without an answer."""
    fake.failures["cursor"] = fake.cut
    async with source_at(fake) as source:
        assert (await failure_of(source)).cause == "unreachable"


async def test_an_impossible_name_is_never_asked_for(fake: FakeReddit) -> None:
    """A name from the settings can't reach into another path."""
    async with source_at(fake) as source:
        for name in ("../api/v1/me", "a b", "", "r/Cursor", "x" * 40):
            assert (await failure_of(source, name)).cause == "no_such_subreddit"
    assert fake.requests == []
    assert fake.token_requests == 0


async def test_credentials_that_cannot_be_sent_are_told_apart(fake: FakeReddit) -> None:
    """A colon in the client id fails within asyncpraw, before any request."""
    async with source_at(fake, reddit_client_id="fake:client") as source:
        failure = await failure_of(source)
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
    async with RedditSource(settings_for(fake), now=lambda: NOW, clock_s=lambda: clock_s) as source:
        await failure_of(source)
        asked = len(fake.requests)
        clock_s += wait_s - 2
        failure = await failure_of(source, "programming")
        assert (failure.cause, failure.retry_after_s) == ("rate_limited", 2.0)
        assert len(fake.requests) == asked
        clock_s += 2
        assert names_in(await pages_of(source, stream="programming")) == [other]


async def test_an_empty_rate_window_is_not_slept_through(fake: FakeReddit) -> None:
    """With no request left, what was answered is kept, and the next request fails at once instead of hanging."""
    fake.rate_headers = {"x-ratelimit-remaining": "0.0", "x-ratelimit-used": "1000", "x-ratelimit-reset": "300"}
    post = fake.add_post(SUBREDDIT, NOW - 10)
    async with source_at(fake) as source, asyncio.timeout(1):
        pages = aiter(source.read(SUBREDDIT, None))
        assert names_in([await anext(pages)]) == [post]
        with pytest.raises(SourceUnavailable) as raised:
            await anext(pages)
    assert raised.value.cause == "rate_limited"
    assert raised.value.retry_after_s == pytest.approx(300, abs=2)
