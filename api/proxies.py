"""For whom a proxy asks: told by X-Forwarded-For, and believed only of proxies that API_TRUSTED_PROXIES names.

Used for limits and the log alone. No header of a request makes it one from this machine (:mod:`api.access`).
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

HEADER: Final = "X-Forwarded-For"
#: Some proxies add the port: 192.0.2.7:4711, [2001:db8::1]:4711.
_WITH_PORT: Final = re.compile(r"\[(?P<v6>[0-9A-Fa-f:.]+)\](:\d+)?|(?P<v4>[\d.]+)(:\d+)?", re.ASCII)


class Proxies:
    """The proxies that are believed."""

    def __init__(self, trusted: Iterable[str]) -> None:
        self._networks = [ipaddress.ip_network(each) for each in trusted]

    def client(self, peer: str, forwarded_for: Iterable[str]) -> str:
        """Return the address of the client behind ``peer``; ``forwarded_for`` are the header's lines, in order.

        Each proxy adds on the right what it saw, so the right-most address that is no trusted proxy's is the last one
        that somebody trustworthy saw. What stands left of it is the client's own claim.
        """
        if not self._networks or not self._trusts(_parsed(peer)):
            return peer
        client = peer
        for text in reversed(",".join(forwarded_for).split(",")):
            address = _parsed(text.strip())
            if address is None:
                return client
            client = str(address)
            if not self._trusts(address):
                return client
        return client

    def _trusts(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)


def _parsed(text: str) -> Address | None:
    found = _WITH_PORT.fullmatch(text)
    try:
        address = ipaddress.ip_address((found["v6"] or found["v4"]) if found else text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
