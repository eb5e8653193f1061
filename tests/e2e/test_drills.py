"""Every drill, against one real running copy; and drills that are killed, which must leave nothing behind."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from harness.mailbox import Mailbox, serving
from harness.system import BIN, System, wait_until

from ipc.environment import PLACES
from ipc.settings import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

REPLACED = ["injected", "detected", "acted", "ready again", "told"]


@pytest.fixture(scope="module")
def box() -> Mailbox:
    """Return what the operator received."""
    return Mailbox()


@pytest.fixture(scope="module")
def system(box: Mailbox) -> Iterator[System]:
    """Return one running copy for all drills, in which three seconds of silence are a hang."""
    home = Path(tempfile.mkdtemp(prefix="sa", dir="/tmp"))
    with pytest.MonkeyPatch.context() as environment, serving(box) as port:
        for name in (*NAMES, *PLACES):
            environment.delenv(name, raising=False)
        mail = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(port), "SMTP_SECURITY": "none"}
        people = {"ALERT_FROM": "sentimentagent@example.org", "ALERT_TO": "operator@example.org"}
        system = System(home, WATCHDOG_HANG_AFTER_S="3", **mail, **people)
        system.start()
        try:
            wait_until(system.is_ready, 90, system, "all four processes are ready")
            yield system
        finally:
            system.end()
            shutil.rmtree(home, ignore_errors=True)


def drill(system: System, *words: str) -> tuple[int, dict[str, Any]]:
    """Make a drill; return its exit status and its outcome."""
    done = system.run("sentimentagent", "drill", *words, "--json", timeout_s=120)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@contextmanager
def under_way(system: System, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Begin a drill, and yield it once its fault is made; it is killed at the end at the latest."""
    command = [str(BIN / "sentimentagent"), "drill", *words, "--yes"]
    with subprocess.Popen(command, env=system.environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert "injected" in process.stdout.readline()
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("name", "process", "says"),
    [
        ("leak", "collector", "over 480 MB"),
        ("hang", "api", "no beat for"),
        ("crash", "collector", "ended"),
        ("oom", "api", "ended"),
        ("watchdog", "watchdog", "without being asked to"),
    ],
)
def test_a_fault_is_detected_acted_on_recovered_from_and_told(
    system: System, box: Mailbox, name: str, process: str, says: str
) -> None:
    """The drill passes by what the watchdog reports, and the operator has exactly one mail about it."""
    letters, pid = len(box.letters), system.pids()[process]
    status, outcome = drill(system, name, "--process", process, "--yes")
    assert (status, outcome["result"]) == (0, "pass"), f"{outcome}\n{system.describe()}"
    assert [each["stage"] for each in outcome["course"][:5]] == REPLACED
    assert says in outcome["course"][1]["words"]
    assert outcome["course"][4]["words"] == "mail"
    assert system.pids()[process] != pid
    assert not psutil.pid_exists(pid)
    (letter,) = box.letters[letters:]
    assert process in letter["Subject"]


@pytest.mark.parametrize(
    ("name", "shows"),
    [
        ("slow", ["injected", "ended", "ready again"]),
        ("database", ["injected", "detected", "ended", "ready again", "ready again"]),
        ("disk", ["injected", "detected", "ended", "ready again", "ready again"]),
    ],
)
def test_what_is_away_or_late_is_waited_for(system: System, name: str, shows: list[str]) -> None:
    """The drill passes, and everybody is the process that it was."""
    pids = system.pids()
    status, outcome = drill(system, name, "--yes")
    assert (status, outcome["result"]) == (0, "pass"), f"{outcome}\n{system.describe()}"
    assert [each["stage"] for each in outcome["course"]] == shows
    assert system.pids() == pids


def test_an_alert_survives_an_outage_of_the_mail_server(system: System, box: Mailbox) -> None:
    """Kept while nobody listens, and then in the operator's mailbox, once."""
    letters = len(box.letters)
    status, outcome = drill(system, "mail", "--yes")
    assert (status, outcome["result"]) == (0, "pass"), outcome
    assert [each["stage"] for each in outcome["course"]] == ["injected", "detected", "acted", "told"]
    assert len(box.letters) == letters + 1
    assert list((system.home / "state").glob("drill-alerts-*")) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("crash", "--yes"), "still open"),
        (("crash", "--process", "watchdog", "--yes"), "this drill hits collector or analyzer or api"),
        (("crash", "--process", "analyzer"), "not agreed to"),
        (("supervisor",), "no systemd keeps this copy"),
    ],
    ids=["the same again", "another process", "no yes", "nobody to start it again"],
)
def test_a_drill_that_shows_nothing_or_does_harm_is_refused(system: System, words: tuple[str, ...], says: str) -> None:
    """Exit status 2, and nothing was touched."""
    pids = system.pids()
    status, outcome = drill(system, *words)
    assert (status, outcome["result"], outcome["course"]) == (2, "refused", [])
    assert says in outcome["reason"]
    assert system.pids() == pids


