"""The parts of benchmarks/bench_watchdog.py that need no running watcher: its table, its spread, what it configures."""

from __future__ import annotations

import configparser
import json
import math
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from watchers.circus import Circus  # type: ignore[import-not-found] # benchmarks are scripts, on no path of mypy's
from watchers.measure import NEVER_S, middle, spread  # type: ignore[import-not-found] # the same
from watchers.monit import Monit  # type: ignore[import-not-found] # the same
from watchers.ours import Ours  # type: ignore[import-not-found] # the same
from watchers.pm2 import Pm2  # type: ignore[import-not-found] # the same
from watchers.stage import Seat, Stage  # type: ignore[import-not-found] # the same
from watchers.superlance import Superlance  # type: ignore[import-not-found] # the same
from watchers.supervisord import Supervisord  # type: ignore[import-not-found] # the same
from watchers.table import Figure, Row, cell, lines, ratio  # type: ignore[import-not-found] # the same

SEATS = (Seat("collector", 4101), Seat("api", 4102))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Return a stage of two victims."""
    (tmp_path / "run").mkdir()
    return Stage(tmp_path, SEATS, 4100)


@pytest.fixture
def peers(tmp_path: Path) -> Path:
    """Return a folder in which every peer seems to be."""
    folder = tmp_path / "peers"
    for program in (
        "superlance/bin/memmon",
        "monit/usr/bin/monit",
        "circus/bin/circusd",
        "pm2/node_modules/.bin/pm2",
    ):
        (folder / program).parent.mkdir(parents=True)
        (folder / program).touch()
    return folder


@pytest.mark.parametrize(
    ("figure", "words"),
    [
        (None, "-"),
        (Figure(math.inf, math.inf), "never"),
        (Figure(0.214, 0.3), "0.21 (0.30)"),
        (Figure(12.34), "12.3"),
        (Figure(-0.3, 0.0), "-0.30 (0.00)"),
        (Figure(0.0), "0.00"),
    ],
)
def test_a_cell_tells_never_zero_and_not_measured_apart(figure: Figure | None, words: str) -> None:
    """Missing is not zero, and never is neither."""
    assert cell(figure) == words


@pytest.mark.parametrize(
    ("ours", "peers", "words"),
    [
        (Figure(1.0), [Figure(4.0), Figure(2.0)], "0.50"),
        (Figure(1.0), [None, Figure(math.inf), Figure(4.0)], "0.25"),
        (Figure(1.0), [None, Figure(math.inf)], "only here"),
        (Figure(1.0), [None, None], "-"),
        (Figure(1.0), [], "-"),
        (None, [Figure(1.0)], "-"),
        (Figure(math.inf), [Figure(1.0)], "never"),
        (Figure(1.0), [Figure(0.0)], "-"),
    ],
)
def test_a_ratio_is_to_the_best_of_those_that_were_measured(
    ours: Figure | None, peers: list[Figure | None], words: str
) -> None:
    """A peer that is not there or never noticed is nobody's best."""
    assert ratio(ours, peers) == words


def test_the_table_has_a_row_for_a_peer_that_is_not_installed() -> None:
    """Its cells are dashes; the ratios are those of our first row."""
    rows = [Row("ours", (Figure(1.0), Figure(2.0))), Row("theirs", (Figure(2.0), None)), Row("away", (None, None))]
    assert lines(("watcher", "a", "b"), rows, is_markdown=True) == [
        "| watcher | a | b |",
        "| --- | --- | --- |",
        "| ours | 1.00 | 2.00 |",
        "| theirs | 2.00 | - |",
        "| away | - | - |",
        "| ours against the best other | 0.50 | - |",
    ]
    assert lines(("watcher", "a", "b"), rows, is_markdown=False)[3].split() == ["away", "-", "-"]


def test_ours_is_not_compared_with_what_it_stands_on() -> None:
    """It costs less, being a part of it."""
    rows = [Row("ours", (Figure(3.0),)), Row("base", (Figure(1.0),), is_rival=False), Row("theirs", (Figure(2.0),))]
    assert lines(("watcher", "a"), rows, is_markdown=True)[-1].endswith("| 1.50 |")


