"""The headers that every answer carries, whatever it is and whoever asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import hdrs

if TYPE_CHECKING:
    from multidict import CIMultiDict

#: JSON is no page: nothing in it is ever loaded or run. The page brings a policy of its own.
_OF_ALL: Final = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # No other site's page may embed an answer; one that may read it asks by CORS, for which this does not count.
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    # Instead of the versions of Python and aiohttp.
    "Server": "SentimentAgent",
}

#: Of pages alone: no window of another site holds on to one, and none asks for a device or for where the reader is.
_OF_PAGES: Final = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def complete(headers: CIMultiDict[str]) -> None:
    """Add what is missing. What is complete already, because it was told before, is known by its Server."""
    if hdrs.SERVER in headers:
        return
    for name, value in _OF_ALL.items():
        headers.setdefault(name, value)
    if headers.get(hdrs.CONTENT_TYPE, "").startswith("text/html"):
        headers.update(_OF_PAGES)
