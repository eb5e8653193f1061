from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harness.tree import Tree

if TYPE_CHECKING:
    from pathlib import Path

#: A victim takes 32 MB at rest, and drips 10 MB a second: over the limit it is far from the ceiling for a second.
_DRIP = {"WATCHDOG_INTERVAL_S": "1.0", "MEMORY_WARNING_MB": "40", "MEMORY_LIMIT_MB": "45", "RESTART_DRAIN_S": "0"}


async def test_the_deciding_sample_does_not_wait_for_the_interval(short_path: Path) -> None:
    """Most of a leak's time was the wait for the second sample over the limit."""
    async with Tree(short_path, _DRIP) as tree:
        await tree.ready()
        tree.order("api", "drip")
        await tree.incident("api", "memory")
        tree.order("api", "well")
        lines = (short_path / "state" / "decisions.ndjson").read_text().splitlines()
    said = [json.loads(line) for line in lines]
    strike, restart = (
        next(each for each in said if (each["process"], each["verdict"]) == ("api", verdict))
        for verdict in ("strike", "restart")
    )
    assert 0.04 <= restart["at_utc"] - strike["at_utc"] < 0.6, "the interval is a second"
