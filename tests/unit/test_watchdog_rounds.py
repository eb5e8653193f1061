from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from ipc.messages import Beat
from watchdog.clock import Clock
from watchdog.records import Limits, Verdict
from watchdog.registry import Registry
from watchdog.rounds import CONFIRM_S, Rounds
from watchdog.watched import Watched

LIMITS = Limits(warning_mb=400, limit_mb=480)
INTERVAL_S = 0.25
#: The watchdog's clock in these tests.
NOW_S = 100.0


class Scene:
    """One process under watch, which is this one, and its last beat; its memory is what a test says."""

    def __init__(self, memory_mb: float = 50, silence_s: float = 0.4, limits: Limits = LIMITS) -> None:
        self.registry = Registry(lambda: NOW_S - silence_s)
        self.registry.know("api", os.getpid())
        self.registry.take(
            Beat(process="api", pid=os.getpid(), state="ready", uptime_s=9, loop_lag_s=0, progress=1, waiting_for="x")
        )
        self.api = Watched("api", limits, Path("/nowhere"))
        self.api.attach(os.getpid(), lambda: None, None)
        assert self.api.process is not None
        self.stat = self.api.process.read()
        assert self.stat is not None
        # What the children add may as well take away: so the memory is known to the MB, whatever pytest holds.
        self.api.added_mb = memory_mb - self.stat.rss_mb
        self.api.verdict = Verdict(name="ok", reason="well")
        self.clock = Clock(time.monotonic(), 1.5)
        self.rounds = Rounds([self.api], self.registry, self.clock, lambda *_: None, lambda *_: None)

    def clear_for_s(self) -> float:
        """Take a glance, and let go of the process."""
        try:
            return self.api.clear_for_s(NOW_S, self.registry)
        finally:
            self.api.detach()

    def glance(self) -> None:
        """Let the rounds take a glance, and let go of the process."""
        self.rounds.are_due()
        self.api.detach()


@pytest.mark.parametrize(
    ("memory_mb", "silence_s", "clear_s"),
    [
        (100, 0.4, 1.0),
        (250, 0.4, 0.5),
        (370, 0.4, 0.1),
        (410, 0.4, 0.0),
        (100, 9.5, 0.505),
        (100, 10.1, 0.0),
        (-1100, 0.4, 5.0),
    ],
)
async def test_a_glance_tells_for_how_long_the_next_may_wait(
    memory_mb: float, silence_s: float, clear_s: float
) -> None:
    """Until a growth of 300 MB/s would be over the warning at 400 MB, or the silence over the allowed 10 s."""
    assert Scene(memory_mb, silence_s).clear_for_s() == pytest.approx(clear_s, abs=0.03)


async def test_a_leak_of_200_mb_a_second_meets_a_sample_within_an_interval_of_the_crossing() -> None:
    """However far below its warning it began: the glances come closer as it comes nearer."""
    limits_mb = LIMITS.limit_mb
    for began_mb in range(10, 400, 13):
        at_s, scene = 0.0, None
        while (memory_mb := began_mb + 200 * at_s) <= limits_mb:
            scene = Scene(memory_mb)
            scene.glance()
            at_s += scene.rounds.pause_s(INTERVAL_S)
        assert memory_mb - limits_mb <= 200 * INTERVAL_S + 1


@pytest.mark.parametrize(
    ("verdict", "strikes", "family_strikes", "is_quick"),
    [
        ("strike", (True,), (), True),
        ("strike", (True, False, True), (), False),
        ("strike", (), (), False),
        ("warning", (True,), (), False),
        ("restart", (True,), (), False),
        ("ok", (True, False), (), False),
        ("ok", (), (), False),
    ],
)
async def test_only_the_sample_that_may_decide_is_hurried(
    verdict: str, strikes: tuple[bool, ...], family_strikes: tuple[bool, ...], *, is_quick: bool
) -> None:
    """After a strike that one more of would lead to a restart; whoever is being mended is left to that."""
    scene = Scene()
    scene.api.detach()
    scene.api.verdict = Verdict(name=verdict, reason="", cause="memory")  # type: ignore[arg-type] # a name of the table
    scene.api.record = replace(scene.api.record, strikes=strikes, family_strikes=family_strikes)
    assert (scene.rounds.pause_s(INTERVAL_S) == CONFIRM_S) is is_quick
    scene.api.is_being_mended = True
    assert scene.rounds.pause_s(INTERVAL_S) >= INTERVAL_S


async def test_a_process_that_flickers_below_its_limit_hurries_nobody_twice() -> None:
    """After each rise that seems to lead over the limit it falls again; the next sample is at its usual time."""
    scene = Scene()
    assert scene.stat is not None
    pauses_s, at_s = [], NOW_S
    for nth in range(40):
        scene.api.added_mb = 479 - 4 * (nth % 2) - scene.stat.rss_mb
        scene.api.sample(at_s, scene.registry)
        pauses_s.append(scene.rounds.pause_s(INTERVAL_S))
        at_s += pauses_s[-1]
    scene.api.detach()
    assert min(pauses_s) < INTERVAL_S, "a rise is taken seriously"
    assert sum(pauses_s) / len(pauses_s) > INTERVAL_S / 2


async def test_who_gives_way_to_the_family_is_hurried_by_its_own_marks() -> None:
    """The two kinds of strikes are counted apart."""
    scene = Scene()
    scene.api.detach()
    scene.api.verdict = Verdict(name="strike", reason="", cause="family")
    scene.api.record = replace(scene.api.record, strikes=(True,))
    assert not scene.api.is_one_strike_short
    scene.api.record = replace(scene.api.record, strikes=(), family_strikes=(True,))
    assert scene.api.is_one_strike_short


async def test_while_a_strike_is_among_the_last_samples_every_sample_counts() -> None:
    """Glances that nobody counted would let two peaks of a minute be two of the last three samples."""
    scene = Scene()
    scene.api.record = replace(scene.api.record, strikes=(True, False))
    assert scene.clear_for_s() == 0


async def test_a_pause_is_no_shorter_than_the_interval_and_ends_with_the_second() -> None:
    """An operator's longer interval holds; far from everything, a glance a second is enough."""
    scene = Scene(memory_mb=-1100)
    assert scene.rounds.pause_s(INTERVAL_S) == INTERVAL_S, "nothing is known before the first glance"
    scene.glance()
    assert INTERVAL_S <= scene.rounds.pause_s(INTERVAL_S) <= 1.01
    assert scene.rounds.pause_s(5.0) == 5.0
