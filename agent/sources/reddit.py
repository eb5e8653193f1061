"""The source ``reddit``: new posts and comments of subreddits, by the real asyncpraw. The only module that imports it.

asyncpraw does the signing in, the pacing and the retries; its models are not used, because one odd thing
(``author: null``) makes them lose the whole page. A listing is asked for as JSON and taken item by item.

Requests go one at a time: asyncpraw's pacing counts on it. Every exchange is bounded by REDDIT_TIMEOUT_S.
A listing is read newest first, so only the last page of a stream carries its new cursor: an interrupted
read is repeated, and items are kept once by name.

What goes wrong is a :class:`~ipc.errors.SourceUnavailable` of that subreddit alone, with a cause of the table in
:mod:`agent.sources.reddit_failures`.
"""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, Self

import asyncpraw
import asyncprawcore
import msgspec
from msgspec.structs import replace

from agent.sources import thing
from agent.sources.deadlines import call_timeout_s
from agent.sources.listing import Cursor, Data, Mark, Reading, data_of, items_of
from agent.sources.protocol import Page
from agent.sources.reddit_failures import NO_SUCH_NAME, TOKEN_REFUSED, Failure, of_error, of_status
from ipc import logs
from ipc.errors import SourceUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
    from types import TracebackType

    import aiohttp

    from ipc.messages import Item
    from ipc.settings import CollectorSettings

_log = logs.log(__name__)

#: The most that Reddit gives at once.
PAGE_ITEMS: Final = 100
#: How long to hold requests back after a 429 that does not say. Chosen, not measured.
UNTOLD_WAIT_S: Final = 60.0
#: No told wait is believed beyond this: Reddit's own window is 600 s. Chosen, not measured.
LONGEST_WAIT_S: Final = 3600.0
#: As many sentences of a page about odd items are kept.
REJECTED_KEPT: Final = 5

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{1,30}")


