"""monit, in cycles of one second, its fastest."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from watchers.peers import find, said_version
from watchers.stage import GRACE_S, LIMIT_MB, SILENCE_S, Launch

if TYPE_CHECKING:
    from pathlib import Path

    from watchers.stage import Seat, Stage

_HEAD: Final = """\
set daemon 1
set log {folder}/logs/monit.log
set pidfile {folder}/run/monit.pid
set idfile {folder}/run/monit.id
set statefile {folder}/run/monit.state
"""
#: A start's timeout also holds off the test of the port, for as long (measured with 5.33): hardly more than it takes.
_CHECK: Final = """
check process {name} with pidfile {folder}/run/{name}.pid
  start program = "{folder}/run/start-{name}" with timeout 2 seconds
  stop program = "{folder}/run/stop-{name}" with timeout 10 seconds
  if total memory > {limit_mb} MB then restart
  if failed host 127.0.0.1 port {port} protocol http with timeout {silence_s} seconds then restart
"""
_START: Final = """\
#!/bin/sh
setsid {command} </dev/null >>{folder}/logs/{name}.log 2>&1 &
echo $! >{folder}/run/{name}.pid
"""
#: monit itself kills nobody: whoever does not end in time is its stop program's business.
_STOP: Final = """\
#!/bin/sh
pid=$(cat {folder}/run/{name}.pid)
kill -TERM "$pid"
for _ in {tenths}; do
    grep -q '^State:[[:space:]]*[^Z]' "/proc/$pid/status" 2>/dev/null || exit 0
    sleep 0.1
done
kill -KILL "$pid"
"""


class Monit:
    """It reads the memory and asks over HTTP, in turn."""

    name = "monit"
    how_to_get = "apt-get install monit; or apt-get download monit && dpkg-deb -x monit_*.deb {peers}/monit"
    cycle_s = 1.0
    is_on_supervisord = False

    def __init__(self, peers: Path | None) -> None:
        self._monit = find(peers, "monit/usr/bin/monit")

    def version(self) -> str | None:
        """Return what it says."""
        return said_version(self._monit, "-V") if self._monit else None

    def launch(self, stage: Stage) -> Launch:
        """Write its control file, and a start and a stop program for each victim."""
        control = stage.folder / "monitrc"
        control.touch(mode=0o600)  # it refuses one that others may read
        checks = (
            _CHECK.format(name=seat.name, port=seat.port, folder=stage.folder, limit_mb=LIMIT_MB, silence_s=SILENCE_S)
            for seat in stage.seats
        )
        control.write_text("".join([_HEAD.format(folder=stage.folder), *checks]))
        for seat in stage.seats:
            self._write_programs(stage, seat)
        return Launch([self._monit, "-I", "-c", str(control)])

    def heard_s(self, _stage: Stage, _seat: Seat) -> float | None:
        """It asks."""
        return None

    def _write_programs(self, stage: Stage, seat: Seat) -> None:
        words = {
            "folder": stage.folder,
            "name": seat.name,
            "command": shlex.join(stage.command(seat)),
            "tenths": " ".join(map(str, range(GRACE_S * 10))),
        }
        for verb, script in (("start", _START), ("stop", _STOP)):
            path = stage.folder / "run" / f"{verb}-{seat.name}"
            path.write_text(script.format(**words))
            path.chmod(0o700)
