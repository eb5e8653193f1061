"""The doctor's judgements: what was found goes in, a finding comes out."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent import outbox
from agent.store import sqlite_schema
from ipc.environment import load
from watchdog.checks import clock, database, installation, machine, reddit, service, sockets
from watchdog.checks.finding import Claim, Finding
from watchdog.doctor_command import describe, summary
from watchdog.supervisor import Program

if TYPE_CHECKING:
    from watchdog.checks.finding import Result

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize(
    ("version", "result"),
    [((3, 10, 14), "wrong"), ((3, 11, 0), "ok"), ((3, 13, 9), "ok"), ((3, 14, 0), "wrong")],
)
def test_the_python_is_one_of_those_that_are_declared(version: tuple[int, int, int], result: Result) -> None:
    """An older or newer one may start and break later."""
    assert installation.python(version).result == result


def test_the_declared_pythons_are_the_ones_that_are_checked() -> None:
    """One truth: pyproject.toml."""
    oldest, newest = installation.OLDEST, installation.NEWEST
    assert PROJECT["requires-python"] == f">={oldest[0]}.{oldest[1]},<{newest[0]}.{newest[1] + 1}"
    assert set(installation.EXTRAS) <= set(PROJECT["optional-dependencies"])


REQUIREMENTS = [
    "click>=8.1",
    "aiohttp<4,>=3.11; extra == 'api'",
    "no-such-distribution==1.0; extra == 'analyzer'",
    "aiohttp==0.1; extra == 'watchdog'",
]


@pytest.mark.parametrize(
    ("extra", "result", "says"),
    [
        ("api", "ok", "aiohttp"),
        ("analyzer", "wrong", "no-such-distribution is not installed"),
        ("watchdog", "wrong", "should be 0.1"),
        ("collector", "not checked", "names no package"),
    ],
)
def test_an_extra_is_judged_by_what_is_installed(extra: str, result: Result, says: str) -> None:
    """Missing, in another version, or there."""
    finding = installation.installed(extra, REQUIREMENTS, {"aiohttp": ["aiohttp"]})
    assert (finding.result, finding.name) == (result, f"venv.{extra}")
    assert says in finding.found


def test_a_distribution_whose_modules_are_gone_is_not_installed_well() -> None:
    """Its metadata says that it is there, its folder was removed."""
    finding = installation.installed("api", REQUIREMENTS, {"aiohttp": ["aiohttp_of_nobody"]})
    assert finding.result == "wrong"
    assert "can't be imported" in finding.found


@pytest.mark.parametrize(
    ("module", "is_there"),
    [("azure.cosmos", True), ("azure.no_such_part", False), ("no_such_package.part", False), ("msgspec", True)],
)
def test_a_module_is_looked_up_and_not_imported(module: str, is_there: bool) -> None:  # noqa: FBT001 - a table
    """Of a folder that distributions share, the part counts: azure-core alone brings `azure` too."""
    before = sys.modules.get("azure.cosmos")
    assert installation.can_be_imported(module) == is_there
    assert sys.modules.get("azure.cosmos") is before


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        (
            {},
            {
                "venv.alerts": "not needed: ALERT_URLS is not set",
                "venv.cosmos": "not needed: COSMOS_ENDPOINT is not set",
            },
        ),
        ({"ALERT_URLS": "json://127.0.0.1"}, {"venv.alerts": "apprise"}),
        ({"COSMOS_ENDPOINT": "https://a.example.org"}, {"venv.cosmos": "aiohttp, azure-cosmos"}),
        ({"COSMOS_KEY": "a2V5"}, {"venv.cosmos": "aiohttp, azure-cosmos"}),
        ({"SENTIMENT_ENGINE": "onnx"}, {"venv.analyzer": "not needed: SENTIMENT_ENGINE=flair is not set"}),
        ({}, {"venv.onnx": "not needed: SENTIMENT_ENGINE=onnx is not set"}),
    ],
)
def test_an_extra_is_asked_for_only_by_the_settings_that_need_it(
    environ: dict[str, str], found: dict[str, str]
) -> None:
    """Nobody has to install what he does not use."""
    findings = {each.name: each for each in installation.called_for(load({"SENTIMENTAGENT_HOME": "/x", **environ}))}
    assert set(findings) == {"venv.alerts", "venv.analyzer", "venv.cosmos", "venv.onnx"}
    assert {name: findings[name].found for name in found} == found


@pytest.mark.parametrize("extra", ["alerts", "cosmos"])
def test_a_missing_extra_is_named_with_the_command_that_installs_it(extra: str) -> None:
    """Instead of a watchdog that sends by mail alone, and nobody notices."""
    wanted = {extra: ("A_SETTING", True)}
    (finding,) = installation._extras(wanted, [f"no-such-thing>=1; extra == '{extra}'"], {})
    assert (finding.name, finding.result) == (f"venv.{extra}", "wrong")
    assert finding.found == "no-such-thing is not installed"
    assert finding.mend.endswith("pip install -r deployment/requirements.txt")


def test_what_the_pins_do_not_hold_is_mended_by_its_extra() -> None:
    """The default settings don't need onnxruntime, so the pinned requirements don't bring it."""
    (finding,) = installation._extras({"onnx": ("A_SETTING", True)}, ["no-such-thing>=1; extra == 'onnx'"], {})
    assert finding.mend.endswith("pip install 'sentimentagent[onnx]'")


def test_a_foreign_owner_of_our_names_is_named() -> None:
    """PyPI's `watchdog` in our venv starts something else."""
    assert installation.owners({"watchdog": ["sentimentagent"]}).result == "ok"
    finding = installation.owners({"watchdog": ["sentimentagent", "watchdog"], "agent": ["agent"]})
    assert finding.result == "wrong"
    assert "agent, watchdog" in finding.found


