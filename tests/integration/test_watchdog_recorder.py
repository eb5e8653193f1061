"""The flight recorder and real processes that hang, stand still, or are slow to be examined."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from harness.mailbox import Mailbox, serving, text_of
from harness.tree import Tree
from structlog.testing import capture_logs

from ipc.environment import load
from ipc.messages import Incident
from watchdog import dossier
from watchdog.incidents import Incidents
from watchdog.incidents_command import incidents as command
from watchdog.recorded import read
from watchdog.recorder import Recorder
from watchdog.records import Limits, Verdict
from watchdog.sample import Process
from watchdog.watched import Watched

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

PLANTED_TEXT = "my-cat-hates-the-new-autocomplete"
PLANTED_SECRET = "hunter-two-and-a-half"  # noqa: S105 - a test plants it and looks for it

#: A service whose loop is blocked in a call that holds somebody's text, or that has not yet been armed.
SERVICE = """
import asyncio, signal, sys, time
from ipc.life import run

class Service:
    def __init__(self, settings, pulse):
        self.pulse = pulse
    async def __aenter__(self):
        return self
    async def __aexit__(self, *_):
        pass
    def score_one(self, text):
        print("blocked in", text, flush=True)
        {line}
    async def work(self, stop):
        self.score_one({text!r})

{before}
sys.exit(run("analyzer", Service))
"""
HANG = "time.sleep(600)  # the stuck line"
SPIN = "[None for _ in iter(int, 1)]"


@asynccontextmanager
async def hanging(home: Path, line: str = HANG, before: str = "") -> AsyncIterator[Process]:
    """Start such a process and hold it, blocked; end it after the block."""
    script = home / "hanging.py"
    script.write_text(SERVICE.format(line=line, text=PLANTED_TEXT, before=before))
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        str(script),
        env={**os.environ, "SENTIMENTAGENT_HOME": str(home)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert child.stdout is not None
    process: Process | None = None
    try:
        async with asyncio.timeout(20):
            while b"blocked in" not in await child.stdout.readline():
                pass
            process = Process.open(child.pid, lambda: None)
            assert process is not None
            yield process
    finally:
        if process is not None:
            process.close()
        with contextlib.suppress(ProcessLookupError):  # the test has killed it
            child.kill()
        await child.wait()


def recorder(home: Path, proc: Path = Path("/proc"), **settings: str) -> Recorder:
    """Return a recorder for the home's processes."""
    return Recorder(load({"SENTIMENTAGENT_HOME": str(home), "SMTP_PASSWORD": PLANTED_SECRET, **settings}), proc)


async def record(by: Recorder, process: Process | None) -> Path:
    """Record one incident of the analyzer and return its folder."""
    incident = Incidents().open("analyzer", "hung", f"no beat for 1.2 s {PLANTED_SECRET[:3]}")
    await by.record(incident, watched().report(0, None), process)
    return by.folder / incident.id


def watched() -> Watched:
    """Return an analyzer of which nothing is known."""
    return Watched("analyzer", Limits(warning_mb=400, limit_mb=480), Path("control.sock"))


def texts(folder: Path) -> dict[str, str]:
    """Return what the files of a folder say."""
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize(("line", "stuck"), [(HANG, 'hanging.py", line 14 in score_one'), (SPIN, "in score_one")])
async def test_the_stacks_of_a_hung_process_show_the_line_it_hangs_in(short_path: Path, line: str, stuck: str) -> None:
    """Its loop does not turn, and nobody else gets the GIL of a loop without end: the handler is in C."""
    async with hanging(short_path, line) as process:
        folder = await record(recorder(short_path), process)
        found = texts(folder)
        assert set(found) == {
            "incident.json",
            "samples.ndjson",
            "stacks.txt",
            "memory.txt",
            "files.txt",
            "log-tail.txt",
        }
        assert stuck in found["stacks.txt"]
        assert f"thread {process.pid} (python" in found["stacks.txt"]
        assert "Pss_Anon:" in found["memory.txt"]
        assert "SigCgt:" in found["memory.txt"]
        assert "backend.log" in found["files.txt"]
        assert read(folder / "incident.json").took_s < 2
        assert not process.died.is_set()


