"""From what a process sees wrong with the data to an incident, a mail, a reminder, and the word that it is over."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from harness.mailbox import Mailbox, serving, text_of
from msgspec.structs import replace

from ipc.messages import Beat, Trouble
from ipc.settings import AlertSettings, MailSettings
from watchdog.alerts import Alerts
from watchdog.commands import Commands
from watchdog.data_watch import OWNER, TOLD_BY, DataWatch
from watchdog.journal import Journal
from watchdog.registry import Registry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

HOUR_S = 3600.0
FORBIDDEN = Trouble(kind="source", subject="aws", cause="forbidden", reason="forbidden: r/aws is private")
LIMITED = Trouble(kind="source", subject="Cursor", cause="rate_limited", reason="rate_limited: none for 60 s more")
OLD = Trouble(
    kind="stale", cause="quiet", reason="the newest data is 90 minutes old (warning above 60)", severity="warning"
)


class Scene:
    """One life of the part that watches the data, on a clock of the test's own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.now_s = 1000.0
        self.free_mb: float | None = 9000.0
        self.registry = Registry(lambda: self.now_s)
        for process in ("api", "collector"):
            self.registry.know(process, 7)
        self.journal = Journal(folder / "watchdog.json", (), lambda: self.now_s)
        mail = MailSettings(
            smtp_host="127.0.0.1",
            smtp_port=port,
            smtp_security="none",
            alert_from="agent@example.org",
            alert_to=("operator@example.org",),
        )
        commands = Commands(sentimentagent="sentimentagent", supervisorctl="supervisorctl", logs=folder)
        self.alerts = Alerts(folder / "alerts", mail, AlertSettings(), commands, first_retry_s=0.05)
        self.watch = DataWatch(
            self.registry,
            self.journal,
            self.alerts,
            lambda: self.now_s,
            reminder_h=4.0,
            free_warning_mb=500.0,
            free_mb=lambda: self.free_mb,
        )

    def beat(self, process: str, troubles: tuple[Trouble, ...] | None) -> None:
        """Let a process say what it sees; None: it has not looked."""
        told = {"troubles": troubles, "looked_for": [kind for kind in TOLD_BY if TOLD_BY[kind] == process]}
        beat = Beat(process=process, pid=7, state="ready", uptime_s=9, loop_lag_s=0, progress=1)
        self.registry.take(beat if troubles is None else replace(beat, **told))

    async def pass_by(
        self, seconds: int, process: str = "collector", troubles: tuple[Trouble, ...] | None = None, ahead_s: float = 0
    ) -> None:
        """Let time pass, with a beat and a look each second; ``ahead_s`` is added to the wall clock."""
        for _ in range(seconds):
            self.now_s += 1
            self.beat(process, troubles)
            await self.watch.look(time.time() + ahead_s)

    async def all_sent(self) -> None:
        """Wait until no mail is on disk any more: one that the server has may be, for a moment."""
        async with asyncio.timeout(10):
            while self.alerts.waiting:
                await asyncio.sleep(0.01)

    def open_kinds(self) -> list[str]:
        """Return what is open."""
        return [incident.kind for incident in self.journal.incidents.opened(OWNER)]


@asynccontextmanager
async def living(folder: Path, port: int) -> AsyncIterator[Scene]:
    """Live one life, with what the last one left."""
    scene = Scene(folder, port)
    await scene.journal.load()
    await scene.alerts.load()
    scene.watch.resume()
    task = asyncio.create_task(scene.alerts.run())
    yield scene
    task.cancel()
    await asyncio.wait({task})


async def test_a_forbidden_subreddit_is_mailed_with_its_cause_and_its_end_too(tmp_path: Path) -> None:
    """clawock#1238: a 403 was published as no mentions. Here somebody is told, once, and told when it is over."""
    box = Mailbox()
    with serving(box) as port:
        async with living(tmp_path, port) as scene:
            await scene.pass_by(40, troubles=(FORBIDDEN,))
            letter = await box.letter(1)
            assert letter["Subject"] == ("[SentimentAgent] Subreddits can't be read: aws: forbidden: r/aws is private")
            text = " ".join(text_of(letter).split())
            assert "take it out of SUBREDDITS" in text
            assert "supervisorctl restart collector" in text
            assert "REDDIT_CLIENT_ID" not in text  # that would be for another cause
            await scene.pass_by(40, troubles=())
            over = await box.letter(2)
            assert "Over after" in over["Subject"]
            assert letter["Message-ID"] in over["References"]
            assert scene.open_kinds() == []
    assert len(box.letters) == 2


