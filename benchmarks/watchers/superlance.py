"""supervisord with superlance: memmon for memory and one httpok a victim, both every five seconds, its fastest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from watchers.peers import find, said_version
from watchers.stage import LIMIT_MB, SILENCE_S, Launch
from watchers.supervisord import listener, write

if TYPE_CHECKING:
    from watchers.stage import Seat, Stage


class Superlance:
    """It reads the memory with ps and asks over HTTP, when supervisord's clock ticks."""

    name = "supervisord + superlance"
    how_to_get = (
        "python -m venv {peers}/superlance && {peers}/superlance/bin/pip install superlance supervisor 'setuptools<81'"
    )
    cycle_s = 5.0
    is_on_supervisord = True

    def __init__(self, peers: Path | None) -> None:
        self._memmon = find(peers, "superlance/bin/memmon")

    def version(self) -> str | None:
        """Return superlance's."""
        if not self._memmon:
            return None
        code = "from importlib.metadata import version; print(version('superlance'))"
        return said_version(str(Path(self._memmon).with_name("python")), "-c", code)

    def launch(self, stage: Stage) -> Launch:
        """Configure one memmon, and an httpok for each victim: it knows one address."""
        folder = Path(self._memmon).parent
        limits = [word for seat in stage.seats for word in ("-p", f"{seat.name}={LIMIT_MB}MB")]
        sections = [listener(stage, "memmon", [self._memmon, *limits], "TICK_5")]
        for seat in stage.seats:
            asks = ["-p", seat.name, "-t", str(SILENCE_S), f"http://127.0.0.1:{seat.port}/"]
            sections.append(listener(stage, f"httpok-{seat.name}", [str(folder / "httpok"), *asks], "TICK_5"))
        return Launch([str(folder / "supervisord"), "-c", str(write(stage, *sections))])

    def heard_s(self, _stage: Stage, _seat: Seat) -> float | None:
        """It asks."""
        return None
