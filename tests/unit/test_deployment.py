"""What is deployed fits together: supervisord.conf, Procfile, the unit, the settings."""

from __future__ import annotations

import configparser
import gzip
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from ipc.messages import PROCESSES
from ipc.settings import LifeSettings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def conf() -> configparser.RawConfigParser:
    """Return the shipped supervisord.conf as supervisord reads it."""
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";",))
    parser.read(ROOT / "deployment" / "supervisord.conf")
    return parser


@pytest.fixture
def unit() -> configparser.RawConfigParser:
    """Return the shipped systemd unit; a key that stands several times keeps its last value."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(ROOT / "systemd" / "sentimentagent.service")
    return parser


def programs(conf: configparser.RawConfigParser) -> dict[str, str]:
    """Return the command of each program."""
    return {
        section.removeprefix("program:"): conf[section]["command"]
        for section in conf.sections()
        if section.startswith("program:")
    }


def test_procfile_and_supervisord_start_the_same(conf: configparser.RawConfigParser) -> None:
    """Development and production differ in who starts, not in what."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    assert dict(line.split(": ", 1) for line in lines) == programs(conf)
    assert set(programs(conf)) == set(PROCESSES)


def test_every_program_is_a_console_script_of_ours(conf: configparser.RawConfigParser) -> None:
    """No module is started by its path: a foreign `watchdog` package could stand there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(programs(conf).values()) <= set(project["scripts"])


def test_a_stop_has_time_to_drain_before_it_is_a_kill(
    conf: configparser.RawConfigParser, unit: configparser.RawConfigParser
) -> None:
    """The grace < supervisord's stopwaitsecs, and their sum (stops are one after the other) < TimeoutStopSec."""
    waits = [conf.getfloat(f"program:{name}", "stopwaitsecs") for name in programs(conf)]
    assert LifeSettings().shutdown_grace_s < min(waits)
    assert sum(waits) < float(unit["Service"]["TimeoutStopSec"].removesuffix("s"))


@pytest.mark.parametrize("process", PROCESSES)
def test_every_program_is_bounded_and_comes_back(conf: configparser.RawConfigParser, process: str) -> None:
    """Also after an exit of 0 that nobody asked for; only wrong settings (78) are not tried for ever."""
    program = conf[f"program:{process}"]
    assert program["autorestart"] == "unexpected"
    assert program["exitcodes"] == "78"
    assert program["stopasgroup"] == program["killasgroup"] == "true"
    assert re.fullmatch(r"\d+MB", program["stdout_logfile_maxbytes"])
    assert program["redirect_stderr"] == "true"


def test_only_the_watchdog_may_talk_to_systemd(conf: configparser.RawConfigParser) -> None:
    """Another process's READY=1 would tell systemd a lie."""
    for process in PROCESSES:
        environment = conf.get(f"program:{process}", "environment", fallback="")
        assert ('NOTIFY_SOCKET=""' in environment) == (process != "watchdog")


def test_the_control_socket_is_private(conf: configparser.RawConfigParser) -> None:
    """Whoever can write to it can run anything as us."""
    assert conf["unix_http_server"]["chmod"] == "0700"


def test_the_unit_restarts_ends_the_tree_and_is_told_when_it_is_ready(unit: configparser.RawConfigParser) -> None:
    """READY and WATCHDOG come from a child of supervisord, which only NotifyAccess=all lets through."""
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert service["NotifyAccess"] == "all"
    assert service["KillMode"] in {"mixed", "control-group"}
    assert service["Restart"] == "on-failure"
    assert int(service["WatchdogSec"]) > 0
    assert service["MemoryMax"]


def test_systemd_finds_nothing_to_say_about_the_unit(tmp_path: Path) -> None:
    """`verify` returns 0 on unknown keys, so any word is a failure; only the unit's program is not installed here."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here")
    text = (ROOT / "systemd" / "sentimentagent.service").read_text()
    copy = tmp_path / "sentimentagent.service"
    copy.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE))
    command = [shutil.which("systemd-analyze") or "", "verify", str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


def test_logrotate_takes_the_file_that_all_processes_follow() -> None:
    """The file that the processes reopen after a rename; the others are supervisord's own."""
    text = (ROOT / "deployment" / "logrotate").read_text()
    assert "/var/log/sentimentagent/backend.log {" in text
    assert "create 0644 sentimentagent sentimentagent" in text


def test_logrotate_keeps_yesterdays_file_when_the_processes_turn_over_theirs(tmp_path: Path) -> None:
    """They rename the file to `.1` above their size; logrotate's own copies begin at `.2`."""
    program = shutil.which("logrotate", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("logrotate is not here")
    rule, log = tmp_path / "rule", tmp_path / "backend.log"
    text = (ROOT / "deployment" / "logrotate").read_text().replace("/var/log/sentimentagent", str(tmp_path))
    rule.write_text(text.replace("sentimentagent sentimentagent", ""))
    rule.chmod(0o644)
    for day in ("yesterday", "today"):
        log.write_text(f"{day}\n")
        command = [program, "--force", "--state", str(tmp_path / "state"), str(rule)]
        subprocess.run(command, capture_output=True, timeout=30, check=True)
        log.write_text("full\n")
        log.replace(f"{log}.1")
    assert (tmp_path / "backend.log.2").read_text() == "today\n"
    with gzip.open(tmp_path / "backend.log.3.gz", "rt") as packed:
        assert packed.read() == "yesterday\n"
