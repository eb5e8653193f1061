"""systemd's notifications: READY, WATCHDOG, STATUS. Nothing at all where nobody listens.

STOPPING is never said: `supervisorctl reload` looks like a shutdown from here, and systemd kills a service that
has said that it stops and then goes on.

supervisord sends none, so its child does; the unit needs ``NotifyAccess=all``. WATCHDOG_PID names
supervisord (its children inherit it) and is ignored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ipc import logs

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import sdnotify

    from watchdog.registry import Registry
    from watchdog.watched import Watched

_log = logs.log(__name__)

#: STATUS is one line of a terminal in ``systemctl status``. Chosen, not measured.
_MAX_STATUS_CHARACTERS: Final = 200


class Notifier:
    """Speaks to the systemd that ``environ`` names; silent without one."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._to_systemd = _connect() if environ.get("NOTIFY_SOCKET") else None
        self._is_ready = False
        self._status = ""
        period = environ.get("WATCHDOG_USEC", "")
        #: How often systemd wants to hear WATCHDOG=1, halved as sd_watchdog_enabled(3) advises; None when it does not.
        self.interval_s = int(period) / 2e6 if self._to_systemd and period.isdecimal() and int(period) else None

    def round_made(self, watched: Collection[Watched], registry: Registry, *, has_looked: bool) -> None:
        """Say what is to be said after a full round; ``has_looked``: supervisord was asked in it, and answered."""
        if self._to_systemd is None:
            return
        unready = [each.name for each in watched if not _is_up(each, registry)]
        if not unready and not self._is_ready:
            self._is_ready = self._tell("READY=1")
        if self.interval_s and has_looked:
            self._tell("WATCHDOG=1")
        self._say(_words(watched, unready))

    def close(self) -> None:
        """Say nothing more."""
        if self._to_systemd is not None:
            self._to_systemd.socket.close()
            self._to_systemd = None

    def _say(self, words: str) -> None:
        if words != self._status and self._tell(f"STATUS={logs.harmless(words, _MAX_STATUS_CHARACTERS)}"):
            self._status = words

    def _tell(self, message: str) -> bool:
        """Send ``message`` and return whether it was taken; what was not is said again in the next round."""
        if self._to_systemd is None:
            return False
        try:
            self._to_systemd.notify(message)
        except (OSError, UnicodeError) as error:
            _log.warning("systemd not notified", message=message, reason=str(error))
            return False
        return True


def _is_up(each: Watched, registry: Registry) -> bool:
    """Return whether nothing is left to wait for: it is ready, or it will not be soon and that is known."""
    heard = registry.last(each.name)
    if heard and heard.beat.state in {"ready", "paused"}:
        return True
    # One that is stopped or quarantined must not keep the others, which work, from being called a service.
    return each.supervisor_state == "ABSENT" or each.verdict.name in {"stopped", "quarantined", "probing"}


def _words(watched: Collection[Watched], unready: list[str]) -> str:
    troubled = [_trouble(each) for each in watched if each.verdict.name not in {"ok", "not judged"}]
    parts = [f"not ready: {', '.join(unready)}"] if unready else []
    return "; ".join(parts + troubled) or "all ready"


def _trouble(each: Watched) -> str:
    """Name it; with why, where that stands for as long as the trouble does: the words are sent when they change."""
    quarantine = each.record.quarantine
    return f"{each.name} {each.verdict.name}{f': {quarantine.reason}' if quarantine else ''}"


def _connect() -> sdnotify.SystemdNotifier | None:
    import sdnotify  # noqa: PLC0415 - only under systemd

    try:
        # Without debug it swallows its errors, and a service that is never ready is hard to understand then.
        notifier = sdnotify.SystemdNotifier(debug=True)
    except OSError as error:
        _log.warning("systemd can't be notified", reason=str(error))
        return None
    # A systemd that takes nothing must not stop the rounds.
    notifier.socket.setblocking(False)
    return notifier
