"""How fast the API answers, beside a FastAPI application over the same SQLite file, in one run.

`wrk` loads each of the two with 50 connections for five seconds a call, at 10,000 and at 1,000,000 stored items, while
a writer stores 200 items of an archive a second, in ten batches. The peer is fastapi_peer.py: plain FastAPI with
uvicorn. Both are one process and write no log of requests. `stats, each another` asks for 3,528 windows and subreddits
in turn, so that hardly any answer is told twice: what a cache of answers does not help. The CPU time of a request is
the server's own, which other load on the machine hardly changes, unless threads hand over between cores. The peer
and wrk are for this benchmark alone:

    apt-get install wrk
    .venv/bin/pip install fastapi 'uvicorn[standard]' aiosqlite
    .venv/bin/python benchmarks/bench_api.py [--sizes 10000,1000000] [--seconds 5] [--only stats]
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import logging
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import psutil
import structlog

from agent.records import Score, Scored
from agent.sources import sample
from agent.store.sqlite_writer import SqliteWriter
from ipc.messages import Cycle, Item
from ipc.settings import StoreSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE: Final = Path(__file__).parent
CONNECTIONS: Final = 50
SUBREDDITS: Final = 20
#: A million items are two years.
ITEMS_AN_HOUR: Final = 57
HOUR_S: Final = 3600
BATCH_ITEMS: Final = 500
#: What is ingested meanwhile.
WRITES_PER_S: Final = 10
ITEMS_A_WRITE: Final = 20
ARCHIVE_S: Final = 2 * 365 * 24 * HOUR_S

CALLS: Final = {
    "health": "/api/v1/health",
    "stats": "/api/v1/sentiment/stats?hours=24",
    "trends": "/api/v1/sentiment/trends?hours=168",
    "recent posts (50)": "/api/v1/posts/recent?limit=50&hours=168",
    "stats, each another": "/api/v1/sentiment/stats",
}
_EACH_ANOTHER: Final = """
local number = 0
request = function()
  number = number + 1
  local of = math.floor(number / 168) % 21
  local subreddit = of == 20 and "" or "&subreddit=subreddit_" .. of
  return wrk.format("GET", "/api/v1/sentiment/stats?hours=" .. (1 + number % 168) .. subreddit)
