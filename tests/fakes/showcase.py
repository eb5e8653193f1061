"""A system to look at: a month of six subreddits with a gap and a shift in it, and processes that have lived a day."""

from __future__ import annotations

import math
import random
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from fakes.processes import FakeCollector, FakeWatchdog, process_report, status_report
from fakes.running_api import RunningApi, running_api
from fakes.stored import item, scored

from ipc.messages import PROCESSES, Cycle, Incident, MemoryCurve, MemoryPoint, Recalled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from agent.records import Scored, Sentiment
    from ipc.messages import StatusReport

#: Items an hour, at noon.
SUBREDDITS: Final = {"ChatGPTCoding": 5, "Cursor": 4, "claude": 3, "GithubCopilot": 2, "windsurf": 1, "kiroIDE": 0.1}
#: The collector was off between these hours before now: an hour of the day that the week's buckets show.
GAP_H: Final = (60, 42)
#: r/Cursor turned so many hours before now.
SHIFT_H: Final = 30
_DAYS: Final = 30
#: Below this mood they speak of an outage.
_TURNED: Final = -0.3
_HOUR_S: Final = 3600
_EVERY_S: Final = 300
_TEXTS: Final[dict[Sentiment, tuple[str, ...]]] = {
    "positive": (
        "The new release is the best one so far, thank you",
        "I love how it finds the bug before I do",
        "It wrote my tests in a minute and they all pass",
        "Finally a model that reads the whole repository",
    ),
    "neutral": (
        "Which settings do you use for large repositories?",
        "How does the pricing compare for a small team?",
        "Version 2.1 is out: the list of changes",
        "Does anybody run it behind a company proxy?",
    ),
    "negative": (
        "It deleted a file that I did not ask about",
        "Slower every week, and support does not answer",
        "The context is lost after three prompts again",
        "I cancelled today: it breaks more than it mends",
    ),
}
_OUTAGE: Final = (
    "Login outage again, nobody at work can sign in",
    "Outage: every request times out since this morning",
    "The outage took my whole afternoon, and the status page is green",
)


def posts(now_utc: int, source: str = "reddit", newest_s: int = 120) -> list[Scored]:
    """Return the month, the newest item ``newest_s`` old; the same at each call but for the times."""
    chance = random.Random(6)  # noqa: S311 - data to look at
    return [each for name, pace in SUBREDDITS.items() for each in _of(name, pace, now_utc - newest_s, source, chance)]


def _of(name: str, pace: float, now_utc: int, source: str, chance: random.Random) -> Iterator[Scored]:
    for hour in range(_DAYS * 24):
        if GAP_H[1] <= hour < GAP_H[0]:
            continue
        by_day = 0.65 + 0.35 * math.sin(hour / 24 * 2 * math.pi)
        for nth in range(int(pace * by_day + chance.random())):
            created_utc = now_utc - hour * _HOUR_S - chance.randrange(_HOUR_S) * (hour > 0)
            is_turned = name == "Cursor" and hour < SHIFT_H
            mood = 0.15 * math.sin(hour / 110) - (0.55 if is_turned else 0)
            yield _item(f"{name}{hour}x{nth}", name, created_utc, source, chance, mood)


def _item(  # noqa: PLR0913, PLR0917 - a row of a table
    number: str, subreddit: str, created_utc: int, source: str, chance: random.Random, mood: float
) -> Scored:
    found: Sentiment = "neutral"
    if (drawn := chance.random()) < 0.35 + mood:
        found = "positive"
    elif drawn > 0.75 + mood:
        found = "negative"
    text = chance.choice(_OUTAGE if mood < _TURNED and found == "negative" else _TEXTS[found])
    one = item(
        f"t{3 if chance.random() < 0.4 else 1}_{number}",
        subreddit=subreddit,
        created_utc=created_utc,
        title=text,
        content=text,
        author=chance.choice(("maple_dev", "nightly_build", "quietprompt", "tabs_or_spaces")),
        source=source,
    )
    return scored(one, found)


def cycles(now_utc: int, source: str = "reddit") -> tuple[Cycle, ...]:
    """Return the cycles of the last day."""
    return tuple(
        Cycle(
            id=f"c{nth}",
            source=source,
            started_utc=now_utc - nth * 1800 - 40,
            finished_utc=now_utc - nth * 1800,
            outcome="succeeded",
            posts=12,
            comments=30,
            new=9,
            memory_delta_mb=0.2,
        )
        for nth in range(48)
    )


def report(now_utc: int) -> StatusReport:
    """Return what a watchdog tells whose analyzer leaks and whose collector died once."""
    day_s = 86_400.0
    return status_report(
        process_report(
            "analyzer",
            uptime_s=day_s,
            memory_mb=351.0,
            slope_mb_per_h=9.0,
            limit_reached_in_s=51_600.0,
            cpu_percent=14.0,
        ),
        process_report(
            "collector",
            uptime_s=17_000.0,
            memory_mb=92.0,
            slope_mb_per_h=0.1,
            restarts=1,
            last_restart_utc=now_utc - 17_000.0,
            last_restart_reason="it ended by signal 9",
        ),
        process_report("api", uptime_s=day_s, memory_mb=58.0, slope_mb_per_h=0.0),
        process_report("watchdog", uptime_s=day_s, memory_mb=31.0, slope_mb_per_h=0.0),
        incidents=(
            Incident(
                id="i1",
                process="collector",
                kind="died",
                opened_utc=now_utc - 17_050.0,
                closed_utc=now_utc - 17_000.0,
                reason="it ended by signal 9",
                action="supervisord started it again",
            ),
        ),
    )


def memory(now_utc: int) -> Recalled:
    """Return a day of memory, with a hole where the watchdog itself was away."""
    began, points = now_utc - 86_400, range(288)
    at = {"collector": (88, 0.02), "analyzer": (135, 0.75), "api": (52, 0.02), "watchdog": (30, 0.005)}
    return Recalled(
        every_s=_EVERY_S,
        curves=tuple(
            MemoryCurve(
                process=name,
                points=tuple(
                    MemoryPoint(
                        began + nth * _EVERY_S,
                        at[name][0] + at[name][1] * nth,
                        at[name][0] + at[name][1] * nth + nth % 4,
                    )
                    for nth in points
                    if not 90 <= nth < 110
                ),
            )
            for name in PROCESSES
        ),
    )


@asynccontextmanager
async def showcase(folder: Path, *, of: list[Scored] | None = None, **environ: str) -> AsyncIterator[RunningApi]:
    """Run an API over the month, or over the items ``of`` another; a watchdog and a collector stand beside it."""
    now_utc = int(time.time())
    watchdog = FakeWatchdog()
    watchdog.report, watchdog.memory = report(now_utc), memory(now_utc)
    run = folder / "run"
    run.mkdir(mode=0o700, exist_ok=True)
    settings = {"BEAT_INTERVAL_S": "0.2", "SUBREDDITS": ",".join(SUBREDDITS)} | environ
    async with (
        watchdog.at(run / "watchdog.sock"),
        FakeCollector().at(run / "collector.sock"),
        running_api(folder, **settings) as api,
    ):
        found = posts(now_utc) if of is None else of
        sources = {each.item.source for each in found}
        await api.store(*found, cycles=cycles(now_utc, *sources) if len(sources) == 1 else ())
        yield api
