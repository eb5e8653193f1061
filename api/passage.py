"""What every request passes on its way to its handler, and every answer on its way out.

    in:   preflight, intake, who asks and whether he may, known answers; then the handler, which has a bound of time
    out:  errors as JSON, headers, CORS, figures

Here is the order and nothing else: each rule is a module's own. They are asked by one function, because seven
empty middlewares are a tenth of what an answer that is known costs (measured).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from aiohttp import web

from api import headers
from api.drain import see_that_it_is_open
from api.errors import answer_to
from api.guard import Guard
from api.origins import Origins

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp.typedefs import Handler, Middleware

    from api.endpoint import Endpoint
    from api.known_answers import KnownAnswers
    from api.request_metrics import RequestMetrics
    from ipc.intake import Intake
    from ipc.settings import ApiSettings


class Passage:
    """The way of every request."""

    def __init__(
        self,
        settings: ApiSettings,
        endpoints: Iterable[Endpoint],
        known: KnownAnswers,
        requests: RequestMetrics,
        intake: Intake,
    ) -> None:
        self._by_handler = {endpoint.handler: endpoint for endpoint in endpoints}
        self._origins = Origins(settings.api_cors_origins)
        self._guard = Guard(settings)
        self._known = known
        self._requests = requests
        self._intake = intake

    def middleware(self) -> Middleware:
        """Return the way as a middleware, the outermost."""

        @web.middleware
        async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
            began_s = time.perf_counter()
            endpoint = self._by_handler.get(request.match_info.handler)
            response = self._origins.preflight(request) or await self._answer(request, endpoint, handler)
            headers.complete(response.headers)
            self._origins.mark(request, response.headers)
            self._requests.note(request.method, endpoint, response.status, time.perf_counter() - began_s)
            return response

        return middleware

    async def _answer(self, request: web.Request, endpoint: Endpoint | None, handler: Handler) -> web.StreamResponse:
        try:
            see_that_it_is_open(self._intake, request)
            with self._intake.item():
                self._guard.admit(request, endpoint)
                return await self._known.answer(request, endpoint, handler)
        except Exception as error:  # noqa: BLE001 - one bad request must not cost the others anything
            return answer_to(request, error)