end
"""
_SCORES: Final = tuple(
    Score(sentiment=name, confidence=0.8, positive=p, neutral=n, negative=m, rule="text", model="bench")  # type: ignore[arg-type]
    for name, p, n, m in (("positive", 0.8, 0.1, 0.1), ("neutral", 0.1, 0.8, 0.1), ("negative", 0.1, 0.1, 0.8))
)
_TEXTS: Final = [row for row in sample.rows() if row.title] or sample.rows()


class Measured(NamedTuple):
    """What wrk says of one call, and what it cost the server: CPU time, and the largest resident memory so far."""

    requests_per_s: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    rss_mb: float


class Server(NamedTuple):
    """One of the two that are compared."""

    name: str
    port: int
    process: subprocess.Popen[bytes]


def scored(number: int, created_utc: int, collected_utc: int) -> Scored:
    """Return the item of this number: one post to each comment, with texts as people write them."""
    text = _TEXTS[number % len(_TEXTS)]
    return Scored(
        item=Item(
            name=f"{('t3', 't1')[number % 2]}_{number:07x}",
            subreddit=f"subreddit_{number * 7919 % SUBREDDITS}",
            author=f"author_{number * 104_729 % 50_000}",
            title="" if number % 2 else text.title,
            content=text.content,
            url=f"https://www.reddit.com/comments/{number:07x}/",
            created_utc=created_utc,
            collected_utc=collected_utc,
            upvotes=12,
            comment_count=3,
            source="archive",
        ),
        score=_SCORES[number % 3],
    )


async def fill(path: Path, items: int) -> None:
    """Store so many items that end now, and one cycle."""
    now_utc = int(time.time())
    async with SqliteWriter(path, StoreSettings(slow_query_ms=1e9)) as writer:
        for start in range(0, items, BATCH_ITEMS):
            numbers = range(start, min(items, start + BATCH_ITEMS))
            written = [now_utc - (items - each) * HOUR_S // ITEMS_AN_HOUR for each in numbers]
            await writer.write([scored(each, at, at) for each, at in zip(numbers, written, strict=True)], [], [])
        await writer.write([], [], [_cycle(now_utc)])


def _cycle(now_utc: int) -> Cycle:
    return Cycle(
        id="bench",
        source="archive",
        started_utc=now_utc - 10,
        finished_utc=now_utc,
        outcome="succeeded",
        posts=1,
        comments=1,
        new=2,
        memory_delta_mb=0.0,
    )


async def ingest(path: Path) -> None:
    """Store the items of an archive at a steady rate, from all over the last two years, until this process is ended."""
    number = 1 << 26
    due_s = time.monotonic()
    async with SqliteWriter(path, StoreSettings(slow_query_ms=1e9)) as writer:
        while True:
            now_utc = int(time.time())
            numbers = range(number, number + ITEMS_A_WRITE)
            await writer.write([scored(each, now_utc - each * 7919 % ARCHIVE_S, now_utc) for each in numbers], [], [])
            number += ITEMS_A_WRITE
            due_s += 1 / WRITES_PER_S
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))


@contextmanager
def running(command: list[str], **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process while inside; its output goes nowhere, its errors to ours."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | environ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


@contextmanager
def serving(home: Path) -> Iterator[tuple[Server, Server]]:
    """Serve the home's database from both while inside."""
    ports = _free_ports(2)
    database = home / "state" / "sentiment.db"
    api = [str(Path(sys.executable).with_name("sentimentagent-api"))]
    peer = [sys.executable, "-m", "uvicorn", "fastapi_peer:app", "--app-dir", str(HERE), "--port", str(ports[1])]
    with ExitStack() as open_:
        ours = open_.enter_context(
            running(api, SENTIMENTAGENT_HOME=str(home), API_PORT=str(ports[0]), API_HOST="127.0.0.1")
        )
        theirs = open_.enter_context(
            running([*peer, "--no-access-log", "--log-level", "warning"], PEER_DATABASE=str(database))
        )
        servers = (Server("this API", ports[0], ours), Server("FastAPI", ports[1], theirs))
        for each in servers:
            _await(each)
        yield servers


def _free_ports(count: int) -> list[int]:
    with ExitStack() as open_:
        sockets = [open_.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


def _await(server: Server) -> None:
    for _ in range(200):
        try:
            ask(server, CALLS["health"])
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"{server.name} does not answer")


def ask(server: Server, path: str) -> Any:  # noqa: ANN401 - JSON is anything
    """Return the JSON at a path."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=10) as response:
        return json.load(response)


def compare(servers: tuple[Server, Server]) -> None:
    """See that both tell the same of the same data, or end."""
    ours, theirs = ([ask(each, path) for path in list(CALLS.values())[:4]] for each in servers)
    is_same = {
        "items": ours[0]["database"]["items"] == theirs[0]["database"]["items"],
        # The peer's windows begin with the hour: there may be an hour's items more in them.
        "totals": 0 <= theirs[1]["statistics"]["total"] - ours[1]["statistics"]["total"] <= ITEMS_AN_HOUR + 1,
        "points": abs(len(theirs[2]["points"]) - len(ours[2]["points"])) <= 1,
        "posts": [each["name"] for each in ours[3]] == [each["name"] for each in theirs[3]],
    }
    if not all(is_same.values()):
        raise SystemExit(f"The two do not tell the same: {is_same}")


def load(server: Server, call: str, seconds: int) -> Measured:
    """Load one call with wrk for so long."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_EACH_ANOTHER)
        script.flush()
        special = ["-s", script.name] if call == "stats, each another" else []
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", *special]
        before_s = _cpu_s(server)
        said = subprocess.run(
            [*command, f"http://127.0.0.1:{server.port}{CALLS[call]}"], capture_output=True, text=True, check=True
        ).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"{server.name} answers {call} with errors:\n{said}")
    (rate,) = re.findall(r"Requests/sec:\s+([\d.]+)", said)
    (requests,) = re.findall(r"(\d+) requests in", said)
    cpu_us = (_cpu_s(server) - before_s) / int(requests) * 1e6
    return Measured(float(rate), cpu_us, _latency_ms(said, 50), _latency_ms(said, 99), _peak_mb(server))


