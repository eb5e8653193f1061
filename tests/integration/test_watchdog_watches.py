"""The watchdog's process under a real supervisord, and what becomes of three victims."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from typing import TYPE_CHECKING

import psutil
import pytest
from harness.mailbox import Mailbox, mail_settings, serving, text_of
from harness.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ipc.messages import Incident, ProcessReport

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def box() -> Mailbox:
    """Return an empty mailbox."""
    return Mailbox()


@pytest.fixture
def mail(box: Mailbox) -> Iterator[dict[str, str]]:
    """Return the settings that send alerts into the box."""
    with serving(box) as port:
        yield mail_settings(port)


async def incidents(tree: Tree, process: str) -> list[Incident]:
    """Return the incidents of one process."""
    return [each for each in (await tree.report()).incidents if each.process == process]


async def test_a_killed_process_is_back_at_once_and_one_mail_says_so(
    short_path: Path, box: Mailbox, mail: dict[str, str]
) -> None:
    """Supervisord alone would look for a second; the watchdog's poke makes it look now."""
    async with Tree(short_path, mail, processes=("watchdog", "collector")) as tree:
        pid = (await tree.ready())["collector"]
        os.kill(pid, signal.SIGKILL)
        await tree.replaced("collector", pid, within_s=10)
        letter = await box.letter()
        new_pid = (await tree.ready())["collector"]
        subject = letter["Subject"]
        reason = subject.partition(": ")[2]
        assert subject.startswith(f"[SentimentAgent] collector crashed and was started again: process {pid} ended ")
        text = " ".join(text_of(letter).split())
        assert re.search(
            rf"Why {re.escape(reason)} What was done new process {new_pid} \d+\.\d\d s later; ready ", text
        )
        assert f" process {pid}, up " in text, "the old one, not the new one"
        assert "memory not measured" not in text
        assert re.search(r" last beat \d+\.\d s ", text)
        assert (await tree.incident("collector", "crashed")).closed_utc is None
        await asyncio.sleep(0.3)
        assert len(box.letters) == 1


async def test_a_leak_is_replaced_before_it_hurts(short_path: Path, box: Mailbox, mail: dict[str, str]) -> None:
    """200 MB a second past 150: two samples, a graceful end, a mail with the figures, and the others untouched."""
    async with Tree(short_path, mail) as tree:
        pids = await tree.ready()
        tree.order("collector", "leak")
        await tree.replaced("collector", pids["collector"], within_s=10)
        tree.order("collector", "well")
        letter = await box.letter()
        after = await tree.ready()
        assert letter["Subject"].startswith("[SentimentAgent] collector restarted: memory 1")
        assert letter["Subject"].endswith(" MB over 150 MB")
        text = " ".join(text_of(letter).split())
        assert re.search(
            r"What was done drained in \d+\.\d\d s: 0 items in, 0 items out, difference 0;"
            rf" SIGTERM; process {pids['collector']} ended after ",
            text,
        )
        assert {name for name in pids if after[name] != pids[name]} == {"collector"}
        report = await tree.of("collector")
        assert (report.restarts, report.memory_limit_mb) == (1, 150)
        assert report.last_restart_reason is not None
        assert "over 150 MB" in report.last_restart_reason


@pytest.mark.parametrize(
    ("fault", "kind", "reason", "done"),
    [
        ("hang", "hung", "no beat for 2.", "SIGTERM, and SIGKILL after 0.25 s"),
        ("stuck", "stuck", "unit 'a batch of 32' is", "SIGTERM"),
    ],
)
async def test_a_process_that_does_not_work_is_replaced(
    short_path: Path, fault: str, kind: str, reason: str, done: str
) -> None:
    """A blocked loop does not beat; stuck work beats and makes no progress."""
    async with Tree(short_path, processes=("watchdog", "analyzer")) as tree:
        pid = (await tree.ready())["analyzer"]
        tree.order("analyzer", fault)
        incident = await tree.incident("analyzer", kind)
        tree.order("analyzer", "well")
        await tree.replaced("analyzer", pid, within_s=5)
        assert incident.reason.startswith(reason)
        assert incident.action.startswith(f"{done}; process {pid} ended after ")


async def test_a_stopped_process_is_replaced_without_waiting_for_it(short_path: Path) -> None:
    """SIGSTOP: it would take no SIGTERM, so it gets no grace."""
    async with Tree(short_path, processes=("watchdog", "api")) as tree:
        pid = (await tree.ready())["api"]
        os.kill(pid, signal.SIGSTOP)
        await tree.replaced("api", pid, within_s=10)
        incident = await tree.incident("api", "hung")
        assert incident.reason.endswith(": stopped by a signal")
        assert incident.action.startswith(f"SIGKILL; process {pid} ended after 0.0")