async def test_a_stopped_process_has_no_stacks_and_the_rest_is_kept(short_path: Path) -> None:
    """SIGSTOP: no handler runs, and waiting for one would be time lost."""
    async with hanging(short_path) as process:
        process.signal(signal.SIGSTOP)
        began_s = time.monotonic()
        found = texts(await record(recorder(short_path, INCIDENT_SNAPSHOT_S="20"), process))
        assert time.monotonic() - began_s < 5
        assert "no stacks: the process is stopped" in found["stacks.txt"]
        assert "Pss_Anon:" in found["memory.txt"]
        assert "descriptors" in found["files.txt"]


async def test_a_process_that_does_not_listen_for_the_signal_is_not_ended_by_it(short_path: Path) -> None:
    """What is not armed would die of SIGUSR2."""
    async with hanging(short_path, "signal.signal(signal.SIGUSR2, signal.SIG_DFL); time.sleep(600)") as process:
        await asyncio.sleep(0.1)
        found = texts(await record(recorder(short_path), process))
        assert "no stacks: the process does not listen for SIGUSR2" in found["stacks.txt"]
        assert not process.died.is_set()


@pytest.mark.parametrize(
    ("program", "told"),
    [("echo 'Thread 1 (idle): score_one'", "Thread 1 (idle)"), ("sleep 60", "py-spy took longer than 0.4 s")],
)
async def test_py_spy_is_asked_where_it_is_and_may_not_take_long(
    short_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, told: str
) -> None:
    """It sees what faulthandler can't: a stopped process."""
    py_spy = short_path / "py-spy"
    py_spy.write_text(f"#!/bin/sh\nexec {program}\n")
    py_spy.chmod(0o700)
    monkeypatch.setenv("PATH", f"{short_path}:{os.environ['PATH']}")
    async with hanging(short_path) as process:
        found = texts(await record(recorder(short_path, INCIDENT_SNAPSHOT_S="0.5"), process))
        assert told in found["stacks.txt"]
        assert "in score_one" in found["stacks.txt"]


async def test_a_process_that_ends_meanwhile_is_not_waited_for(short_path: Path) -> None:
    """A stopped one that is killed during the snapshot will never answer."""
    async with hanging(
        short_path, "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2]); time.sleep(600)"
    ) as process:
        await asyncio.sleep(0.1)
        began_s = time.monotonic()
        recording = asyncio.create_task(record(recorder(short_path, INCIDENT_SNAPSHOT_S="20"), process))
        await asyncio.sleep(0.2)
        process.signal(signal.SIGKILL)
        found = texts(await recording)
        assert time.monotonic() - began_s < 5
        assert "no stacks: the process has ended meanwhile" in found["stacks.txt"]


@contextmanager
def slow_proc(folder: Path, pid: int) -> Iterator[Path]:
    """Make a /proc whose smaps_rollup blocks whoever opens it, until the block ends."""
    own = folder / "proc" / str(pid)
    own.mkdir(parents=True)
    (own / "status").symlink_to(f"/proc/{pid}/status")
    os.mkfifo(own / "smaps_rollup")
    try:
        yield folder / "proc"
    finally:
        os.close(os.open(own / "smaps_rollup", os.O_RDWR | os.O_NONBLOCK))


async def test_what_is_slow_costs_its_own_part_and_never_more_than_the_limit(short_path: Path) -> None:
    """The memory of a big process may take its time; the restart may not wait for it."""
    async with hanging(short_path) as process:
        with slow_proc(short_path, process.pid) as proc:
            by = recorder(short_path, proc, INCIDENT_SNAPSHOT_S="0.5")
            began_s = time.monotonic()
            folder = await record(by, process)
            assert time.monotonic() - began_s < 1
            found = texts(folder)
        assert "not measured: it took longer than 0.45 s" in found["memory.txt"]
        assert "SigCgt:" in found["memory.txt"]
        assert "in score_one" in found["stacks.txt"]
        assert "not measured: FileNotFoundError" in found["stacks.txt"]