def test_a_drill_without_a_running_copy_is_refused(short_path: Path) -> None:
    """There is nothing to drill."""
    status, outcome = drill(System(short_path), "crash", "--yes")
    assert (status, outcome["result"]) == (2, "refused")
    assert "is SentimentAgent running" in outcome["reason"]


def test_what_does_not_follow_in_time_is_a_failure_and_the_fault_ends(system: System) -> None:
    """A hang takes three seconds to be one: after one the drill has failed, and the process goes on."""
    pid = system.pids()["analyzer"]
    status, outcome = drill(system, "hang", "--process", "analyzer", "--within", "1", "--yes")
    assert (status, outcome["result"]) == (1, "fail")
    assert "not within 1 s: an incident analyzer, hung" in outcome["reason"]
    assert psutil.Process(pid).status() != psutil.STATUS_STOPPED
    assert system.pids()["analyzer"] == pid


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_killed_drill_leaves_no_process_stopped(system: System, number: signal.Signals) -> None:
    """The guard lets it go on, at once, and so nobody is restarted."""
    pid = system.pids()["analyzer"]
    process = psutil.Process(pid)
    with under_way(system, "hang", "--process", "analyzer") as drilling:
        wait_until(lambda: process.status() == psutil.STATUS_STOPPED, 2, system, "the analyzer is stopped")
        drilling.send_signal(number)
        wait_until(lambda: process.status() != psutil.STATUS_STOPPED, 2, system, "the analyzer goes on")
        drilling.wait(5)
    wait_until(system.is_ready, 10, system, "all are ready")
    assert system.pids()["analyzer"] == pid


def test_two_drills_at_once_are_refused(system: System) -> None:
    """Neither could say whose fault it sees."""
    with under_way(system, "slow"):
        status, outcome = drill(system, "crash", "--process", "analyzer", "--yes")
        assert (status, outcome["reason"]) == (2, "another drill is under way")
    wait_until(system.is_ready, 10, system, "all are ready")


def test_a_killed_drill_leaves_no_limit(system: System) -> None:
    """The analyzer may write again, and stores what waited."""
    pid = system.pids()["analyzer"]
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    with under_way(system, "disk") as drilling:
        wait_until(lambda: resource.prlimit(pid, resource.RLIMIT_FSIZE)[0] == 0, 2, system, "it may not write")
        drilling.kill()
        wait_until(lambda: resource.prlimit(pid, resource.RLIMIT_FSIZE) == before, 5, system, "it may write")
    wait_until(system.is_ready, 10, system, "all are ready")
    assert system.pids()["analyzer"] == pid


def test_a_killed_drill_leaves_no_lock(system: System) -> None:
    """The database answers again."""
    with under_way(system, "database") as drilling:
        wait_until(lambda: not system.health()["database"]["connected"], 10, system, "the database is away")
        drilling.kill()
    wait_until(lambda: system.health()["database"]["connected"], 20, system, "the database is back")


def test_a_killed_drill_leaves_no_burden(system: System) -> None:
    """The process gives the memory back by itself, five seconds after it was last asked to hold it."""
    process = psutil.Process(system.pids()["analyzer"])
    before_bytes = process.memory_info().rss
    with under_way(system, "leak", "--process", "analyzer") as drilling:
        wait_until(lambda: process.memory_info().rss > before_bytes + 150_000_000, 10, system, "it has grown")
        drilling.kill()
    wait_until(lambda: process.memory_info().rss < before_bytes + 50_000_000, 20, system, "it has shrunk again")


def test_supervisord_killed_leaves_no_orphan_and_the_drill_says_that_all_is_down(system: System) -> None:
    """The last drill here: without systemd nobody starts the copy again."""
    status, outcome = drill(system, "supervisor", "--yes")
    assert (status, outcome["result"]) == (0, "pass"), outcome
    assert "start it again" in outcome["reason"]
    wait_until(lambda: not system.family(), 5, system, "nothing is left")
