"""Requests in figures: how many there were, and how long they took, by route.

Counted in plain numbers by the event loop alone and made into Prometheus' families when somebody asks: the library's
own counters, with their locks and labels, took a tenth of the time of a short request (measured).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from ipc import logs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from api.endpoint import Endpoint
    from ipc.life import Pulse

_log = logs.log(__name__)

#: A request that takes longer has a line in the log. Chosen: ten times what the slowest should take.
SLOW_REQUEST_S: Final = 1.0

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_BOUNDS: Final = (*(str(bound_s) for bound_s in _BUCKETS_S), "+Inf")


class _Times:
    """How long the requests of one route took."""

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        #: By bucket, each without those below it.
        self.counts = [0] * len(_BOUNDS)
        self.sum_s = 0.0


class RequestMetrics(Collector):
    """Counts and times requests, and says so."""

    def __init__(self, pulse: Pulse) -> None:
        self._pulse = pulse
        #: By method, route and status.
        self._requests: defaultdict[tuple[str, str, int], int] = defaultdict(int)
        self._times: defaultdict[str, _Times] = defaultdict(_Times)

    def note(self, method: str, endpoint: Endpoint | None, status: int, duration_s: float) -> None:
        """Count a request that was answered.

        Its route is the endpoint's template: a path could be anything, and each would be a series of its own.
        """
        route = "unmatched" if endpoint is None else endpoint.path
        self._requests[method if method in _METHODS else "other", route, status] += 1
        times = self._times[route]
        times.counts[bisect_left(_BUCKETS_S, duration_s)] += 1
        times.sum_s += duration_s
        self._pulse.progress += 1
        if duration_s > SLOW_REQUEST_S:
            _log.warning("Request slow", method=method, route=route, status=status, duration_s=round(duration_s, 3))

    def collect(self) -> Iterable[Metric]:
        """Yield what was counted."""
        requests = CounterMetricFamily(
            "sentimentagent_http_requests", "Requests answered.", labels=("method", "route", "status")
        )
        for (method, route, status), count in self._requests.items():
            requests.add_metric((method, route, str(status)), count)
        yield requests
        seconds = HistogramMetricFamily("sentimentagent_http_request_seconds", "Time to the answer.", labels=("route",))
        for route, times in self._times.items():
            buckets = list(zip(_BOUNDS, accumulate(times.counts), strict=True))
            seconds.add_metric((route,), buckets, times.sum_s)
        yield seconds
