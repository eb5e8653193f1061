"""Systems for the end-to-end tests: made, started, and ended whatever happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from harness.system import System, wait_until

from ipc.messages import PROCESSES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def make_system(short_path: Path) -> Iterator[Callable[..., System]]:
    """Return a maker of systems that are ended, whatever happens.

    Their analyzer scores by onnxruntime unless the test says otherwise: it is there in a second instead of seven, and
    what most of these tests are about is the same with both.
    """
    made: list[System] = []

    def make(**settings: str) -> System:
        home = short_path / f"h{len(made)}"
        home.mkdir()
        made.append(System(home, **{"SENTIMENT_ENGINE": "onnx", **settings}))
        return made[-1]

    yield make
    for system in made:
        system.end()


@pytest.fixture
def running(make_system: Callable[..., System]) -> Callable[..., System]:
    """Return a maker of systems that are started and ready."""

    def run(**settings: str) -> System:
        system = make_system(**settings)
        system.start()
        wait_until(system.is_ready, 90, system, "all four processes are ready")
        assert set(system.pids()) == set(PROCESSES)
        return system

    return run