def test_a_package_from_another_folder_is_named(tmp_path: Path) -> None:
    """A PYTHONPATH with another checkout in it."""
    assert installation.origins(ROOT).result == "ok"
    assert "ipc comes from" in installation.origins(tmp_path).found


@pytest.mark.parametrize(
    ("free_mb", "result"), [(1024.0, "ok"), (1023.0, "warning"), (200.0, "warning"), (199.0, "wrong")]
)
def test_free_space_has_two_levels(tmp_path: Path, free_mb: float, result: Result) -> None:
    """Low is told before it is too late."""
    assert machine.disk("disk.state", tmp_path, free_mb, 30_000).result == result


@pytest.mark.parametrize(("total_mb", "result"), [(2740.0, "ok"), (2739.0, "warning"), (629.0, "wrong")])
def test_memory_is_judged_against_limits_and_baselines(total_mb: float, result: Result) -> None:
    """Below the limits a leak reaches the machine before its limit; below the baselines nothing starts."""
    assert machine.memory(total_mb, 100.0, 2740.0, 630).result == result


@pytest.mark.parametrize(
    ("newest_utc", "result"), [(None, "not checked"), (900.0, "ok"), (1050.0, "ok"), (1061.0, "wrong")]
)
def test_items_from_the_future_mean_a_wrong_clock(newest_utc: float | None, result: Result) -> None:
    """A minute is tolerated; nothing stored is no proof of a right clock."""
    assert clock.against_items(newest_utc, 1000.0).result == result


def test_the_marks_of_our_files_are_those_that_are_written() -> None:
    """Said twice because the doctor imports nothing of the writers; held together here."""
    assert database.STORE_ID == sqlite_schema.APPLICATION_ID
    assert database.OUTBOX_ID == outbox._APPLICATION_ID


def test_a_path_too_long_for_a_socket_is_found_before_a_start() -> None:
    """108 bytes are all there is."""
    assert sockets.paths([Path("/run/a.sock"), Path("/run/collector.sock")]).found == "the longest has 19"
    assert sockets.paths([Path("/") / ("x" * 120)]).result == "wrong"


HTML = {"content-type": "text/html; charset=utf-8"}


