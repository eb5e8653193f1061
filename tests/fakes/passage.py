"""An application of a test's own endpoints, behind what every request of the API passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aiohttp import web

from api.endpoint import routes
from api.guard import bound
from api.known_answers import KnownAnswers
from api.passage import Passage
from api.request_metrics import RequestMetrics
from ipc.life import Pulse
from ipc.settings import ApiSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.store.protocol import Reading
    from api.endpoint import Endpoint


class _NoStore:
    """A store that can't say its state: nothing is told twice."""

    async def state(self) -> None:
        """Say nothing."""


def behind_passage(
    endpoints: Sequence[Endpoint],
    settings: ApiSettings | None = None,
    *,
    known: KnownAnswers | None = None,
    requests: RequestMetrics | None = None,
    pulse: Pulse | None = None,
) -> web.Application:
    """Return the application."""
    settings, pulse = settings or ApiSettings(), pulse or Pulse("api")
    known = known or KnownAnswers(cast("Reading", _NoStore()))
    passage = Passage(settings, endpoints, known, requests or RequestMetrics(pulse), pulse.intake)
    application = web.Application(middlewares=(passage.middleware(), bound(settings, endpoints)))
    application.add_routes(routes(endpoints))
    application.on_cleanup.append(known.close)
    return application
