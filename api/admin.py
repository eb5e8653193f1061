"""The route that acts: begin a collection cycle now."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from api.answers import Triggered, moment, reply
from api.endpoint import Endpoint
from api.errors import Refused
from ipc import logs
from ipc.channel import ask
from ipc.errors import Unavailable
from ipc.messages import AnyMessage, Collect, CycleRunning, CycleStarted

if TYPE_CHECKING:
    from pathlib import Path

    from aiohttp import web

_log = logs.log(__name__)

#: The collector answers at once, whatever the cycle takes. Chosen, not measured.
_ANSWER_S: Final = 5.0


class AdminRoutes:
    """POST /admin/collect."""

    def __init__(self, collector: Path) -> None:
        self._collector = collector

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        return [
            Endpoint(
                path="/api/v1/admin/collect",
                handler=self._collect,
                summary="Begin a collection cycle now.",
                method="POST",
                scope="admin",
                answer=Triggered,
                problems=(401, 502, 503),
            )
        ]

    async def _collect(self, _request: web.Request) -> web.Response:
        """Ask the collector for a cycle and answer as soon as it has one, which may be one that was running."""
        answer = await self._ask()
        started = isinstance(answer, CycleStarted)
        if not isinstance(answer, CycleStarted | CycleRunning):
            raise Refused(HTTPStatus.BAD_GATEWAY, "bad_gateway", "The collector answered with something else.")
        _log.info("Collection asked for", cycle=answer.cycle_id, started=started)
        message = (
            "A collection cycle has begun." if started else "A cycle was already running; it answers for this one."
        )
        return reply(
            Triggered(
                status="triggered",
                message=message,
                timestamp=moment(time.time()),
                cycle_id=answer.cycle_id,
                started=started,
            )
        )

    async def _ask(self) -> AnyMessage:
        try:
            return await ask(self._collector, Collect(), _ANSWER_S)
        except Unavailable as error:
            raise Refused(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "collector_unavailable",
                f"The collector does not answer, so no cycle was begun ({error}).",
            ) from error
