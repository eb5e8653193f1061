"""The routes that describe all routes: the document for programs."""

from __future__ import annotations

from importlib.metadata import metadata
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from api.endpoint import JSON, Endpoint
from api.openapi import describe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from api.version import Version


class ReferenceRoutes:
    """GET /openapi.json. Both are made once: what is served does not change while a process runs."""

    def __init__(self, others: Iterable[Endpoint], version: Version) -> None:
        document = describe([*others, *self.endpoints()], version, metadata("sentimentagent")["Summary"])
        self._document = msgspec.json.encode(document)

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        return [
            Endpoint(
                path="/api/v1/openapi.json",
                handler=self._openapi,
                summary="This description, in OpenAPI 3.1.",
                answer=dict[str, Any],
            ),
        ]

    async def _openapi(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._document, content_type=JSON)