async def test_a_disk_that_does_not_take_it_stops_nothing(short_path: Path) -> None:
    """A recorder that fails is a line in the log."""
    by = recorder(short_path)
    (short_path / "state").mkdir()
    (short_path / "state" / "incidents").write_text("in the way")
    with capture_logs() as told:
        await record(by, None)
    assert (short_path / "state" / "incidents").read_text() == "in the way"
    assert [(each["event"], each["kind"]) for each in told] == [("Evidence not kept", "FileExistsError")]


async def test_no_text_of_a_post_and_no_secret_gets_into_a_folder(short_path: Path) -> None:
    """The text is an argument of the stuck call, and a library printed it; the secret stands in a line of ours."""
    (short_path / "logs").mkdir()
    ours = "time=2026-01-01T00:00:00.1Z level=info process=analyzer event=Ready"
    log = f"{ours} password={PLANTED_SECRET}\nUserWarning: odd token in {PLANTED_TEXT}\n"
    async with hanging(short_path) as process:
        (short_path / "logs" / "analyzer.log").write_text(log)
        folder = await record(recorder(short_path), process)
    found = texts(folder)
    assert "password=***" in found["log-tail.txt"]
    assert "in score_one" in found["stacks.txt"]
    assert [name for name, text in found.items() if PLANTED_TEXT in text or PLANTED_SECRET in text] == []


async def test_of_an_incident_that_happens_again_the_first_and_the_last_time_are_kept(short_path: Path) -> None:
    """A leak that comes back every hour is one incident, and must not fill the disk."""
    by = recorder(short_path)
    incident = Incidents().open("analyzer", "memory", "first")
    for reason in ("first", "second", "third"):
        again = Incident(**{name: getattr(incident, name) for name in Incident.__struct_fields__} | {"reason": reason})
        await by.record(again, watched().report(0, None), None)
    folder = by.folder / incident.id
    assert read(folder / "incident.json").incident.reason == "first"
    assert read(folder / "latest" / "incident.json").incident.reason == "third"
    assert "it had ended" in (folder / "stacks.txt").read_text()
    assert sorted(path.name for path in by.folder.iterdir()) == [incident.id]


async def test_evidence_with_bytes_that_are_no_text_is_told_as_not_there(short_path: Path) -> None:
    """A disk that lost a sector must not keep the rest from being read."""
    by = recorder(short_path)
    folder = await record(by, None)
    (told,) = dossier.all_of(short_path / "state")
    for path in (short_path / "state" / "watchdog.json", folder / "incident.json", folder / "samples.ndjson"):
        path.write_bytes(b'{"\xff": 1}')
    assert dossier.all_of(short_path / "state") == []
    found = dossier.evidence_of(told)
    assert (found.recorded, found.points) == (None, ())
    assert "log-tail.txt" in found.texts
    await by.update(told.incident)