async def test_a_crash_loop_is_quarantined_probed_and_recovered_with_three_mails(
    short_path: Path, box: Mailbox, mail: dict[str, str]
) -> None:
    """superlance#99: a mail at every crash of a loop, thousands of them.

    One mail at the first crash, one at the quarantine, one at the recovery, however often it crashes.
    """
    # Three starts of a Python within the period, on a machine that has other things to do.
    settings = {"RESTART_INTENSITY": "3", "RESTART_PERIOD_S": "12", "QUARANTINE_FIRST_PROBE_S": "0.7"}
    async with Tree(short_path, settings | mail) as tree:
        pids = await tree.ready()
        tree.order("collector", "crash")

        async def verdict(name: str) -> bool:
            return (await tree.of("collector")).verdict == name

        await tree.until(lambda: verdict("quarantined"), 20, "it is quarantined")
        await tree.until(lambda: "Process probed" in tree.log(), 10, "it is probed")
        await tree.until(lambda: "failed: " in tree.log(), 10, "the probe fails")
        tree.order("collector", "well")
        await tree.until(lambda: verdict("probing"), 10, "it is probed again")
        await tree.until(lambda: verdict("ok"), 20, "it has recovered")
        await box.letter(3)
        subjects = [letter["Subject"].removeprefix("[SentimentAgent] collector ") for letter in box.letters]
        assert [" ".join(subject.split()[:2]) for subject in subjects] == [
            "crashed and",
            "is quarantined:",
            "recovered: well",
        ]
        assert "restart or crash no. 3 within 12 s" in " ".join(text_of(box.letters[1]).split())
        assert f"unix://{short_path}/run/supervisor.sock start collector" in text_of(box.letters[1])
        assert (await tree.ready())["api"] == pids["api"]
        await asyncio.sleep(0.3)
        assert len(box.letters) == 3


async def test_an_operators_stop_is_respected_and_reported(
    short_path: Path, box: Mailbox, mail: dict[str, str]
) -> None:
    """circus#809, whole: an operator's stop is taken for flapping.

    ``supervisorctl stop``, ``start`` and ``restart`` are nobody's crash: no restart, no incident, no mail.
    """
    async with Tree(short_path, mail, processes=("watchdog", "collector")) as tree:
        pids = await tree.ready()
        await tree.supervisor.programs()
        await tree.supervisor.stop("collector")

        async def is_stopped() -> ProcessReport | None:
            report = await tree.of("collector")
            return report if report.verdict == "stopped" else None

        await tree.until(is_stopped, 5, "the stop is reported")
        report = await tree.of("collector")
        assert (report.supervisor_state, report.pid, report.memory_mb, report.beat) == ("STOPPED", None, None, None)
        assert report.reason == "stopped by an operator or never started: left alone"
        await asyncio.sleep(0.5)
        assert (await tree.supervisor.program("collector")).statename == "STOPPED"

        await tree.supervisor.start("collector")
        restarted = (await tree.ready())["collector"]
        for _ in range(3):
            await tree.supervisorctl("restart", "collector")
        assert (await tree.ready())["collector"] not in {pids["collector"], restarted}
        assert await incidents(tree, "collector") == []
        assert (await tree.of("collector")).restarts == 0
        assert box.letters == []


async def test_what_the_watchdog_knows_survives_its_own_death(
    short_path: Path, box: Mailbox, mail: dict[str, str]
) -> None:
    """Killed while it keeps a process in quarantine: the next one goes on with it, and tells of its own crash."""
    settings = {"RESTART_INTENSITY": "2", "QUARANTINE_FIRST_PROBE_S": "300"}
    async with Tree(short_path, settings | mail, processes=("watchdog", "collector")) as tree:
        pids = await tree.ready()
        tree.order("collector", "crash")
        await tree.until(lambda: "Process quarantined" in tree.log(), 10, "it is quarantined")
        await box.letter(2)
        await tree.until(
            lambda: not list((short_path / "state" / "alerts").rglob("*.json")), 5, "both are known to be sent"
        )
        os.kill(pids["watchdog"], signal.SIGKILL)
        await tree.replaced("watchdog", pids["watchdog"], within_s=5)
        letter = await box.letter(3)
        assert letter["Subject"].startswith("[SentimentAgent] watchdog crashed and was started again")

        async def is_quarantined() -> bool:
            return (await tree.of("collector")).verdict == "quarantined"

        await tree.until(is_quarantined, 5, "the quarantine goes on")
        report = await tree.of("collector")
        assert (report.supervisor_state, report.restarts) == ("STOPPED", 1)
        assert (await tree.of("watchdog")).restarts == 1
        assert {each.kind for each in await incidents(tree, "collector")} == {"crashed", "quarantine"}