def _cpu_s(server: Server) -> float:
    times = psutil.Process(server.process.pid).cpu_times()
    return float(times.user + times.system)


def _latency_ms(said: str, percent: int) -> float:
    ((value, unit),) = re.findall(rf"\b{percent}%\s+([\d.]+)(us|ms|s)\b", said)
    return float(value) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]


def _peak_mb(server: Server) -> float:
    (peak_kb,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{server.process.pid}/status").read_text())
    return int(peak_kb) / 1024


def measure(items: int, seconds: int, only: str) -> None:
    """Fill a store of this size, load both servers with every call in turn, and print a row for each."""
    with tempfile.TemporaryDirectory(prefix="sa", dir="/tmp") as folder:
        home = Path(folder)
        for each in ("state", "run"):
            (home / each).mkdir(mode=0o700)
        database = home / "state" / "sentiment.db"
        asyncio.run(fill(database, items))
        with serving(home) as servers:
            compare(servers)
            with running([sys.executable, __file__, "--ingest", str(database)]):
                for call in CALLS:
                    if only in call:
                        ours, theirs = (load(each, call, seconds) for each in servers)
                        _print(items, call, ours, theirs)


def _print(items: int, call: str, ours: Measured, theirs: Measured) -> None:
    cells = (
        f"{items:,}",
        call,
        f"{ours.requests_per_s:,.0f}",
        f"{theirs.requests_per_s:,.0f}",
        f"**{ours.requests_per_s / theirs.requests_per_s:.1f}**",
        f"{ours.cpu_us:.0f}",
        f"{theirs.cpu_us:.0f}",
        f"**{theirs.cpu_us / ours.cpu_us:.1f}**",
        f"{ours.p50_ms:.1f} / {ours.p99_ms:.1f}",
        f"{theirs.p50_ms:.1f} / {theirs.p99_ms:.1f}",
        f"{ours.rss_mb:.0f}",
        f"{theirs.rss_mb:.0f}",
    )
    print(f"| {' | '.join(cells)} |", flush=True)


def machine() -> str:
    """Say what this runs on."""
    packages = ("aiohttp", "uvloop", "fastapi", "pydantic", "uvicorn")
    versions = ", ".join(f"{each} {version(each)}" for each in packages)
    busy = ", ".join(f"{each:.1f}" for each in psutil.getloadavg())
    return (
        f"{os.cpu_count()} cores, load before {busy}, {platform.system()} {platform.release()},"
        f" Python {platform.python_version()}, {versions}"
    )


def missing() -> list[str]:
    """Return what this needs and does not find."""
    found = [] if shutil.which("wrk") else ["wrk (apt-get install wrk)"]
    return found + [
        f"{each} (pip install fastapi 'uvicorn[standard]' aiosqlite)"
        for each in ("fastapi", "uvicorn", "httptools", "aiosqlite")
        if importlib.util.find_spec(each) is None
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", default="10000,1000000")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--only", default="", help="calls that have this in their name")
    parser.add_argument("--ingest", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    if asked.ingest:
        asyncio.run(ingest(asked.ingest))
    if lacking := missing():
        raise SystemExit(f"Missing: {', '.join(lacking)}")
    print(f"{machine()}\n")
    print(
        "| items | call | requests/s | FastAPI | ratio | CPU us a request | FastAPI | ratio"
        " | p50 / p99 ms | FastAPI | peak RSS MB | FastAPI |"
    )
    print(f"|---|---|{'---:|' * 10}")
    for size in asked.sizes.split(","):
        measure(int(size), asked.seconds, asked.only)


if __name__ == "__main__":
    main()
