"""Request units as the service charges them: how many, how fast, and how often it said to come again later."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: The rate is that of so long. Chosen: long enough to be calm, short enough to be about now.
WINDOW_S: Final = 60.0


class Meter:
    """Counts what every answer says of its cost, answers that say no included: those are charged too."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._began_s = clock_s()
        self._seconds: deque[tuple[int, float]] = deque()
        self._request_units = 0.0
        self._throttled = 0

    def note(self, status: int, request_units: float) -> None:
        """Count one answer."""
        second = int(self._clock_s())
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append((second, 0.0))
        self._seconds.append((second, self._seconds.pop()[1] + request_units))
        self._forget()
        self._request_units += request_units
        self._throttled += status == 429  # noqa: PLR2004 - Too Many Requests

    def gauges(self) -> dict[str, float]:
        """Return the figures for metrics."""
        self._forget()
        # A client that is younger than the window has its rate from its own age.
        over_s = min(WINDOW_S, max(1.0, self._clock_s() - self._began_s))
        recent = sum(request_units for _, request_units in self._seconds)
        return {
            "store_request_units": round(self._request_units, 2),
            "store_request_units_per_s": round(recent / over_s, 3),
            "store_throttled": float(self._throttled),
        }

    def _forget(self) -> None:
        oldest = self._clock_s() - WINDOW_S
        while self._seconds and self._seconds[0][0] < oldest:
            self._seconds.popleft()
