"""A verdict and what it sets off, with a real supervisord and a real disk, or one that hangs."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from harness.hands import hands

from ipc.environment import load
from ipc.settings import AlertSettings, MailSettings
from watchdog.alerts import Alerts
from watchdog.commands import Commands
from watchdog.journal import Journal
from watchdog.mender import Mended, Mender
from watchdog.recorder import Recorder
from watchdog.records import Limits, Verdict
from watchdog.registry import Registry
from watchdog.watched import Watched

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    import pytest

    from ipc.messages import Incident
    from watchdog.records import Action, VerdictName


class Scene:
    """One victim under supervisord, held by a watchdog that is only its mender."""

    def __init__(self, folder: Path, control: Any, watched: Watched) -> None:  # noqa: ANN401 - the hands' own
        commands = Commands(sentimentagent="sentimentagent", supervisorctl="supervisorctl", logs=folder)
        registry = Registry(time.monotonic)
        self.watched = watched
        self.ledger = folder / "state" / "watchdog.json"
        self.journal = Journal(self.ledger, [watched], time.monotonic)
        self.recorder = Recorder(load({"SENTIMENTAGENT_HOME": str(folder)}))
        alerts = Alerts(folder / "alerts", MailSettings(), AlertSettings(), commands)
        self.mender = Mender(control, self.journal, alerts, registry, self.recorder)

    async def mend(self, name: VerdictName, action: Action, cause: Any) -> Mended:  # noqa: ANN401 - any cause
        """Carry out such a verdict on the victim."""
        assert self.watched.process is not None
        before = self.watched.report(time.monotonic(), None)
        verdict = Verdict(name=name, action=action, cause=cause, reason="so the test says")
        self.watched.is_being_mended = True
        return await self.mender.mend(self.watched, verdict, self.watched.process.pid, before)

    def texts(self, incident: Incident | None) -> str:
        """Return what was kept of the process's memory."""
        assert incident is not None
        return (self.recorder.folder / incident.id / "memory.txt").read_text()


@asynccontextmanager
async def living(folder: Path) -> AsyncIterator[Scene]:
    """Hold a running victim."""
    async with hands(folder) as both:
        watched = Watched("victim", Limits(warning_mb=400, limit_mb=480), folder / "victim.control")
        watched.process = await both.process()
        yield Scene(folder, both.control, watched)
        watched.detach()


@contextmanager
def hung_disk(ledger: Path) -> Iterator[None]:
    """Hang whoever writes the ledger, until the block ends: a pipe that nobody reads stands where it is written."""
    ledger.parent.mkdir(exist_ok=True)
    pipe = ledger.with_name(f".{ledger.name}.new")
    os.mkfifo(pipe)
    try:
        yield
    finally:
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        pipe.unlink()
        # The write that hung ends only now; closed at once, it would be a broken pipe, which is as good.
        os.close(reader)


async def test_a_disk_that_hangs_keeps_nobody_from_being_restarted(short_path: Path) -> None:
    """The save goes on beside it; the process that hangs is replaced within the bound of that save."""
    async with living(short_path) as scene:
        assert scene.watched.process is not None
        process = scene.watched.process
        with hung_disk(scene.ledger):
            mending = asyncio.create_task(scene.mend("restart", "restart", "hung"))
            assert await process.ends_within(8)
            async with asyncio.timeout(5):
                while scene.watched.is_being_mended:
                    await asyncio.sleep(0.01)
            assert not mending.done()
        mended = await asyncio.wait_for(mending, 10)
        assert mended.outcome.is_done
        assert mended.outcome.new_pid not in {None, process.pid}


async def test_a_quarantine_waits_until_it_is_on_disk(short_path: Path) -> None:
    """The next life would take its stop for an operator's, and leave the process stopped for ever."""
    async with living(short_path) as scene:
        assert scene.watched.process is not None
        with hung_disk(scene.ledger):
            mending = asyncio.create_task(scene.mend("quarantined", "stop", "crashed"))
            assert not await scene.watched.process.ends_within(2.5)
        mended = await asyncio.wait_for(mending, 10)
        assert mended.outcome.is_done
        assert scene.watched.process.died.is_set()


async def test_of_a_restart_that_did_not_help_the_living_process_is_recorded(
    short_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was told as one that had ended, though it lives on and its growth is what is asked about."""
    async with living(short_path) as scene:
        assert scene.watched.process is not None
        mended = await scene.mend("warning", "escalate", "unhelped")
        assert mended.outcome.words == "left as it is"
        assert "Pss_Anon:" in scene.texts(mended.incident)
        assert not scene.watched.process.died.is_set()
    assert "Restart did not help" in capsys.readouterr().out
