"""The routes that describe all routes: the document for programs, and the same as a page for people.

Both are made once: what is served does not change while a process runs.
"""

from __future__ import annotations

import ipaddress
from importlib.metadata import metadata
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiohttp import web

from api import reference_page
from api.endpoint import JSON, Endpoint
from api.html import fill, joined
from api.openapi import describe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from api.html import Html
    from api.static_files import StaticFiles
    from api.version import Version
    from ipc.settings import ApiSettings

_STYLES: Final = ("base.css", "reference.css")
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}


class ReferenceRoutes:
    """GET /openapi.json and /docs."""

    def __init__(self, others: Iterable[Endpoint], version: Version, files: StaticFiles, settings: ApiSettings) -> None:
        document = describe([*others, *self.endpoints()], version, metadata("sentimentagent")["Summary"])
        self._document = msgspec.json.encode(document)
        self._page = reference_page.page(document, _address(settings), _loads(files))

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        return [
            Endpoint(
                path="/api/v1/openapi.json",
                handler=self._openapi,
                summary="This description, in OpenAPI 3.1.",
                answer=dict[str, Any],
            ),
            Endpoint(path="/docs", handler=self._docs, summary="This description, as a page.", media_type="text/html"),
        ]

    async def _openapi(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._document, content_type=JSON)

    async def _docs(self, _request: web.Request) -> web.Response:
        return web.Response(text=self._page, content_type="text/html", headers=_HEADERS)


def _address(settings: ApiSettings) -> str:
    """Return where a client on this machine finds the API."""
    host = settings.api_host
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return f"http://{host}:{settings.api_port}"
    if found.is_unspecified:  # served at every address: this machine's own is one of them
        host = "127.0.0.1"
    return f"http://[{host}]:{settings.api_port}" if ":" in host else f"http://{host}:{settings.api_port}"


def _loads(files: StaticFiles) -> Html:
    styles = (fill('<link rel="stylesheet" href="{at}">', at=files.address(name)) for name in _STYLES)
    icon = fill('<link rel="icon" href="{at}" type="image/svg+xml">', at=files.address("icon.svg"))
    return joined((*styles, icon))
