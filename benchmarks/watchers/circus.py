"""circus with its ResourceWatcher and its WatchDog, both at the pace that is asked for."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from watchers.peers import find, said_version
from watchers.stage import GRACE_S, HUNG_GRACE_S, LIMIT_MB, SILENCE_S, Launch

if TYPE_CHECKING:
    from pathlib import Path

    from watchers.stage import Seat, Stage

#: WatchDog listens to UDP beats; HttpObserver is not used: it needs a tornado older than 6.
_HEAD: Final = """\
[circus]
check_delay = {pace_s}
endpoint = ipc://{folder}/run/endpoint
pubsub_endpoint = ipc://{folder}/run/pubsub
[plugin:silence]
use = circus.plugins.watchdog.WatchDog
watchers_regex = ^({names})$
loop_rate = {pace_s}
max_count = {silent_looks}
ip = 127.0.0.1
port = {beat_port}
watchers_graceful_timeout = {hung_grace_s}
"""
#: max_count 0: the first look over the limit counts. CPU and "health" are off: a start takes all of a core.
_WATCHER: Final = """
[watcher:{name}]
cmd = {command}
copy_env = True
graceful_timeout = {grace_s}
[plugin:memory-{name}]
use = circus.plugins.resource_watcher.ResourceWatcher
watcher = {name}
loop_rate = {pace_s}
max_count = 0
max_cpu = 0
health_threshold = 0
max_mem = {limit_mb}M
"""


class Circus:
    """It starts again what has ended; each plugin is a process of its own."""

    name = "circus"
    how_to_get = "python -m venv {peers}/circus && {peers}/circus/bin/pip install circus"
    is_on_supervisord = False

    def __init__(self, peers: Path | None, pace_s: float) -> None:
        self.cycle_s = pace_s
        self._circusd = find(peers, "circus/bin/circusd")

    def version(self) -> str | None:
        """Return what it says."""
        return said_version(self._circusd, "--version") if self._circusd else None

    def launch(self, stage: Stage) -> Launch:
        """Configure a plugin for silence, and one for the memory of each victim."""
        words = {
            "folder": stage.folder,
            "names": "|".join(seat.name for seat in stage.seats),
            "beat_port": stage.beat_port,
            "pace_s": self.cycle_s,
            "silent_looks": round(SILENCE_S / self.cycle_s),
            "hung_grace_s": HUNG_GRACE_S,
            "grace_s": GRACE_S,
            "limit_mb": LIMIT_MB,
        }
        watchers = (
            _WATCHER.format(**words, name=seat.name, command=shlex.join(stage.command(seat))) for seat in stage.seats
        )
        path = stage.folder / "circus.ini"
        path.write_text("".join([_HEAD.format(**words), *watchers]))
        return Launch([self._circusd, str(path)])

    def heard_s(self, stage: Stage, seat: Seat) -> float | None:
        """Return when that victim last beat over UDP."""
        beat = stage.last(seat, "beat")
        return beat.at_s if beat else None