async def test_a_process_that_never_comes_up_leaves_fatal_by_a_probe(short_path: Path) -> None:
    """supervisor#487, whole: a program that failed to start for a while stays FATAL for ever.

    Supervisord gives up on what ends within its startsecs, for ever; the watchdog tries again.
    """
    async with Tree(
        short_path, {"QUARANTINE_FIRST_PROBE_S": "0.5"}, processes=("watchdog", "api"), startsecs=1
    ) as tree:
        tree.order("api", "crash")

        async def is_fatal() -> bool:
            report = await tree.of("api")
            return (report.supervisor_state, report.verdict) == ("FATAL", "quarantined")

        await tree.until(is_fatal, 15, "supervisord has given up")
        tree.order("api", "well")
        await tree.until(lambda: '"Process probed" name=api' in tree.log(), 5, "it is probed")

        async def is_up() -> bool:
            return (await tree.of("api")).verdict == "probing"

        await tree.until(is_up, 5, "it is up, on trial")


async def test_wrong_settings_are_told_once_and_not_started_for_ever(
    short_path: Path, box: Mailbox, mail: dict[str, str]
) -> None:
    """Status 78 is a matter for the operator."""
    async with Tree(short_path, mail, processes=("watchdog", "api")) as tree:
        await tree.ready()
        tree.order("api", "misconfigured")
        letter = await box.letter()
        assert "only the operator can mend them" in " ".join(letter["Subject"].split())
        report = await tree.of("api")
        assert (report.supervisor_state, report.verdict, report.restarts) == ("EXITED", "quarantined", 0)


async def test_what_ended_while_the_watchdog_was_away_is_started(short_path: Path) -> None:
    """Where supervisord starts nothing again, a process that ended in between would stay down."""
    async with Tree(short_path, processes=("watchdog", "collector"), autorestart="false") as tree:
        pids = await tree.ready()
        await tree.supervisorctl("stop", "watchdog")
        tree.order("collector", "end")
        await tree.until_state("collector", "EXITED")
        tree.order("collector", "well")
        await tree.supervisor.start("watchdog")
        assert (await tree.ready())["collector"] != pids["collector"]
        incident = await tree.incident("collector", "crashed")
        assert incident.reason == "it ended with status 0, and supervisord does not start it again"


async def test_a_second_watchdog_does_not_come_up(short_path: Path) -> None:
    """superlance#70: two watchers fight over one process.

    Two would fight over the same processes: the door admits one.
    """
    async with Tree(short_path, processes=("watchdog",)) as tree:
        await tree.ready()
        status, words = await tree.run_watchdog()
        assert status == 1
        assert "watchdog.sock is served by another process" in words


async def test_a_watchdog_over_its_own_limit_ends_and_is_replaced(short_path: Path) -> None:
    """It restarts the others, but itself only by ending: supervisord does the rest."""
    limits = {"MEMORY_WARNING_MB": "20", "MEMORY_LIMIT_MB": "20", "MEMORY_CEILING_FACTOR": "9"}
    settings = {**limits, "RESTART_INTENSITY": "99"}
    async with Tree(short_path, settings, processes=("watchdog",)) as tree:
        await tree.until(lambda: "it ends, so that supervisord starts it anew" in tree.log(), 10, "it ends itself")

        async def is_back() -> bool:
            return (await tree.of("watchdog")).restarts >= 1

        await tree.until(is_back, 10, "the next one knows of it")
        report = await tree.of("watchdog")
        assert report.last_restart_reason is not None
        assert report.last_restart_reason.endswith("MB over 20 MB")


async def test_without_supervisord_it_watches_and_tells_and_restarts_nobody(short_path: Path) -> None:
    """By hand or under honcho: pids come from the beats."""
    tree = Tree(short_path)
    async with tree.by_hand("watchdog", "collector"):

        async def is_seen() -> bool:
            return (await tree.of("collector")).verdict == "ok"

        await tree.until(is_seen, 10, "it is seen")
        report = await tree.of("collector")
        assert report.supervisor_state is None
        assert report.memory_mb is not None
        assert (await tree.report()).supervisor_answers is False
        tree.order("collector", "leak")

        async def is_told() -> bool:
            return "so nothing restarts it" in (await tree.of("collector")).reason

        await tree.until(is_told, 10, "it is told")
        assert report.pid is not None
        assert psutil.pid_exists(report.pid)
        assert await incidents(tree, "collector") == []


async def test_the_state_file_is_readable_by_people_and_private(short_path: Path) -> None:
    """An operator may look into it; nobody else on the machine may."""
    async with Tree(short_path, processes=("watchdog",)) as tree:
        await tree.ready()
        path = short_path / "state" / "watchdog.json"
        assert set(json.loads(path.read_text())["processes"]) == {"collector", "analyzer", "api", "watchdog"}
        assert path.stat().st_mode & 0o077 == 0
