"""The runbook's commands: each line is run, in order, on a running copy, and held to what it says."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest
from fakes.fake_reddit import CLIENT_ID, CLIENT_SECRET, FakeReddit
from harness.system import BIN, ROOT, System, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RUNBOOK: Final = ROOT / "deployment" / "RUNBOOK.md"

#: How long a line may look that goes on until Ctrl-C.
FOLLOW_S: Final = 1.2

#: A cycle within the second that the stand-in's 429 asks for would read nothing, and fail. Its end is told in seconds.
LIMITED_S: Final = 2.0

#: Why the few blocks are not run that are not, in their order.
NOT_RUN: Final = (
    "needs the installed unit and its user",
    "needs systemd",
    "asks a server on the internet",
    "needs the installed rule and its user",
)

_FENCE: Final = re.compile(r"^ *```(?P<info>[^\n]*)\n(?P<body>.*?)^ *```$", re.DOTALL | re.MULTILINE)
_NOTE: Final = re.compile(r"\s+# (?:exit (?P<status>\d+) ?)?(?P<follows>until Ctrl-C ?)?(?:-> (?P<sees>.+))?$")
_INSTALLED: Final = f"not-run: {NOT_RUN[0]}"


class Line(msgspec.Struct, frozen=True):
    """One command, and what the runbook says that one sees."""

    command: str
    status: int
    follows: bool
    sees: str


class Block(msgspec.Struct, frozen=True):
    """One fenced block: its language, what follows it (empty, settings, trouble, not-run: why), and its text."""

    language: str
    kind: str
    body: str

    @property
    def reason(self) -> str | None:
        """Why it is not run; None when it is."""
        return self.kind.removeprefix("not-run:").strip() if self.kind.startswith("not-run:") else None

    @property
    def lines(self) -> list[Line]:
        """Its commands, without comments of their own lines."""
        rows = [row for row in self.body.splitlines() if row.strip() and not row.lstrip().startswith("#")]
        if self.language == "cron":
            rows = [row.split(None, 5)[5] for row in rows]
        return [_line(row) for row in rows]


def _line(row: str) -> Line:
    note = _NOTE.search(row)
    if note is None:
        return Line(row, 0, follows=False, sees="")
    return Line(
        row[: note.start()], int(note["status"] or 0), follows=note["follows"] is not None, sees=note["sees"] or ""
    )


def read_blocks() -> list[Block]:
    """Return all fenced blocks of the runbook, in order."""
    found = _FENCE.finditer(RUNBOOK.read_text())
    blocks = []
    for match in found:
        language, _, kind = match["info"].partition(" ")
        blocks.append(Block(language, kind, match["body"]))
    return blocks


def settings_block(kind: str) -> str:
    """Return the one block that sets up the shell in this way."""
    (body,) = [block.body for block in read_blocks() if block.kind == kind]
    return body


def test_every_block_is_run_or_says_why_not() -> None:
    """No fence is of an unknown kind, so none is skipped in silence."""
    blocks = read_blocks()
    assert RUNBOOK.read_text().count("```") == 2 * len(blocks)
    for block in blocks:
        assert block.language in {"bash", "cron"}, block
        assert block.kind in {"", "settings", "trouble"} or block.reason, block
        assert block.lines, block
    run = [block for block in blocks if block.reason is None]
    not_run = [block for block in blocks if block.reason is not None]
    lines = sum(len(block.lines) for block in run)
    print(f"\nrun: {len(run)} blocks with {lines} lines; not run: {[block.reason for block in not_run]}")  # noqa: T201 - the count is to be seen
    assert tuple(block.reason for block in not_run) == NOT_RUN, "what is not run is the exception, and is known here"
    assert all(line.sees for block in run for line in block.lines if line.follows)


def test_every_block_is_bash(tmp_path: Path) -> None:
    """Also those that are not run."""
    script = tmp_path / "block"
    for block in read_blocks():
        script.write_text("\n".join(line.command for line in block.lines) + "\n")
        done = subprocess.run(["/bin/bash", "-n", script], capture_output=True, text=True, timeout=10, check=False)
        assert (done.returncode, done.stderr) == (0, ""), block


def test_both_ways_of_running_have_the_same_names() -> None:
    """Whatever a recipe uses is set for a checkout and for an installed copy."""
    names = re.compile(r"^(\w+)\(\)|\b(SA_\w+)=", re.MULTILINE)
    checkout, installed = (
        {a or b for a, b in names.findall(settings_block(kind))} for kind in ("settings", _INSTALLED)
    )
    assert checkout == installed
    assert len(checkout) >= 11


def test_the_installed_settings_are_those_of_the_unit() -> None:
    """The block reads the file that the unit reads, and uses no place that is not in it."""
    block = settings_block(_INSTALLED)
    unit = (ROOT / "systemd" / "sentimentagent.service").read_text()
    assert "EnvironmentFile=/opt/sentimentagent/deployment/server.env" in unit
    assert '. "$SA_DIR/deployment/server.env"' in block
    given = set(re.findall(r"^(\w+)=", (ROOT / "deployment" / "server.env").read_text(), re.MULTILINE))
    assert set(re.findall(r"\$(SENTIMENTAGENT_\w+)", block)) <= given


def test_every_link_leads_somewhere() -> None:
    """To a heading of this page, or to a file."""
    text = RUNBOOK.read_text()
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        else:
            assert (RUNBOOK.parent / target).exists(), target


class Shell:
    """An operator's shell: set up as the runbook says, for the copy of ``system``."""

    def __init__(self, system: System, checkout: Path) -> None:
        self._system = system
        # As bash in a terminal; a mail that cron would send is shown instead.
        self._setup = settings_block("settings") + "mail() { echo MAIL; cat; }\n"
        # Should start.sh ever think that it must install, pip only pretends to: the venv is that of the tests.
        no_install = {"PIP_DRY_RUN": "1", "PIP_NO_INDEX": "1"}
        self._environ = {**system.environ, **no_install, "SA_DIR": str(checkout), "TERM": "xterm"}

    def run(self, line: Line) -> None:
        """Run a line; fail unless it ends as it says and shows what it says."""
        # cron's lines name the port of the first copy.
        command = line.command.replace("127.0.0.1:8000", f"127.0.0.1:{self._system.port}")
        began_s = time.monotonic()
        with subprocess.Popen(
            ["/bin/bash", "-c", f"{self._setup}\n{command}"],
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                output, _ = process.communicate(timeout=FOLLOW_S if line.follows else 60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGTERM)
                output, _ = process.communicate(timeout=10)
                assert line.follows, f"it does not end: {command}\n{output}\n{self._system.describe()}"
            else:
                assert not line.follows, f"it ends: {command}\n{output}"
                assert process.returncode == line.status, self._complaint(command, line, output, process.returncode)
        assert line.sees in output, self._complaint(command, line, output, process.returncode)
        assert "MAIL" not in output, output
        if "SHOW_RUNBOOK" in os.environ:
            print(f"$ {command}  [{time.monotonic() - began_s:.1f} s]\n{output}")  # noqa: T201 - for who wants to look

    def _complaint(self, command: str, line: Line, output: str, status: int) -> str:
        told = f"the runbook says: exit {line.status}, {line.sees!r}; it was exit {status}"
        return f"$ {command}\n{told}\n{output}\n{self._system.describe()}"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout whose venv is there already: start.sh finds its stamp and installs nothing."""
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "bin").symlink_to(BIN)
    # A copy: were a file to change meanwhile, start.sh would find another stamp and install into this very venv.
    shutil.copytree(ROOT / "deployment", tmp_path / "deployment")
    for name in ("start.sh", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    stamp = "{ cat deployment/requirements.txt pyproject.toml; pwd -P; } | cksum >.venv/.made-from.requirements.txt"
    subprocess.run(["/bin/bash", "-c", stamp], cwd=tmp_path, timeout=10, check=True)
    return tmp_path


@pytest.mark.e2e
@pytest.mark.timeout(240)
async def test_every_command_does_what_the_runbook_says(make_system: Callable[..., System], checkout: Path) -> None:
    """From the quick reference to the complete restart, on a copy that is well and on one that is not."""
    for program in ("jq", "curl", "watch", "ss", "pgrep"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not here: apt has it (watch and pgrep in procps, ss in iproute2)")
    async with FakeReddit() as fake:
        now = time.time()
        for number in range(120):
            fake.add_post("Cursor", now - 600 + number, title=f"I love this editor, part {number}", selftext="")
        for subreddit in ("Bard", "OpenAI", "windsurf"):
            fake.add_post(subreddit, now - 60)
        fake.failures["aws"] = fake.answer(403)
        fake.failures["claude"] = fake.answer(429, {"retry-after": "1"})
        reddit = {
            "REDDIT_URL": fake.url,
            "REDDIT_CLIENT_ID": CLIENT_ID,
            "REDDIT_CLIENT_SECRET": CLIENT_SECRET,
            "SUBREDDITS": "Cursor,Bard,OpenAI,windsurf,aws,claude",
        }
        nowhere = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(free_port()), "SMTP_SECURITY": "none"}
        addresses = {"ALERT_FROM": "sentimentagent@example.org", "ALERT_TO": "operator@example.org"}
        troubles = {
            "SENTIMENT_ENGINE": "flair",
            "SENTIMENT_MODEL": "nobody/no-such-model",
            "OUTBOX_MAX_ITEMS": "50",
            "RESTART_INTENSITY": "1",
        }
        well = make_system(**reddit)
        ill = make_system(**reddit, **troubles, **nowhere, **addresses)
        await asyncio.to_thread(_work_through, well, ill, checkout)


def _work_through(well: System, ill: System, checkout: Path) -> None:
    well.start()
    wait_until(well.is_ready, 90, well, "all four processes are ready")
    wait_until(lambda: well.health()["application"]["failing_subreddits"], 30, well, "a cycle is stored")
    wait_until(lambda: _cycle_age_s(well) > LIMITED_S, 30, well, "Reddit's limit of before is over")
    ill.start()  # it has until section 6 to fail
    _hold_the_shapes(well)
    shells = {"": Shell(well, checkout), "trouble": Shell(ill, checkout)}
    is_ill = False
    for block in read_blocks():
        if block.reason is not None or block.kind == "settings":
            continue
        if block.kind == "trouble" and not is_ill:
            wait_until(lambda: _is_as_ill_as_told(ill), 60, ill, "it is in all its troubles")
            is_ill = True
        for line in block.lines:
            shells[block.kind].run(line)


def _cycle_age_s(system: System) -> float:
    ended_at = datetime.fromisoformat(system.health()["application"]["last_collection_at"])
    return (datetime.now(UTC) - ended_at).total_seconds()


def _is_as_ill_as_told(system: System) -> bool:
    health = system.health()
    if health["status"] != "degraded":
        return False
    processes = health["processes"]
    return (
        processes["analyzer"]["verdict"] == "quarantined"
        and processes["collector"]["waiting_for"] == "outbox"
        and "not sent" in health["watchdog"]["alerts"]
    )


#: What the operators' scripts read of a post.
_POST: Final = {
    "id", "subreddit", "author", "title", "content", "url", "created_utc", "upvotes", "comment_count", "collected_at",
    "sentiment", "confidence", "compound_score",
}  # fmt: skip


def _hold_the_shapes(system: System) -> None:
    """Hold each path that operators have always asked to the names and types that their scripts read."""
    status, health = system.get("/api/v1/health")
    assert status == 200
    assert health["status"] in {"healthy", "degraded"}
    _are(health["process"], uptime_seconds=float, memory_mb=float, pid=int)
    assert health["process"].keys() >= {"cpu_percent"}
    _are(health["application"], collections_succeeded=int, collections_failed=int, data_freshness_minutes=float)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", health["application"]["last_collection_at"])
    assert health["database"]["connected"] is True

    posts = system.get("/api/v1/posts/recent?limit=5")[1]
    assert len(posts) == 5
    assert all(post.keys() >= _POST for post in posts)
    assert [post["created_utc"] for post in posts] == sorted((post["created_utc"] for post in posts), reverse=True)

    for hours in (24, 168):
        stats = system.get(f"/api/v1/sentiment/stats?hours={hours}")[1]
        _are(stats, subreddit=str, time_window_hours=int, timestamp=str)
        assert stats["time_window_hours"] == hours
        _are(stats["statistics"], total=int, positive=int, negative=int, neutral=int, avg_sentiment=float)
    assert isinstance(system.get("/api/v1/sentiment/stats?hours=1000")[1]["detail"], str)

    status, answer = system.get("/api/v1/admin/collect", "POST")
    assert (status, answer["status"]) == (200, "triggered")
    _are(answer, message=str, timestamp=str)


def _are(values: dict[str, Any], **types: type) -> None:
    """Hold each value to its type; an int is as good as a float in JSON."""
    for name, wanted in types.items():
        allowed = (int, float) if wanted is float else (wanted,)
        assert isinstance(values[name], allowed), (name, values[name])
        assert not isinstance(values[name], bool), name
