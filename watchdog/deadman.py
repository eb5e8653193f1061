"""A sign of life to somebody outside: ALERT_DEADMAN_URL is fetched every minute while all is watched.

A machine that is dead, off the net or out of memory can't send a mail; whoever waits for these calls can. They stay
away too when the watchdog turns but does not get its rounds done: only a good round is worth one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from ipc import logs
from ipc.errors import Unavailable
from watchdog.aside import Aside

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipc.settings import Secret

_log = logs.log(__name__)

EVERY_S: Final = 60.0
#: While the first round, or a good one, is still to come.
_AGAIN_S: Final = 2.0
#: Chosen, not measured. The second ends what the first does not, such as a silent name server.
_SOCKET_S: Final = 8.0
_LIMIT_S: Final = 10.0


class Deadman:
    """Calls ``url`` while ``is_well`` says so."""

    def __init__(self, url: Secret, is_well: Callable[[], bool], every_s: float = EVERY_S) -> None:
        self._url = url
        self._is_well = is_well
        self._every_s = every_s
        self._aside = Aside(_LIMIT_S)
        self._trouble: str | None = None

    async def run(self) -> None:
        """Call for ever; a change between reached and not reached is logged once."""
        while self._url:
            is_well = self._is_well()
            if is_well:
                await self._call()
            await asyncio.sleep(self._every_s if is_well else min(self._every_s, _AGAIN_S))

    async def call(self) -> None:
        """Call once.

        Raises:
            Unavailable: it was not answered with a 2xx; the text says why, without the URL.

        """
        if refusal := await self._aside.call(lambda: _get(self._url.reveal())):
            raise Unavailable(refusal)

    async def _call(self) -> None:
        before = self._trouble
        try:
            await self.call()
        except Unavailable as error:
            self._trouble = str(error)
            if before is None:
                _log.warning("ALERT_DEADMAN_URL is not reached", reason=self._trouble)
        else:
            self._trouble = None
            if before is not None:
                _log.info("ALERT_DEADMAN_URL is reached again")


def _get(url: str) -> str | None:
    """Return why ``url`` did not answer with a 2xx; None when it did."""
    import http.client  # noqa: PLC0415 - most have no such URL
    import urllib.error  # noqa: PLC0415 - the same
    import urllib.request  # noqa: PLC0415 - the same

    try:
        with urllib.request.urlopen(url, timeout=_SOCKET_S) as answer:  # noqa: S310 - the settings admit http(s) only
            answer.read(1024)
    except urllib.error.HTTPError as error:
        error.close()
        return f"it answered {error.code}"
    except urllib.error.URLError as error:
        return f"it can't be reached: {error.reason}"
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"no HTTP answer: {type(error).__name__}"
    return None