async def test_silence_of_the_teller_neither_opens_nor_closes(tmp_path: Path) -> None:
    """A collector that is away, or has not looked yet, says nothing about Reddit."""
    box = Mailbox()
    with serving(box) as port:
        async with living(tmp_path, port) as scene:
            await scene.pass_by(60, troubles=None)
            assert scene.open_kinds() == []
            await scene.pass_by(40, troubles=(FORBIDDEN,))
            await box.letter(1)
            await scene.pass_by(60, troubles=None)
            for _ in range(60):
                scene.now_s += 1
                await scene.watch.look(time.time())
            assert scene.open_kinds() == ["source"]


async def test_a_restart_of_the_watchdog_tells_nothing_twice_and_forgets_nothing(tmp_path: Path) -> None:
    """The next life goes on with what is open: no second mail about it, and one when it is over."""
    box = Mailbox()
    with serving(box) as port:
        async with living(tmp_path, port) as scene:
            await scene.pass_by(40, troubles=(FORBIDDEN,))
            await box.letter(1)
            await scene.all_sent()  # else it is sent again: both copies have one Message-ID
        async with living(tmp_path, port) as scene:
            await scene.pass_by(40, troubles=(FORBIDDEN,))
            assert scene.open_kinds() == ["source"]
            await scene.pass_by(40, troubles=())
            assert "Over after" in (await box.letter(2))["Subject"]
    assert len(box.letters) == 2


async def test_incidents_of_a_former_version_are_taken_up_or_closed(tmp_path: Path) -> None:
    """Without subjects they end like all others; a kind that nobody sees any more would never."""
    box = Mailbox()
    with serving(box) as port:
        async with living(tmp_path, port) as scene:
            for kind in ("source", "phase_of_the_moon"):
                incident = scene.journal.incidents.open(OWNER, kind, "told long ago")
                scene.journal.incidents.untold.discard(incident.id)
            await scene.journal.save()
        async with living(tmp_path, port) as scene:
            assert scene.open_kinds() == ["source"]
            await scene.pass_by(40, troubles=())
            assert "Over after" in (await box.letter(1))["Subject"]
            assert scene.open_kinds() == []


async def test_what_goes_on_is_reminded_of_with_its_cause_by_then(tmp_path: Path) -> None:
    """After ALERT_REMINDER_H, once, and with who else has joined meanwhile."""
    box = Mailbox()
    with serving(box) as port:
        async with living(tmp_path, port) as scene:
            await scene.pass_by(40, troubles=(FORBIDDEN,))
            await box.letter(1)
            await scene.all_sent()
            later = replace(FORBIDDEN, cause="not_found", reason="not_found: r/aws is gone")
            await scene.pass_by(5, troubles=(later,), ahead_s=3.9 * HOUR_S)
            assert len(box.letters) == 1
            await scene.pass_by(5, troubles=(later,), ahead_s=4.1 * HOUR_S)
            assert "still after 4.1 h: aws: not_found" in (await box.letter(2))["Subject"]
    assert len(box.letters) == 2


async def test_a_subreddit_that_joins_is_told_in_the_thread_and_the_last_one_ends_it(tmp_path: Path) -> None:
    """A name that is forbidden for months must not hide that another one fails since today."""
    box = Mailbox()
    with serving(box) as port:
        async with living(tmp_path, port) as scene:
            await scene.pass_by(40, troubles=(FORBIDDEN,))
            first = await box.letter(1)
            await scene.pass_by(40, troubles=(FORBIDDEN, LIMITED))
            more = await box.letter(2)
            assert "one more cause: Cursor: rate_limited" in more["Subject"]
            assert first["Message-ID"] in more["References"]
            await scene.pass_by(40, troubles=(LIMITED,))
            assert scene.open_kinds() == ["source"]
            assert scene.journal.incidents.opened(OWNER)[0].subjects == ("Cursor",)
            await scene.pass_by(40, troubles=())
            assert "Over after" in (await box.letter(3))["Subject"]
    assert len(box.letters) == 3


