"""`sentimentagent watchdog replay` and `advise` on real files, and the files of a real watchdog."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from fakes.spans import ended_by, spans_of
from harness.tree import Tree
from msgspec.structs import replace

from ipc.messages import PROCESSES, Incident
from watchdog import chronicle, ledger
from watchdog.watchdog_command import watchdog

if TYPE_CHECKING:
    from pathlib import Path

    from watchdog.span import Span

NEEDS_MB = {"collector": 50.0, "analyzer": 560.0, "api": 70.0, "watchdog": 33.0}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home that the command finds."""
    monkeypatch.setenv("SENTIMENTAGENT_HOME", str(tmp_path))
    return tmp_path


def run(*words: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(watchdog, list(words))


def answer(*words: str) -> Any:  # noqa: ANN401 - JSON
    """Run the command with --json and return what it says."""
    done = run(*words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def put(home: Path, spans: list[Span]) -> None:
    """Write a history."""
    chronicle.write(home / "state" / "samples", spans)


def put_leak(home: Path) -> float:
    """Write an API that grew by 100 MB an hour and was restarted at 480 MB an hour ago; return when that was."""
    ended_utc = time.time() - 3600
    began_utc = ended_utc - 3.8 * 3600
    first = spans_of(lambda at_h: 100 + 100 * at_h, 3.8, began_utc=began_utc)
    put(home, [replace(first[0], process="collector"), *ended_by(first, "strike:memory", "restart:memory")])
    put(home, spans_of(lambda at_h: 100 + 100 * at_h, 0.9, pid=101, began_utc=ended_utc))
    return ended_utc


def test_a_replay_answers_what_other_limits_would_have_done(home: Path) -> None:
    """Beside what happened, and what the settings in force make of the same history."""
    put_leak(home)
    (home / ".env").write_text("FORECAST_LEAD_MINUTES=0\n")
    (told,) = answer("replay", "--process", "api", "--limit-mb", "200")["processes"]
    assert (told["happened"]["restarts"], told["now"]["outcome"]["restarts"]) == (1, 1)
    assert (told["tried"]["warning_mb"], told["tried"]["limit_mb"]) == (200, 200)
    assert told["tried"]["outcome"]["restarts"] == 3
    assert (told["start_mb"], told["starts"]) == (pytest.approx(101, abs=0.5), 2)
    everything = answer("replay", "--process", "api", "--limit-mb", "600")
    assert "what they would have held later is not known" in everything["assumptions"]
    (higher,) = everything["processes"]
    assert (higher["tried"]["outcome"]["restarts"], higher["tried"]["outcome"]["cut_short"]) == (0, 1)


def test_a_replay_reads_as_a_table_with_its_reasons_and_its_limits(home: Path) -> None:
    """What it can't know is printed with the figures, always."""
    ended_utc = put_leak(home)
    incident = Incident(
        id="20261124T100000000-api-memory",
        process="api",
        kind="memory",
        opened_utc=ended_utc,
        closed_utc=None,
        reason="memory 481 MB over 480 MB\x1b[31m",
        action="restarted",
    )
    ledger.write(home / "state" / "watchdog.json", ledger.Ledger(incidents=(incident,)))
    done = run("replay", "--process", "api", "--limit-mb", "600", "--warning-mb", "550")
    assert done.exit_code == 0
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["api", "as", "it", "happened", "-", "-", "0", "0", "min", "1", "0", "0", "-"] in rows
    assert ["tried", "550/600", "2", "of", "3", "0", "0", "min", "0", "0", "0", "1"] in rows
    assert "20261124T100000000-api-memory  memory 481 MB over 480 MB\\x1b[31m" in done.stdout
    assert "Cut short: recorded processes that were ended for their memory" in done.stdout
    assert "After a restart that never was" in done.stdout


def test_a_limit_is_tried_on_the_analyzer_only_where_it_is_named(home: Path) -> None:
    """It has settings of its own; strikes are for all."""
    began_utc = time.time() - 3600
    for process in PROCESSES:
        needs_mb = NEEDS_MB[process]
        put(home, spans_of(lambda _, mb=needs_mb: mb, 0.9, process=process, began_utc=began_utc))  # type: ignore[misc] # mypy has no word for a default in a lambda
    told = {each["process"]: each["tried"] for each in answer("replay", "--limit-mb", "400")["processes"]}
    assert told["analyzer"] is None
    assert {told[name]["limit_mb"] for name in ("collector", "api", "watchdog")} == {400}
    (analyzer,) = answer("replay", "--limit-mb", "400", "--process", "analyzer")["processes"]
    assert analyzer["tried"]["limit_mb"] == 400
    done = run("replay", "--limit-mb", "400", "--process", "analyzer")
    assert "analyzer holds 560 MB half of the time: with a limit of 400 MB it would be restarted again" in done.stdout
    told = {each["process"]: each["tried"] for each in answer("replay", "--strikes", "5")["processes"]}
    assert {(each["strikes"], each["strike_samples"]) for each in told.values()} == {(5, 5)}
    (same,) = answer("replay", "--process", "api", "--strikes", "2")["processes"]
    assert same["tried"] is None


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (("replay",), 1, "no history of that time in "),
        (("replay", "--since", "1h"), 1, "a running watchdog writes it"),
        (("replay", "--since", "week"), 2, "like 90m, 12h or 7d"),
        (("replay", "--limit-mb", "300", "--warning-mb", "301"), 2, "--warning-mb is above --limit-mb"),
        (("replay", "--limit-mb", "0"), 2, "--limit-mb"),
        (("replay", "--strikes", "0"), 2, "--strikes"),
        (("replay", "--process", "mailer"), 2, "mailer"),
    ],
)
def test_what_can_not_be_answered_is_one_sentence(home: Path, words: tuple[str, ...], status: int, says: str) -> None:
    """On stderr, with its exit status."""
    assert home.exists()
    done = run(*words)
    assert (done.exit_code, done.stdout) == (status, "")
    assert says in done.stderr
    assert status == 2 or len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["replay", "advise"])