async def test_the_command_lists_and_shows_without_a_watchdog(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incidents are read when something is down."""
    monkeypatch.setenv("SENTIMENTAGENT_HOME", str(short_path))
    assert CliRunner().invoke(command, []).stdout == "no incidents\n"
    by, each = recorder(short_path), watched()
    each.verdict = Verdict(name="strike", reason="")
    for at_s in range(100):
        by.note(each, None, float(at_s))
    incident = Incidents().open("analyzer", "hung", "no beat for \x1b[31m12 s")
    await by.record(incident, each.report(0, None), None)
    closed = Incidents([incident]).close("analyzer")[0]
    await by.update(closed)

    listed = CliRunner().invoke(command, [])
    assert listed.exit_code == 0
    header, line = listed.stdout.splitlines()
    assert header.startswith("incident ")
    assert line.startswith(f"{incident.id} ")
    assert " closed yes " in line
    assert "\x1b" not in listed.stdout

    shown = CliRunner().invoke(command, ["show", incident.id[:12]]).stdout
    assert "Samples   100, some of them:" in shown
    assert shown.count(" strike ") == 20
    assert "no stacks" not in shown
    assert "it had ended" in shown
    assert "\x1b" not in shown

    told = json.loads(CliRunner().invoke(command, ["--json"]).stdout)
    assert [each["incident"]["id"] for each in told] == [incident.id]
    whole = json.loads(CliRunner().invoke(command, ["show", incident.id, "--json"]).stdout)
    assert len(whole["points"]) == 100
    assert whole["recorded"]["process"]["beat"] is None

    missing = CliRunner().invoke(command, ["show", "no-such"])
    assert missing.exit_code == 1
    assert missing.stderr.startswith("no incident is called no-such")


async def test_a_hang_under_supervisord_leaves_its_evidence(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way: the victim hangs, is recorded, is replaced at once, and the operator reads why."""
    box = Mailbox()
    sender = {"SMTP_HOST": "127.0.0.1", "SMTP_SECURITY": "none", "ALERT_FROM": "sa@example.org", "ALERT_TO": "op@b.org"}
    with serving(box) as port:
        async with Tree(short_path, sender | {"SMTP_PORT": str(port)}, processes=("watchdog", "analyzer")) as tree:
            await hang_and_read(tree, box, short_path, monkeypatch)


async def hang_and_read(tree: Tree, box: Mailbox, short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the analyzer hang, and look at all that an operator could look at."""
    pid = (await tree.ready())["analyzer"]
    tree.order("analyzer", "hang")
    incident = await tree.incident("analyzer", "hung")
    tree.order("analyzer", "well")
    folder = short_path / "state" / "incidents" / incident.id
    await tree.until(lambda: "ended after" in (folder / "incident.json").read_text(), 5, "the action is noted")
    found = texts(folder)
    assert 'victim.py", line ' in found["stacks.txt"]
    assert " in work" in found["stacks.txt"]
    recorded = read(folder / "incident.json")
    assert recorded.process.pid == pid
    assert recorded.process.beat is not None
    assert recorded.process.beat.pid == pid
    assert recorded.took_s < 2
    points = [json.loads(line) for line in found["samples.ndjson"].splitlines()]
    assert points[-1]["verdict"] == "restart"
    assert points[-1]["rss_mb"] > 10
    assert "event=Ready" in found["log-tail.txt"]
    monkeypatch.setenv("SENTIMENTAGENT_HOME", str(short_path))
    shown = CliRunner().invoke(command, ["show", incident.id]).stdout
    assert "Done      SIGTERM, and SIGKILL after" in shown
    assert 'victim.py", line ' in shown
    letter = await box.letter()
    assert f"sentimentagent incidents show {incident.id}" in text_of(letter)
    (attached,) = letter.iter_attachments()
    assert attached.get_filename() == f"{incident.id}.txt"
    assert 'victim.py", line ' in attached.get_content()


async def test_a_crash_leaves_what_is_still_to_be_had(short_path: Path) -> None:
    """Samples, and the log with Python's own last words; the replacement does not wait for it."""
    async with Tree(short_path, processes=("watchdog", "collector")) as tree:
        pid = (await tree.ready())["collector"]
        os.kill(pid, signal.SIGSEGV)
        await tree.replaced("collector", pid, within_s=2)
        incident = await tree.incident("collector", "crashed")
        folder = short_path / "state" / "incidents" / incident.id
        await tree.until((folder / "incident.json").exists, 5, "the evidence is there")
        found = texts(folder)
        assert str(pid) in found["samples.ndjson"]
        assert "event=Ready" in found["log-tail.txt"]
        assert "Fatal Python error: Segmentation fault" in found["log-tail.txt"]
        assert "in _run" in found["log-tail.txt"]
        assert "left out" not in found["log-tail.txt"]
        assert "it had ended" in found["stacks.txt"]


async def test_a_killed_watchdog_records_what_it_can_of_itself(short_path: Path) -> None:
    """Its next life finds the log, and the history up to a minute before."""
    async with Tree(short_path, processes=("watchdog", "collector")) as tree:
        pid = (await tree.ready())["watchdog"]
        os.kill(pid, signal.SIGKILL)
        await tree.replaced("watchdog", pid, within_s=10)
        incident = await tree.incident("watchdog", "crashed")
        found = texts(short_path / "state" / "incidents" / incident.id)
        assert "event=Ready" in found["log-tail.txt"]
        assert "it had ended" in found["stacks.txt"]
