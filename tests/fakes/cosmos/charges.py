"""What an operation costs in request units, and the account that is kept of it: an approximation.

The rule, and where each figure is from:

- A point read and a write cost what the service's documentation ("Understand request unit consumption", its table
  by document size) says for session consistency: 1.00 and 4.95 at 1 KB, 1.33 and 7.04 at 8 KB, 9.95 and 48.19 at
  128 KB, straight lines between its rows, and no less than its first.
- Each value that the indexing policy has indexed adds :data:`TERM_RU` to a write. Documented is only that it
  grows with them. Chosen, not measured.
- Writing over a document (replace, patch, an upsert that finds one) costs twice a new one, because the old
  index entries go: the former capacity planner's 10 to 5. A delete costs a write of the document.
- A query costs :data:`QUERY_RU` in each physical partition that it asks (a query that finds nothing is seen at
  2.3 to 2.9), and for every document that it loads :data:`LOADED_RU` and :data:`LOADED_KB_RU` a KB. The
  documentation's example of a scan, 60,951 documents of 400 MB together, cost 4,060; this rule says 1.7 times
  that, which is the side to err on.

An aggregate loads what it adds up here; in the service an index may spare it that, and most of its cost. The rule
ignores what a real account adds or saves: the plan's compilation, index look-ups, regions, consistency levels.
"""

from __future__ import annotations

import bisect
import time
from collections import Counter
from math import ceil
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

KB: Final = 1024
TERM_RU: Final = 0.1
QUERY_RU: Final = 2.3
LOADED_RU: Final = 0.05
LOADED_KB_RU: Final = 0.01
_SIZES_KB: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
_READ_RU: Final = (1.0, 1.04, 1.14, 1.33, 1.67, 2.19, 4.76, 9.95, 20.28, 40.95, 145.9, 291.8)
_WRITE_RU: Final = (4.95, 6.29, 6.67, 7.04, 9.52, 11.23, 22.67, 48.19, 98.29, 184.57, 625.0, 1250.0)


def read(size_bytes: int) -> float:
    """Return what a point read of a document costs."""
    return _between(_READ_RU, size_bytes)


def write(size_bytes: int, terms: int) -> float:
    """Return what it costs to write a document that was not there, or to take one away."""
    return _between(_WRITE_RU, size_bytes) + terms * TERM_RU


def query(loaded: int, loaded_bytes: int) -> float:
    """Return what one page of a query costs in one physical partition."""
    return QUERY_RU + loaded * LOADED_RU + loaded_bytes / KB * LOADED_KB_RU


def _between(charges: tuple[float, ...], size_bytes: int) -> float:
    size_kb = min(max(size_bytes / KB, _SIZES_KB[0]), _SIZES_KB[-1])
    at = min(bisect.bisect_right(_SIZES_KB, size_kb), len(_SIZES_KB) - 1)
    below, above = _SIZES_KB[at - 1], _SIZES_KB[at]
    return round(charges[at - 1] + (charges[at] - charges[at - 1]) * (size_kb - below) / (above - below), 2)


class Meter:
    """What was asked and what it cost, by kind of operation."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.statuses: Counter[tuple[str, int]] = Counter()
        #: Queries that no index served: they read every document of their partitions.
        self.scans = 0
        self.charges_ru: dict[str, float] = {}

    @property
    def total_ru(self) -> float:
        """All request units so far."""
        return sum(self.charges_ru.values())

    def count(self, kind: str, status: int, charge_ru: float) -> None:
        """Add one answer."""
        self.requests[kind] += 1
        self.statuses[kind, status] += 1
        self.charges_ru[kind] = self.charges_ru.get(kind, 0.0) + charge_ru

    def reset(self) -> None:
        """Begin at nothing."""
        self.requests.clear()
        self.statuses.clear()
        self.charges_ru.clear()
        self.scans = 0


class Budget:
    """The request units a second that are paid for: one bucket for the account, a second deep.

    As in the service, a request is let in while anything is left, whatever it will cost; what it overdraws the next
    ones wait for.
    """

    def __init__(self, ru_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.ru_s = ru_s
        self._monotonic = monotonic
        self._left = ru_s
        self._at = monotonic()

    def wait_ms(self) -> int:
        """Return how long a request has to wait: 0 lets it in."""
        now = self._monotonic()
        self._left = min(self.ru_s, self._left + (now - self._at) * self.ru_s)
        self._at = now
        return 0 if self._left > 0 else ceil(-self._left / self.ru_s * 1000) + 1

    def spend(self, charge_ru: float) -> None:
        """Take what a request has cost."""
        self._left -= charge_ru
