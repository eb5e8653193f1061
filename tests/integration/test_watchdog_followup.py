"""What is told of an incident after its opening, by a real mail server, with the time as an argument."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from harness.mailbox import Mailbox, free_port, serving, text_of
from msgspec.structs import replace

from ipc.environment import load
from ipc.messages import PROCESSES, Incident
from ipc.settings import AlertSettings, MailSettings
from watchdog.alerts import Alerts
from watchdog.commands import Commands
from watchdog.digest import Digest
from watchdog.followup import Followup
from watchdog.incidents import Incidents
from watchdog.journal import Journal
from watchdog.recorder import Recorder
from watchdog.records import Limits, Quarantine, Verdict
from watchdog.watched import Watched

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

HOUR_S = 3600.0
WELL = Verdict(name="ok", reason="memory 87 of 480 MB, beat 0.4 s ago")


class Scene:
    """A journal, a follow-up and alerts that go to ``port``; one life of them."""

    def __init__(self, folder: Path, port: int, reminder_h: float = 4.0) -> None:
        self.watched = {
            name: Watched(name, Limits(warning_mb=400, limit_mb=480), folder / f"{name}.control") for name in PROCESSES
        }
        self.journal = Journal(folder / "watchdog.json", self.watched.values(), time.monotonic)
        mail = MailSettings(
            smtp_host="127.0.0.1",
            smtp_port=port,
            smtp_security="none",
            alert_from="agent@example.org",
            alert_to=("operator@example.org",),
        )
        commands = Commands(sentimentagent="sentimentagent", supervisorctl="supervisorctl", logs=folder)
        self.alerts = Alerts(folder / "alerts", mail, AlertSettings(), commands, first_retry_s=0.05)
        recorder = Recorder(load({"SENTIMENTAGENT_HOME": str(folder)}))
        self.followup = Followup(self.journal, self.alerts, recorder, lambda each: each.report(0.0, None), reminder_h)

    def opened(self, kind: str = "quarantine", ago_s: float = 0.0) -> str:
        """Open an incident of the API so long ago, which was told; return its id."""
        incident = Incident(
            id=f"20261124T063617070-api-{kind}",
            process="api",
            kind=kind,
            opened_utc=time.time() - ago_s,
            closed_utc=None,
            reason="it crashed; restart or crash no. 5",
            action="stopped after 0.10 s",
        )
        self.journal.incidents = Incidents([incident])
        return incident.id


@asynccontextmanager
async def living(folder: Path, port: int, **changes: Any) -> AsyncIterator[Scene]:  # noqa: ANN401 - any argument
    """Live one life."""
    scene = Scene(folder, port, **changes)
    await scene.journal.load()
    await scene.alerts.load()
    task = asyncio.create_task(scene.alerts.run())
    yield scene
    await scene.journal.save()
    task.cancel()
    await asyncio.wait({task})


async def sent(scene: Scene) -> None:
    """Wait until nothing waits."""
    async with asyncio.timeout(5):
        while scene.alerts.waiting:
            await asyncio.sleep(0.01)


async def test_an_open_incident_is_reminded_of_every_few_hours_and_across_a_restart(short_path: Path) -> None:
    """After four hours and then after four more, numbered, in its thread; not in between, whoever lives."""
    box, now_utc = Mailbox(), time.time()
    with serving(box) as port:
        async with living(short_path, port) as scene:
            incident_id = scene.opened()
            for hours in (3.9, 4.1, 4.2, 8.0):
                await scene.followup.look(now_utc + hours * HOUR_S)
                await sent(scene)
            assert len(box.letters) == 1
        async with living(short_path, port) as scene:
            for hours in (8.0, 8.2, 8.3):
                await scene.followup.look(now_utc + hours * HOUR_S)
                await sent(scene)
    first, second = box.letters
    assert first["Subject"] == "[SentimentAgent] api still not well after 4.1 h: it crashed"
    assert second["Subject"] == "[SentimentAgent] api still not well after 8.2 h: it crashed"
    assert [letter["Message-ID"] for letter in box.letters] == [
        f"<{incident_id}-reminder-{nth}@example.org>" for nth in (1, 2)
    ]
    assert {letter["In-Reply-To"] for letter in box.letters} == {f"<{incident_id}@example.org>"}


async def test_nobody_is_reminded_of_what_has_not_reached_him(short_path: Path) -> None:
    """A mail server that is away for days must not find a heap of reminders when it is back."""
    async with living(short_path, free_port()) as scene:
        scene.opened()
        for hours in range(5, 100, 5):
            await scene.followup.look(time.time() + hours * HOUR_S)
        assert scene.alerts.waiting == 1


@pytest.mark.parametrize("reason", ["reminders are off", "it is not told yet"])
async def test_no_reminder(short_path: Path, reason: str) -> None:
    """ALERT_REMINDER_H=0 is none; and what is about to be told needs none."""
    async with living(short_path, free_port(), reminder_h=0 if reason == "reminders are off" else 4) as scene:
        incident_id = scene.opened()
        if reason == "it is not told yet":
            scene.journal.incidents.untold.add(incident_id)
        await scene.followup.look(time.time() + 100 * HOUR_S)
        assert scene.alerts.waiting == 0


async def test_a_restart_that_stayed_the_only_one_is_closed_and_told_once(short_path: Path) -> None:
    """Well for a whole period: over, with one mail; the next restart is a new incident."""
    box = Mailbox()
    with serving(box) as port:
        async with living(short_path, port) as scene:
            incident_id = scene.opened("memory", ago_s=500.0)
            scene.watched["api"].verdict = WELL
            now_utc = time.time()
            for later_s in (0, 90, 110, 120):
                await scene.followup.look(now_utc + later_s)
            letter = await box.letter()
            await sent(scene)
            assert scene.journal.incidents.opened("api") == []
            assert scene.journal.incidents.open("api", "memory", "again").id != incident_id
    assert len(box.letters) == 1
    assert letter["Subject"] == "[SentimentAgent] api recovered: no restart or crash for 10 min"
    assert letter["In-Reply-To"] == f"<{incident_id}@example.org>"
    assert "What was done\n  stopped after 0.10 s\n" in text_of(letter).replace("\r\n", "\n")


async def test_a_wall_clock_that_steps_back_silences_nobody(short_path: Path) -> None:
    """A virtual machine began a year ahead: one reminder at once and then every few hours, and the end is told."""
    box, now_utc = Mailbox(), time.time()
    with serving(box) as port:
        async with living(short_path, port) as scene:
            scene.opened(ago_s=-365 * 24 * HOUR_S)
            for hours in (0.0, 0.1, 3.9, 4.1):
                await scene.followup.look(now_utc + hours * HOUR_S)
                await sent(scene)
            scene.watched["api"].verdict = WELL
            await scene.followup.look(now_utc + 4.2 * HOUR_S)
            await sent(scene)
            assert scene.journal.incidents.opened("api") == []
    assert [letter["Subject"].split(":")[0].rpartition("]")[2].strip() for letter in box.letters] == [
        "api still not well after an unknown time",
        "api still not well after an unknown time",
        "api recovered",
    ]


@pytest.mark.parametrize("state", ["restarted since", "ill", "quarantined", "ended within the period"])
async def test_what_is_not_well_is_not_over(short_path: Path, state: str) -> None:
    """Only a whole period without any of these closes an incident."""
    async with living(short_path, free_port()) as scene:
        scene.opened("memory", ago_s=700.0)
        api = scene.watched["api"]
        api.verdict = WELL
        match state:
            case "restarted since":
                api.history = replace(api.history, last_restart_utc=time.time() - 10)
            case "ill":
                api.verdict = Verdict(name="strike", reason="memory 500 MB")
            case "quarantined":
                quarantine = Quarantine(reason="it crashed", probe_at_s=1.0, delay_s=1.0, is_ours=True)
                api.record = replace(api.record, quarantine=quarantine)
            case _:
                api.record = replace(api.record, ends_s=(1.0,))
        await scene.followup.look(time.time())
        assert len(scene.journal.incidents.opened("api")) == 1
        assert scene.alerts.waiting == 0


async def test_an_operator_who_takes_over_gets_no_word_of_recovery(short_path: Path) -> None:
    """The incident is closed, since nobody but the operator goes on with it."""
    async with living(short_path, free_port()) as scene:
        scene.opened()
        await scene.followup.end(scene.watched["api"], "stopped by an operator", is_recovered=False)
        assert scene.alerts.waiting == 0
        assert scene.journal.incidents.opened("api") == []


def gathered(path: Path, every_h: float = 24.0) -> Digest:
    """Return the digest of the file at ``path``, as a new life of the watchdog reads it."""
    digest = Digest(path, every_h)
    digest.load()
    return digest


def test_warnings_go_out_together_and_only_when_there_are_some(tmp_path: Path) -> None:
    """A day after the first, all in one, with how often and since when; then it begins anew."""
    commands = Commands(sentimentagent="sentimentagent", supervisorctl="supervisorctl", logs=tmp_path)
    digest = gathered(tmp_path / "digest")
    assert digest.due(1e9, commands) is None
    for at_s, warnings in (
        (0, {"api": "memory 401 MB over 400 MB"}),
        (1, {"api": "memory 402 MB over 400 MB"}),
        (2, {}),
        (3, {"api": "memory 410 MB over 400 MB", "collector": "memory 405 MB over 400 MB"}),
    ):
        digest.see(warnings.items(), 1e9 + at_s)
    digest.save()
    digest = gathered(tmp_path / "digest")
    assert digest.due(1e9 + 23.9 * HOUR_S, commands) is None
    alert = digest.due(1e9 + 24 * HOUR_S, commands)
    assert alert is not None
    assert alert.subject == "[SentimentAgent] warnings about api, collector since 2001-09-09 01:46 UTC"
    text = " ".join(alert.text.split())
    assert "api memory 410 MB over 400 MB" in text
    assert "api 2 times from 2001-09-09 01:46 UTC to 2001-09-09 01:46 UTC; at first: memory 401 MB over 400 MB" in text
    assert "collector 1 times" in text
    assert digest.due(2e9, commands) is None
    digest.save()
    assert gathered(tmp_path / "digest").due(2e9, commands) is None


def test_a_digest_says_what_goes_on_and_until_when_the_rest_was(tmp_path: Path) -> None:
    """What goes on begins the next digest too, so that it is reminded of; what is over is told with its end."""
    commands = Commands(sentimentagent="sentimentagent", supervisorctl="supervisorctl", logs=tmp_path)
    digest = gathered(tmp_path / "digest")
    old = ("age of the data", "the newest data is 90 minutes old (warning above 60): quiet")
    digest.see([old, ("failed collections", "4 collections failed in the last hour")], 1e9)
    digest.see([old], 1e9 + HOUR_S)
    digest.see([old], 1e9 + 24 * HOUR_S)
    alert = digest.due(1e9 + 24 * HOUR_S, commands)
    assert alert is not None
    text = " ".join(alert.text.split())
    assert "age of the data 1 times from 2001-09-09 01:46 UTC until now, and it goes on" in text
    assert "failed collections 1 times from 2001-09-09 01:46 UTC to 2001-09-09 01:46 UTC;" in text
    digest.see([old], 1e9 + 24 * HOUR_S + 1)
    again = digest.due(1e9 + 49 * HOUR_S, commands)
    assert again is not None
    assert "age of the data" in again.subject


def test_a_digest_of_a_wall_clock_that_stepped_back_goes_out(tmp_path: Path) -> None:
    """Its first warning lies in the future; it would have waited until then."""
    commands = Commands(sentimentagent="sentimentagent", supervisorctl="supervisorctl", logs=tmp_path)
    digest = gathered(tmp_path / "digest")
    digest.see([("api", "memory")], 2e9)
    assert digest.due(1e9, commands) is not None
    assert digest.due(1e9, commands) is None


def test_a_digest_that_is_off_or_broken_harms_nobody(tmp_path: Path) -> None:
    """ALERT_DIGEST_H=0 is never; a file that can't be read is an empty one."""
    commands = Commands(sentimentagent="sentimentagent", supervisorctl="supervisorctl", logs=tmp_path)
    off = gathered(tmp_path / "off", every_h=0)
    off.see([("api", "memory")], 0.0)
    assert off.due(1e9, commands) is None
    for content in (b"{", b'{"\xff": 1}'):
        (tmp_path / "digest").write_bytes(content)
        assert gathered(tmp_path / "digest").due(1e9, commands) is None
