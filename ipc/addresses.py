"""IP addresses as text: what counts as this machine. No name is ever resolved here."""

from __future__ import annotations

import ipaddress
from functools import lru_cache


@lru_cache(maxsize=1024)
def is_loopback(address: str) -> bool:
    """Tell whether this is a loopback address, also one that IPv6 wraps; a name is none."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback


def is_loopback_host(host: str) -> bool:
    """Tell whether only this machine can mean itself by ``host``: a loopback address, or localhost."""
    return host.lower() == "localhost" or is_loopback(host)
