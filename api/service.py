"""The API as a service for :mod:`ipc.life`: what is opened, in which order, and closed again."""

from __future__ import annotations

import asyncio
import errno
import logging
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final, Self, cast

from aiohttp import web

from agent.store.choose import open_reader
from api import version
from api.application import OBSERVER, build
from api.connections import listen
from api.data_watch import DataWatch
from api.vitals import Vitals
from ipc import logs
from ipc.errors import SettingsError

if TYPE_CHECKING:
    from types import TracebackType

    from api.observer import Observer
    from ipc.life import Pulse
    from ipc.settings import Settings

_log = logs.log(__name__)

#: The part of the grace that requests in hand may use; the rest is for closing. Chosen, not measured.
_SHARE_OF_GRACE: Final = 0.5
#: An idle connection is kept this long. Chosen, not measured: above a page's refresh and a scrape's usual interval.
_KEEP_ALIVE_S: Final = 75.0

# aiohttp logs a traceback for each request that is no HTTP, which a port scan makes by the hundred. Errors of our own
# handlers never come this far: the middleware has logged them.
_protocol_log = logging.getLogger("api.protocol")
_protocol_log.setLevel(logging.CRITICAL)

_IN_WORDS: Final = {
    errno.EADDRINUSE: "is taken by another process: stop that one, or choose another API_PORT",
    errno.EADDRNOTAVAIL: "is no address of this machine: choose another API_HOST",
    errno.EACCES: "may not be used by this user: choose an API_PORT above 1023",
}


class ApiService:
    """Serves HTTP until it is told to stop. Needs no other process: without them it tells what is in the store."""

    def __init__(self, settings: Settings, pulse: Pulse) -> None:
        self._settings = settings
        self._pulse = pulse
        self._store = open_reader(settings)
        self._vitals = Vitals(settings.folders.socket("watchdog"), settings.life.beat_interval_s)
        self._open = AsyncExitStack()
        #: Who looks for all that listen to events; there once the service is open.
        self.observer: Observer
        #: Where it is served: host and port as the system gave them.
        self.addresses: list[tuple[str, int]] = []

    async def __aenter__(self) -> Self:
        """Open the store, then the port.

        Raises:
            SettingsError: the port can't be had.

        """
        async with AsyncExitStack() as opening:
            await opening.enter_async_context(self._store)
            found = await asyncio.to_thread(version.find)
            application = build(self._settings, self._store, self._vitals, self._pulse, found)
            grace_s = self._settings.life.shutdown_grace_s * _SHARE_OF_GRACE
            runner = web.AppRunner(application, shutdown_timeout=grace_s)
            await runner.setup()
            opening.push_async_callback(runner.cleanup)
            listener = await self._listen(cast("web.Server", runner.server))  # setup has made it
            opening.callback(listener.close)
            self.observer = application[OBSERVER]
            self._open = opening.pop_all()
        return self

    async def _listen(self, server: web.Server) -> asyncio.Server:
        host, port = self._settings.api.api_host, self._settings.api.api_port
        try:
            listener = await listen(
                server, self._settings.api, access_log=None, logger=_protocol_log, keepalive_timeout=_KEEP_ALIVE_S
            )
        except OSError as error:
            # A name that does not resolve is an OSError too, with a code of getaddrinfo's own.
            reason = _IN_WORDS.get(error.errno or 0, f"can't be used: {error.strerror or error}")
            raise SettingsError(f"the address {host}:{port} (API_HOST, API_PORT) {reason}") from error
        self.addresses = [each.getsockname()[:2] for each in listener.sockets]
        self._pulse.waiting_for = "requests"
        _log.info("Serving", addresses=", ".join(f"http://{at}:{on}" for at, on in self.addresses))
        return listener

    async def work(self, stop: asyncio.Event) -> None:
        """Serve until ``stop``; requests in hand are finished when the port is closed."""
        async with asyncio.TaskGroup() as tasks:
            watching = [
                tasks.create_task(self._vitals.watch(), name="vitals"),
                tasks.create_task(DataWatch(self._settings, self._store, self._pulse).run(), name="data"),
                tasks.create_task(self.observer.run(), name="observer"),
            ]
            await stop.wait()
            for task in watching:
                task.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Close the port, let requests in hand end, close the store."""
        await self._open.__aexit__(kind, error, trace)