def test_wrong_settings_are_told(home: Path, command: str) -> None:
    """With 78, as by every command."""
    (home / ".env").write_text("API_PORT=many\n")
    done = run(command)
    assert done.exit_code == 78
    assert "wrong settings: " in done.stderr


def put_days(home: Path, days: float) -> None:
    """Write a history of all four processes, a span a minute, so that the test is quick."""
    began_utc = time.time() - days * 86400
    for process in PROCESSES:
        spans = spans_of(lambda _, mb=NEEDS_MB[process]: mb, 10, process=process, uptime_s=600)  # type: ignore[misc] # mypy has no word for a default in a lambda
        every_s = days * 86400 / len(spans)
        put(
            home,
            [
                replace(span, at_utc=began_utc + (nth + 1) * every_s, span_s=every_s, uptime_s=600 + nth * every_s)
                for nth, span in enumerate(spans)
            ],
        )


def test_advice_is_lines_for_the_settings_file(home: Path) -> None:
    """Pasted as they are, they are read; everything else in them is a comment."""
    put_days(home, 4)
    done = run("advise")
    assert done.exit_code == 0
    assert "# api needs 70 MB and gets margins of 50 MB; in force: 400 and 480 MB" in done.stdout
    assert "# analyzer: under 560 MB in half of its spans, 560 in 99 %" in done.stdout
    assert "3600 spans of 4.0 days, 1 life, 0 left out; no steady growth" in done.stdout
    settings = [line for line in done.stdout.splitlines() if line and not line.startswith("#")]
    assert settings == [
        "MEMORY_WARNING_MB=120",
        "MEMORY_LIMIT_MB=170",
        "ANALYZER_MEMORY_WARNING_MB=840",
        "ANALYZER_MEMORY_LIMIT_MB=1120",
    ]
    (home / ".env").write_text(done.stdout)
    assert answer("advise")["proposals"][0]["limit_now_mb"] == 170


def test_advice_from_too_little_is_none(home: Path) -> None:
    """It says how much there is and how much is needed, with 1; without any history too."""
    done = run("advise")
    assert done.exit_code == 1
    assert "# api: nothing was measured after its warm-up" in done.stdout
    put_days(home, 2)
    done = run("advise")
    assert done.exit_code == 1
    assert "#   api was measured for 2.0 days after its warm-up; 3 days are needed" in done.stdout
    assert all(line.startswith("#") for line in done.stdout.splitlines() if line)
    assert json.loads(run("advise", "--json").stdout)["proposals"] == []


def test_a_threshold_below_the_history_is_warned_of(home: Path) -> None:
    """And one below a start is named with the same words as by `config check`."""
    put_days(home, 4)
    (home / ".env").write_text("MEMORY_WARNING_MB=60\n")
    assert "# warning: MEMORY_WARNING_MB=60 is below the 70 MB that api holds half of the time" in run("advise").stdout


async def test_a_real_watchdog_writes_what_a_replay_reads(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A leak, a restart and a stop: all in the history, and the real figures come out again."""
    async with Tree(short_path, {"MEMORY_RELIEVE_PAUSE_S": "1"}, processes=("watchdog", "collector")) as tree:
        pids = await tree.ready()
        tree.order("collector", "leak")
        await tree.replaced("collector", pids["collector"], within_s=10)
        tree.order("collector", "well")
        await tree.incident("collector", "memory")
        await tree.ready()  # the new one has been looked at, too
        await tree.stop_supervisord()
    spans = list(chronicle.read(short_path / "state" / "samples", "collector", 0))
    first, *_ = [span for span in spans if span.identity and span.identity[0] == pids["collector"]]
    assert any("restart:memory" in span.verdicts for span in spans)
    assert first.highest_mb is not None
    assert first.highest_mb > 150
    assert len({span.identity for span in spans if span.identity}) >= 2
    assert list(chronicle.read(short_path / "state" / "samples", "watchdog", 0))
    monkeypatch.setenv("SENTIMENTAGENT_HOME", str(short_path))
    monkeypatch.setenv("MEMORY_WARNING_MB", "100")
    monkeypatch.setenv("MEMORY_LIMIT_MB", "150")
    (told,) = answer("replay", "--process", "collector", "--limit-mb", "4000")["processes"]
    assert told["happened"]["restarts"] == told["now"]["outcome"]["restarts"] >= 1
    assert told["tried"]["outcome"]["restarts"] == 0
    assert told["tried"]["outcome"]["cut_short"] >= 1