class RedditSource:
    """A :class:`~agent.sources.protocol.Source`; its streams are the configured subreddits.

    ``now`` is the wall clock of items, ``clock_s`` the monotonic one of waits.
    """

    name = "reddit"

    def __init__(
        self,
        settings: CollectorSettings,
        now: Callable[[], float] = time.time,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._now = now
        self._clock_s = clock_s
        self._one_at_a_time = asyncio.Lock()
        self._call_timeout_s = call_timeout_s(settings)
        self._blocked_until_s = 0.0

    async def __aenter__(self) -> Self:
        """Make the client; nothing is asked of Reddit yet."""
        self._client = _client(self._settings)
        requestor = self._client.requestor
        assert isinstance(requestor, _Requestor)  # noqa: S101 - as _client made it
        self._requestor = requestor
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the client's connections."""
        await self._client.close()

    def streams(self) -> Sequence[str]:
        """Return the configured subreddits."""
        return self._settings.subreddits

    async def read(self, stream: str, cursor: str | None) -> AsyncIterator[Page]:
        """Yield new posts, new comments, then an empty page with the cursor that covers both.

        Raises:
            SourceUnavailable: with a cause of the table in :mod:`agent.sources.reddit_failures`.

        """
        before = _decode(cursor)
        horizon_utc = int(self._now() - self._settings.startup_load_hours * 3600)
        marks: list[Mark] = []
        for listing, kind, mark in (
            ("new", "t3", before.posts if before else None),
            ("comments", "t1", before.comments if before else None),
        ):
            reading = Reading(mark, horizon_utc, self._settings.reddit_listing_limit)
            async for page in self._pages(stream, listing, kind, reading):
                yield page
            marks.append(reading.mark(int(self._now())))
        yield Page(items=(), cursor=msgspec.json.encode(Cursor(*marks)).decode())

    async def look_again(self, items: Sequence[Item]) -> Page:
        """Return how stored items are now, asked for by a hundred; what Reddit no longer names is gone.

        An answer that names fewer than half of what it was asked for is not believed, nor is one with a part that can't
        be read: it may be that of an item that is missing. What is missing then comes back as it was, as looked at now:
        left out, it would head the queue for ever.

        Raises:
            SourceUnavailable: with a cause of the table in :mod:`agent.sources.reddit_failures`.

        """
        looked: list[Item] = []
        odd: list[str] = []
        for asked in (items[start : start + PAGE_ITEMS] for start in range(0, len(items), PAGE_ITEMS)):
            data = await self._ask("api/info", {"id": ",".join(item.name for item in asked)})
            now_utc = int(self._now())
            seen, unreadable = items_of(data.children, None, now_utc)
            odd += unreadable
            looked += seen
            named = {item.name for item in seen}
            missing = [item for item in asked if item.name not in named]
            is_enough = 2 * len(data.children) >= len(asked)
            if is_enough and not unreadable:
                looked += [thing.gone(item, now_utc) for item in missing]
            else:
                looked += [replace(item, collected_utc=now_utc) for item in missing]
            if not is_enough:
                _log.warning(
                    "Reddit names few of the items asked for: what is missing is left as it is",
                    asked=len(asked),
                    named=len(data.children),
                )
        return Page(items=tuple(looked), rejected=tuple(odd[:REJECTED_KEPT]), rejected_count=len(odd))

    async def _pages(self, stream: str, listing: str, kind: str, reading: Reading) -> AsyncIterator[Page]:
        after: str | None = None
        while not reading.is_over:
            data = await self._get(stream, listing, after, min(PAGE_ITEMS, reading.room))
            items, odd = items_of(data.children, kind, int(self._now()))
            is_last = not data.children or data.after in {None, after}
            fresh = reading.take(items, len(data.children), is_last=is_last)
            yield Page(items=fresh, gap=reading.has_gap, rejected=tuple(odd[:REJECTED_KEPT]), rejected_count=len(odd))
            after = data.after

    async def _get(self, stream: str, listing: str, after: str | None, limit: int) -> Data:
        if not _NAME.fullmatch(stream):
            raise SourceUnavailable(NO_SUCH_NAME.sentence, NO_SUCH_NAME.cause)
        params: dict[str, str | int] = {"limit": limit} | ({"after": after} if after else {})
        return await self._ask(f"r/{stream}/{listing}", params)

    async def _ask(self, path: str, params: dict[str, str | int]) -> Data:
        async with self._one_at_a_time:
            self._refuse_while_blocked()
            self._requestor.answer = None
            try:
                async with asyncio.timeout(self._call_timeout_s):
                    answer = await self._client.request(method="GET", path=path, params=params)
                return data_of(answer)
            except Exception as error:
                # Not only asyncpraw's own errors: an unexpected answer makes it trip with a KeyError or a TypeError.
                raise self._unavailable(error) from error
            finally:
                self._heed_window()

    def _refuse_while_blocked(self) -> None:
        wait_s = self._blocked_until_s - self._clock_s()
        if wait_s > 0:
            text = f"Reddit limits the rate of requests: none for {wait_s:.0f} s more"
            raise SourceUnavailable(text, "rate_limited", wait_s)

    def _heed_window(self) -> None:
        """Hold back when no request is left: asyncpraw would sleep through the rest of the window, up to 600 s."""
        remaining = _number(self._requestor.header("x-ratelimit-remaining"))
        if remaining is not None and remaining < 1:
            self._block(_number(self._requestor.header("x-ratelimit-reset")))

    def _block(self, wait_s: float | None) -> None:
        until_s = self._clock_s() + (UNTOLD_WAIT_S if wait_s is None else wait_s)
        self._blocked_until_s = max(self._blocked_until_s, until_s)

    def _unavailable(self, error: Exception) -> SourceUnavailable:
        failure = self._failure(error)
        if failure.cause != "rate_limited":
            return SourceUnavailable(failure.sentence, failure.cause)
        wait_s = _number(self._requestor.header("retry-after") or self._requestor.header("x-ratelimit-reset"))
        self._block(wait_s)
        told = "it did not say for how long" if wait_s is None else f"none for {wait_s:.0f} s more"
        return SourceUnavailable(f"{failure.sentence}: {told}", failure.cause, wait_s)

    def _failure(self, error: Exception) -> Failure:
        if isinstance(error, asyncprawcore.OAuthException):
            return TOKEN_REFUSED
        answer = self._requestor.answer
        if answer is not None and answer.status // 100 != 2:  # noqa: PLR2004 - RFC 9110: 2xx is success
            location = answer.headers.get("location", "")
            return of_status(answer.status, location, is_for_token=self._requestor.is_for_token)
        original: Exception = getattr(error, "original_exception", error)
        return of_error(original, was_answered=answer is not None, timeout_s=self._settings.reddit_timeout_s)


class _Requestor(asyncprawcore.Requestor):
    """asyncpraw's own, with our bound on each exchange, and a memory of the last answer's head."""

    answer: aiohttp.ClientResponse | None = None
    is_for_token = False

    @asynccontextmanager
    async def request(self, *args: Any, **options: Any) -> AsyncGenerator[aiohttp.ClientResponse]:  # noqa: ANN401 - asyncprawcore's signature
        self.answer = None
        self.is_for_token = str(args[1]).endswith(asyncprawcore.const.ACCESS_TOKEN_PATH)
        options["timeout"] = self.timeout
        async with asyncio.timeout(self.timeout), super().request(*args, **options) as answer:
            self.answer = answer
            yield answer

    def header(self, name: str) -> str | None:
        return self.answer.headers.get(name) if self.answer else None


def _client(settings: CollectorSettings) -> asyncpraw.Reddit:
    # Everything that a praw.ini or praw_* variable could set is said here: a stray one must not send
    # our credentials elsewhere, or sign in as somebody.
    url = settings.reddit_url.rstrip("/")
    return asyncpraw.Reddit(
        site_name="DEFAULT",
        requestor_class=_Requestor,
        requestor_kwargs={"timeout": settings.reddit_timeout_s},
        client_id=settings.reddit_client_id,
        client_secret=settings.reddit_client_secret.reveal(),
        user_agent=settings.reddit_user_agent or f"linux:sentimentagent:{version('sentimentagent')} (self-hosted)",
        reddit_url=url or thing.WWW,
        oauth_url=url or "https://oauth.reddit.com",
        short_url=url or "https://redd.it",
        username=None,
        password=None,
        refresh_token=None,
        redirect_uri=None,
        check_for_updates=False,
    )


def _decode(cursor: str | None) -> Cursor | None:
    if cursor is None:
        return None
    try:
        return msgspec.json.decode(cursor, type=Cursor)
    except msgspec.DecodeError:
        _log.warning("The cursor can't be read: the subreddit is read from STARTUP_LOAD_HOURS ago", cursor=cursor)
        return None


def _number(text: str | None) -> float | None:
    """Return a header's seconds, None where there are none; a date in place of seconds counts as untold."""
    try:
        return min(max(0.0, float(text or "")), LONGEST_WAIT_S)
    except ValueError:
        return None
