"""pm2 with a limit of memory, its worker at the pace that is asked for instead of every thirty seconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from watchers.peers import find
from watchers.stage import GRACE_S, LIMIT_MB, Launch

if TYPE_CHECKING:
    from watchers.stage import Seat, Stage


class Pm2:
    """It starts again what has ended and reads the memory; of other programs' event loops it knows nothing."""

    name = "pm2"
    how_to_get = "npm install --prefix {peers}/pm2 pm2"
    is_on_supervisord = False

    def __init__(self, peers: Path | None, pace_s: float) -> None:
        self.cycle_s = pace_s
        self._pm2 = find(peers, "pm2/node_modules/.bin/pm2")

    def version(self) -> str | None:
        """Return its package's, read from its file: asked for its version, it starts a daemon that stays."""
        if not self._pm2:
            return None
        package = Path(self._pm2).resolve().parents[1] / "package.json"
        return str(json.loads(package.read_text())["version"])

    def launch(self, stage: Stage) -> Launch:
        """Write the ecosystem file; the daemon is what stays."""
        home = stage.folder / "pm2"
        home.mkdir()
        # Its own picture of the machine, which has nothing to do with watching, would run at the worker's pace too.
        (home / "module_conf.json").write_text(json.dumps({"pm2": {"sysmonit": "false"}}))
        apps = [self._app(stage, seat) for seat in stage.seats]
        path = stage.folder / "ecosystem.json"
        path.write_text(json.dumps({"apps": apps}, indent=1))
        settings = {
            "PM2_HOME": str(home),
            "PM2_WORKER_INTERVAL": str(round(self.cycle_s * 1000)),
            "PM2_DISABLE_VERSION_CHECK": "true",
        }
        return Launch([self._pm2, "start", str(path)], settings)

    def heard_s(self, _stage: Stage, _seat: Seat) -> float | None:
        """It does not listen."""
        return None

    def _app(self, stage: Stage, seat: Seat) -> dict[str, object]:
        script, *words = stage.command(seat)
        return {
            "name": seat.name,
            "script": script,
            "args": words,
            "interpreter": "none",
            "max_memory_restart": f"{LIMIT_MB}M",
            "kill_timeout": GRACE_S * 1000,
            "vizion": False,
            "pmx": False,
        }
