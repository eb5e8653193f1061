"""Requests in figures: counted by method, route and status, and timed by route, as Prometheus reads it."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from fakes.passage import behind_passage
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from api.endpoint import Endpoint
from api.request_metrics import RequestMetrics
from ipc.life import Pulse


async def handler(request: web.Request) -> web.Response:
    """Answer after a while, if that is asked for."""
    if "slow" in request.query:
        await asyncio.sleep(0.06)
    return web.Response(status=int(request.query.get("status", "200")))


async def figures(*paths: str) -> dict[tuple[str, ...], float]:
    """Return what is told after these were asked for, by name and labels (sorted by their names)."""
    pulse = Pulse("api")
    requests = RequestMetrics(pulse)
    endpoints = [Endpoint(path="/posts/{id}", handler=handler, summary="-")]
    application = behind_passage(endpoints, requests=requests, pulse=pulse)
    async with TestClient(TestServer(application)) as client:
        for path in paths:
            await (await client.get(path)).read()
    assert pulse.progress == len(paths)
    registry = CollectorRegistry()
    registry.register(requests)
    told = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (
            sample.name.removeprefix("sentimentagent_http_"),
            *(value for _, value in sorted(sample.labels.items())),
        ): sample.value
        for family in told
        for sample in family.samples
    }


async def test_requests_are_counted_by_route_and_never_by_path() -> None:
    """Whatever the path, there is one line a template and status."""
    told = await figures("/posts/a", "/posts/b", "/posts/c?status=404")
    assert told["requests_total", "GET", "/posts/{id}", "200"] == 2
    assert told["requests_total", "GET", "/posts/{id}", "404"] == 1
    assert not [each for each in told if "/posts/a" in each]


async def test_times_are_a_histogram() -> None:
    """Each bucket holds those below it; the last all of them; the sum is what they took together."""
    told = await figures("/posts/a", "/posts/a?slow")
    buckets = [value for (name, *_), value in told.items() if name == "request_seconds_bucket"]
    assert len(buckets) == 14
    assert buckets == sorted(buckets)
    assert told["request_seconds_bucket", "0.05", "/posts/{id}"] == 1
    assert told["request_seconds_bucket", "+Inf", "/posts/{id}"] == told["request_seconds_count", "/posts/{id}"] == 2
    assert 0.06 <= told["request_seconds_sum", "/posts/{id}"] < 5


async def test_a_route_that_nobody_asked_for_has_no_line() -> None:
    """What is not known has none."""
    assert await figures() == {}