async def test_a_warning_stands_in_the_digest_and_is_mailed_only_when_it_lasts(tmp_path: Path) -> None:
    """The runbook's warnings are gathered; one that goes on for ALERT_REMINDER_H has its own mail, and its end too."""
    box = Mailbox()
    with serving(box) as port:
        async with living(tmp_path, port) as scene:
            await scene.pass_by(70, "api", (OLD,))
            assert list(scene.watch.warnings()) == [("age of the data", OLD.reason)]
            await scene.pass_by(70, "api", ())
            assert (list(scene.watch.warnings()), scene.open_kinds()) == ([], [])
            assert scene.alerts.waiting == len(box.letters) == 0
            await scene.pass_by(70, "api", (OLD,))
            await scene.pass_by(5, "api", (OLD,), ahead_s=4.1 * HOUR_S)
            assert "The data grows old, still after 4.1 h" in (await box.letter(1))["Subject"]
            await scene.pass_by(70, "api", (), ahead_s=4.1 * HOUR_S)
            assert "Over after" in (await box.letter(2))["Subject"]
    assert len(box.letters) == 2


async def test_a_process_that_can_not_tell_of_a_kind_ends_nothing(tmp_path: Path) -> None:
    """An API that came up without its database knows that, and nothing of who is silent."""
    box = Mailbox()
    silent = Trouble(kind="silent", subject="aws", reason="nothing new for 40 h")
    away = Beat(
        process="api",
        pid=7,
        state="ready",
        uptime_s=9,
        loop_lag_s=0,
        progress=1,
        troubles=(Trouble(kind="database", reason="there is no database"),),
        looked_for=("database",),
    )
    with serving(box) as port:
        async with living(tmp_path, port) as scene:
            await scene.pass_by(70, "api", (silent,))
            for _ in range(90):
                scene.now_s += 1
                scene.registry.take(away)
                await scene.watch.look(time.time())
            assert scene.open_kinds() == ["silent", "database"]
            await box.letter(2)
    assert len(box.letters) == 2


async def test_a_database_that_is_away_is_mailed_after_ten_seconds(tmp_path: Path) -> None:
    """The first of the critical ones."""
    box = Mailbox()
    away = Trouble(kind="database", reason="the database did not answer within 2 s")
    with serving(box) as port:
        async with living(tmp_path, port) as scene:
            await scene.pass_by(9, "api", (away,))
            assert scene.open_kinds() == []
            await scene.pass_by(3, "api", (away,))
            assert "The database does not answer" in (await box.letter(1))["Subject"]


async def test_a_disk_that_is_nearly_full_is_mailed_and_an_unreadable_one_is_not_empty(tmp_path: Path) -> None:
    """What can't be measured is neither full nor well again."""
    box = Mailbox()
    with serving(box) as port:
        async with living(tmp_path, port) as scene:
            scene.free_mb = None
            await scene.pass_by(40)
            scene.free_mb = 321.0
            await scene.pass_by(40)
            assert "321 MB left" in (await box.letter(1))["Subject"]
            scene.free_mb = None
            await scene.pass_by(40)
            assert scene.open_kinds() == ["disk"]


async def test_hostile_words_forge_no_line_of_a_mail(tmp_path: Path) -> None:
    """A reason may hold what Reddit answered."""
    box = Mailbox()
    hostile = Trouble(kind="source", subject="aws\r\nBcc: x@example.org", reason="evil\r\n\r\nbody\u202e")
    with serving(box) as port:
        async with living(tmp_path, port) as scene:
            await scene.pass_by(40, troubles=(hostile,))
            letter = await box.letter(1)
    assert letter["Bcc"] is None
    assert "\nbody" not in text_of(letter)
