"""The API is what its description says, whatever is sent: Schemathesis makes the requests, out of the description.

Each run makes the same requests, and few of them. Streams of events do not end, so they are left out.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from fakes.running_api import RunningApi, running_api
from fakes.stored import cycle, item, scored

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from agent.records import Sentiment

#: What is away here (the database, the collector) is told by 503; 500 and 502 are never right.
CONFIG = """
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 503]
"""
#: No schema can say that a start must be before an end, or what is a place in a list: both are refused by 422.
MEANINGFUL = {"start", "cursor"}
OF_MEANING = """
[[operations]]
include-path = "{path}"
checks.positive_data_acceptance.expected-statuses = ["2xx", 304, 422, 503]
"""
ARGUMENTS = (
    *("--checks", "all", "--phases", "examples,coverage,fuzzing", "--max-examples", "3", "--continue-on-failure"),
    *("--generation-deterministic", "--no-shrink", "--no-color", "--warnings", "off"),
)


async def fill(api: RunningApi, store: str) -> None:
    """Make the store that is asked for: with data, without any, or none at all."""
    if store == "away":
        return
    now = int(time.time())
    verdicts: tuple[Sentiment, ...] = ("positive", "neutral", "negative")
    posts = [scored(item(f"t3_{n}", created_utc=now - 600 * n), verdicts[n % 3]) for n in range(60)]
    comments = [scored(item(f"t1_{n}", created_utc=now - 700 * n, subreddit="aws")) for n in range(20)]
    filling = (*posts, *comments) if store == "filled" else ()
    await api.store(*filling, cycles=(cycle(finished_utc=now - 60, failed=True),))


@pytest.fixture
async def api(short_path: Path) -> AsyncIterator[RunningApi]:
    """Return an API over a store with data."""
    async with running_api(short_path) as running:
        await fill(running, "filled")
        yield running


def config(document: dict[str, Any]) -> str:
    """Return Schemathesis' settings for this description."""
    told = ""
    for path, methods in document["paths"].items():
        if any(MEANINGFUL & {each["name"] for each in operation["parameters"]} for operation in methods.values()):
            told += OF_MEANING.format(path=path)
    return CONFIG + told


@pytest.mark.parametrize("store", ["filled", "empty", "away"])
async def test_nothing_that_can_be_sent_surprises(short_path: Path, tmp_path: Path, store: str) -> None:
    """No fault of ours, no status, type, header or shape that is not described, nothing accepted that is wrong."""
    async with running_api(short_path) as api:
        await fill(api, store)
        document = await api.get("/openapi.json")
        (tmp_path / "schemathesis.toml").write_text(config(document))
        endless = [
            path
            for path, methods in document["paths"].items()
            if "text/event-stream" in methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        ]
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{api.address}/api/v1/openapi.json", *ARGUMENTS),
            *(argument for path in endless for argument in ("--exclude-path", path)),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        told, _ = await child.communicate()
        assert child.returncode == 0, told.decode()
        # All but the streams and the description itself, which it has read already.
        assert f"Tested: {len(document['paths']) - len(endless) - 1}" in told.decode(), told.decode()


async def answered(api: RunningApi, request: bytes) -> tuple[int, bytes, bytes]:
    """Return the status, the headers and the body of the answer to these very bytes."""
    reader, writer = await asyncio.open_connection(*api.service.addresses[0])
    writer.write(request)
    async with asyncio.timeout(5):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), head, body


@pytest.mark.parametrize(
    ("target", "statuses"),
    [
        (b"/api/v1/posts?subreddit=%", {200}),
        (b"/api/v1/posts?subreddit=%zz&sentiment=%00", {422}),
        (b"/api/v1/posts?subreddit=%FF%FE", {200}),
        (b"/api/v1/posts?subreddit=\xff\xfe", {400}),
        (b"/api/v1/posts?subreddit=%ED%A0%80%00%0D%0A", {200}),
        (b"/api/v1/posts?hours=1e400", {422}),
        (b"/api/v1/posts?hours=" + b"9" * 4000, {422}),
        (b"/api/v1/posts?hours=NaN", {422}),
        (b"/api/v1/posts?limit=1&%ED%A0%80=%FF", {200}),
        (b"/api/v1/posts?cursor=WyJuZXdlc3QiLDFlMzA4LDEsIngiXQ", {200}),
        (b"/api/v1/posts?start=%D9%A2025-01-01", {422}),
        (b"/api/v1/posts?" + b"&a=1" * 2000, {200}),
        (b"/api/v1/posts?a=" + b"a" * 9000, {400}),
        (b"/api/v1/posts/%FF%00%0d%0aX-Evil:%201", {404}),
        (b"/api/v1/posts/..%2f..%2fetc%2fpasswd", {404}),
        (b"//api/v1/../v1/posts", {404}),
        (b"*", {400}),
    ],
)
async def test_bytes_that_no_client_library_sends_are_answered(
    api: RunningApi, target: bytes, statuses: set[int]
) -> None:
    """Bad percent-encoding, NUL, half a surrogate, huge numbers: each is answered with what it deserves."""
    status, head, _ = await answered(
        api, b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    assert status in statuses
    assert b"X-Evil" not in head
    assert (await api.get("/posts?limit=1"))["posts"]


@pytest.mark.parametrize("method", [b"PUT", b"PATCH", b"DELETE", b"TRACE", b"OPTIONS", b"QUERY", b"PROPFIND"])
async def test_other_methods_are_told_which_ones_there_are(api: RunningApi, method: bytes) -> None:
    """405 with Allow, in JSON."""
    request = method + b" /api/v1/posts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    status, head, body = await answered(api, request)
    assert status == 405
    assert b"\r\nAllow: GET,HEAD\r\n" in head
    assert b'"error":"method_not_allowed"' in body
