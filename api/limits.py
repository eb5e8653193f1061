"""How many requests a client may make: a token bucket each, in a table that is bounded. Pure: the clock is an argument.

A bucket is kept as the moment at which it will be full again, because its level follows from that.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from functools import lru_cache
from typing import Final

#: Clients that are remembered. One that is forgotten begins with a full bucket. Some 2 MB. Chosen, not measured.
MAX_CLIENTS: Final = 10_000
#: Who has one address of IPv6 has this whole network of them (RFC 6177).
_IPV6_PREFIX: Final = 64
#: A hundred sums of floats as large as a clock's are wrong by less than this part of a request.
_ROUNDING: Final = 1e-6


class Buckets:
    """A bucket for each client: ``burst`` requests at once, ``rate_per_second`` in the long run; 0 for no limit."""

    def __init__(self, rate_per_second: float, burst: int) -> None:
        self._interval_s = 1 / rate_per_second if rate_per_second else 0.0
        self._burst = burst
        self._full_at_s: OrderedDict[str, float] = OrderedDict()

    def take(self, client: str, now_s: float) -> float:
        """Take one request out of the client's bucket; return 0, or how many seconds to wait when it is empty."""
        if not self._interval_s:
            return 0.0
        full_at_s = max(now_s, self._full_at_s.get(client, 0.0))
        level = self._burst - (full_at_s - now_s) / self._interval_s
        if level < 1 - _ROUNDING:
            return (1 - level) * self._interval_s
        self._full_at_s[client] = full_at_s + self._interval_s
        self._full_at_s.move_to_end(client)
        if len(self._full_at_s) > MAX_CLIENTS:
            self._full_at_s.popitem(last=False)
        return 0.0

    def __len__(self) -> int:
        return len(self._full_at_s)


@lru_cache(maxsize=1024)
def network(address: str) -> str:
    """Return what one client has of addresses: itself with IPv4, the whole /64 with IPv6."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return address
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found), _IPV6_PREFIX), strict=False))