@pytest.mark.parametrize(
    ("status", "headers", "body", "result", "says"),
    [
        (200, {}, b'{"access_token": "t"}', "ok", "issued"),
        (200, {}, b'{"error": "unsupported_grant_type"}', "wrong", "refused the credentials"),
        (200, HTML, b"<html>Log in</html>", "wrong", "a page came"),
        (200, {}, b"[]", "wrong", "holds no token"),
        (302, {}, b"", "wrong", "leads to another place (status 302)"),
        (400, {}, b"{}", "wrong", "refused the credentials (status 400)"),
        (401, {}, b"{}", "wrong", "refused the credentials (status 401)"),
        (403, {}, b'{"message": "Forbidden"}', "wrong", "forbids it to this client"),
        (403, HTML, b"<!doctype html>blocked", "wrong", "blocks this machine"),
        (404, {}, b"", "wrong", "refused the request (status 404)"),
        (429, {"retry-after": "17"}, b"", "warning", "for 17 s (status 429)"),
        (429, {}, b"", "warning", "does not say for how long"),
        (503, HTML, b"<html>", "warning", "trouble of its own (status 503)"),
    ],
)
def test_each_answer_of_reddit_has_its_own_words(
    status: int, headers: dict[str, str], body: bytes, result: Result, says: str
) -> None:
    """Each is mended elsewhere."""
    finding = reddit.judge(reddit.Reply(status, headers, body))
    assert finding.result == result
    assert says in finding.found
    assert (finding.mend == "") == (result == "ok")


def programs(**states: str) -> dict[str, Program]:
    """Return what supervisord would say."""
    return {
        name: Program(name=name, group=name, statename=state, pid=7, exitstatus=0) for name, state in states.items()
    }


@pytest.mark.parametrize(
    ("states", "result", "mend"),
    [
        ({"analyzer": "RUNNING"}, "ok", ""),
        ({"analyzer": "STOPPED"}, "warning", "supervisorctl .* start analyzer$"),
        ({"analyzer": "FATAL"}, "wrong", "tail -n 50 .*analyzer.log; then: .*supervisorctl .* start analyzer$"),
        ({"analyzer": "BACKOFF", "api": "STOPPED"}, "wrong", "start analyzer api$"),
    ],
)
def test_programs_that_do_not_run_are_named(tmp_path: Path, states: dict[str, str], result: Result, mend: str) -> None:
    """An operator's stop is a warning, a crash is wrong."""
    settings = load({"SENTIMENTAGENT_HOME": str(tmp_path)})
    told = programs(**{"collector": "RUNNING", "api": "RUNNING", "watchdog": "STARTING", **states})
    finding = service.supervisord(settings, told)
    assert finding.result == result
    assert f"analyzer {states['analyzer']}" in finding.found
    assert re.search(mend, finding.mend) if mend else finding.mend == ""


def test_a_program_that_supervisord_does_not_have_is_absent(tmp_path: Path) -> None:
    """Somebody changed supervisord.conf."""
    finding = service.supervisord(load({"SENTIMENTAGENT_HOME": str(tmp_path)}), programs(api="RUNNING"))
    assert finding.result == "wrong"
    assert "collector ABSENT" in finding.found


CLAIM = Claim("disk.state", "room")


def test_a_good_finding_is_a_line_and_a_bad_one_says_what_to_do() -> None:
    """And no text that was found can forge a line."""
    assert describe(CLAIM.ok("plenty")).split() == ["ok", "disk.state", "plenty"]
    first, second, third = describe(CLAIM.wrong("none\nok all", "df -h")).splitlines()
    assert first.startswith("wrong       disk.state")
    assert first.endswith("none\\nok all")
    assert second.split() == ["required", "room"]
    assert third.split() == ["to", "mend", "it", "df", "-h"]


def test_the_summary_counts_each_result() -> None:
    """What was not checked is not among the good."""
    found: list[Finding] = [CLAIM.ok(""), CLAIM.not_checked(""), CLAIM.wrong("", ""), CLAIM.ok("")]
    assert summary(found) == "4 checks: 2 ok, 0 warning, 1 wrong, 1 not checked"