def test_one_that_was_never_noticed_makes_the_median_never() -> None:
    """A median of the others would hide it."""
    assert middle([1.0, 2.0, NEVER_S]) == (NEVER_S, NEVER_S)
    assert middle([1.0, 4.0, 2.0]) == (2.0, 4.0)


def test_faults_are_spread_over_the_cycle_and_over_each_second_of_it() -> None:
    """One in each fifth of five seconds, and not all at the same tenth of a second."""
    waits = spread(5, 5.0)
    assert [int(wait_s) for wait_s in waits] == [0, 1, 2, 3, 4]
    assert len({round(wait_s % 1, 1) for wait_s in waits}) == 5


def test_superlance_has_one_memmon_and_an_httpok_for_each_victim(stage: Stage, peers: Path) -> None:
    """With the stage's limit, silence and addresses, at the fastest clock."""
    conf = _ini(Path(Superlance(peers).launch(stage).command[-1]))
    assert conf["eventlistener:memmon"]["command"].endswith("memmon -p collector=200MB -p api=200MB")
    assert conf["eventlistener:httpok-api"]["command"].endswith("httpok -p api -t 3 http://127.0.0.1:4102/")
    assert {conf[name]["events"] for name in conf if name.startswith("eventlistener:")} == {"TICK_5"}
    assert conf["program:api"]["stopwaitsecs"] == "1"


def test_supervisord_alone_has_the_victims_and_nothing_else(stage: Stage) -> None:
    """And ours has one program more."""
    alone = _ini(Path(Supervisord().launch(stage).command[-1]))
    assert [name for name in alone if ":" in name][1:] == ["program:collector", "program:api"]
    launch = Ours().launch(stage)
    assert "program:watchdog" in _ini(Path(launch.command[-1]))
    assert launch.environ["MEMORY_LIMIT_MB"] == launch.environ["ANALYZER_MEMORY_LIMIT_MB"] == "200"
    assert launch.environ["WATCHDOG_HANG_AFTER_S"] == "3"


def test_monits_file_is_private_and_has_the_limit_and_the_silence(stage: Stage, peers: Path) -> None:
    """It refuses a control file that others may read."""
    control = Path(Monit(peers).launch(stage).command[-1])
    assert control.stat().st_mode & 0o777 == 0o600
    assert "port 4102 protocol http with timeout 3 seconds then restart" in control.read_text()
    assert "total memory > 200 MB" in control.read_text()
    assert (stage.folder / "run" / "start-api").stat().st_mode & 0o100
    assert "victim.py api" in (stage.folder / "run" / "start-api").read_text()


@pytest.mark.parametrize(("pace_s", "looks"), [(1.0, "3"), (0.25, "12")])
def test_circus_allows_the_same_silence_at_any_pace(stage: Stage, peers: Path, pace_s: float, looks: str) -> None:
    """Its silence is a number of looks."""
    conf = _ini(Path(Circus(peers, pace_s).launch(stage).command[-1]))
    assert conf["plugin:silence"]["max_count"] == looks
    assert float(conf["plugin:memory-api"]["loop_rate"]) == pace_s
    assert conf["plugin:memory-api"]["max_mem"] == "200M"


def test_pm2_gets_the_limit_and_the_pace(stage: Stage, peers: Path) -> None:
    """Its pace comes from the environment, in milliseconds."""
    launch = Pm2(peers, 0.25).launch(stage)
    assert launch.environ["PM2_WORKER_INTERVAL"] == "250"
    apps = json.loads(Path(launch.command[-1]).read_text())["apps"]
    assert [(app["name"], app["max_memory_restart"]) for app in apps] == [("collector", "200M"), ("api", "200M")]


def test_a_peer_that_is_not_installed_has_no_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how to get it instead, and that is no failure."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for peer in (Superlance(tmp_path), Monit(tmp_path), Circus(tmp_path, 1.0), Pm2(None, 1.0)):
        assert peer.version() is None
        assert "FOLDER" in peer.how_to_get.format(peers="FOLDER")


def _ini(path: Path) -> configparser.ConfigParser:
    conf = configparser.ConfigParser(interpolation=None)
    conf.read(path)
    return conf
