"""The peer of bench_api.py: four of the API's calls as a FastAPI application, over the same SQLite file.

Written plainly, as FastAPI's documentation does it: pydantic models as answers, parameters with their ranges, the
database by aiosqlite with the indexes and roll-ups that it has. Windows begin on the whole hour, which is less work
than the API does. There is no log of requests; uvicorn has uvloop and httptools. Of the ways to ask SQLite without
holding up the loop this is the faster one: functions in the thread pool answered a tenth to a third fewer.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import aiosqlite
import psutil
from fastapi import FastAPI, HTTPException, Query
from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DATABASE: Final = os.environ["PEER_DATABASE"]
HOUR_S: Final = 3600
BEGAN_S: Final = time.monotonic()
PROCESS: Final = psutil.Process()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Hold the database open."""
    async with aiosqlite.connect(f"file:{DATABASE}?mode=ro", uri=True, isolation_level=None) as database:
        app.state.database = database
        yield


app = FastAPI(lifespan=lifespan)


class Statistics(BaseModel):
    """Totals of a window or a bucket."""

    total: int
    positive: int
    negative: int
    neutral: int
    avg_sentiment: float | None


class Stats(BaseModel):
    """GET /sentiment/stats."""

    subreddit: str
    time_window_hours: int
    statistics: Statistics
    timestamp: datetime


class Point(Statistics):
    """One bucket."""

    start: datetime


class Trends(Stats):
    """GET /sentiment/trends."""

    trend_data: Statistics
    points: list[Point]


class Post(BaseModel):
    """One post."""

    id: str
    name: str
    subreddit: str
    author: str
    title: str
    content: str
    url: str
    created_utc: datetime
    upvotes: int | None
    comment_count: int | None
    collected_at: datetime
    sentiment: str
    confidence: float
    compound_score: float
    source: str


class ProcessHealth(BaseModel):
    """This process."""

    uptime_seconds: float
    memory_mb: float
    cpu_percent: float
    pid: int


class Application(BaseModel):
    """What was collected."""

    last_collection_at: datetime | None
    collections_succeeded: int
    collections_failed: int
    data_freshness_minutes: float | None


class Database(BaseModel):
    """The store."""

    connected: bool
    items: int


class Health(BaseModel):
    """GET /health."""

    status: Literal["healthy", "degraded", "unhealthy"]
    timestamp: datetime
    process: ProcessHealth
    application: Application
    database: Database


async def rows(sql: str, *parameters: Any) -> list[Any]:  # noqa: ANN401 - whatever SQLite takes
    """Ask the database."""
    return list(await app.state.database.execute_fetchall(sql, parameters))


def statistics(positive: int | None, neutral: int | None, negative: int | None, total: float | None) -> dict[str, Any]:
    """Return the fields of statistics."""
    count = (positive or 0) + (neutral or 0) + (negative or 0)
    return {
        "total": count,
        "positive": positive or 0,
        "negative": negative or 0,
        "neutral": neutral or 0,
        "avg_sentiment": round((total or 0) / count, 4) if count else None,
    }


async def sums(subreddit: str | None, hours: int, what: str, rest: str = "") -> list[Any]:
    """Ask the roll-ups of all subreddits, or of one."""
    since_utc = (int(time.time()) - hours * HOUR_S) // HOUR_S * HOUR_S
    columns = f"{what} sum(positive), sum(neutral), sum(negative), sum(compound_sum)"
    if subreddit is None:
        return await rows(f"SELECT {columns} FROM hours WHERE hour_utc >= ? {rest}", since_utc)  # noqa: S608 - literals
    return await rows(
        f"SELECT {columns} FROM subreddit_hours WHERE subreddit = ? AND hour_utc >= ? {rest}",  # noqa: S608 - literals
        subreddit,
        since_utc,
    )


@app.get("/api/v1/health")
async def health() -> Health:
    """Return how this process and the database are."""
    try:
        ((items, newest_utc),) = await rows("SELECT sum(items), max(newest_collected_utc) FROM sources")
        counters = dict(await rows("SELECT name, value FROM counters"))
        last = await rows("SELECT finished_utc FROM cycles ORDER BY finished_utc DESC LIMIT 1")
    except sqlite3.Error as error:
        raise HTTPException(503, "The database does not answer.") from error
    age_minutes = None if newest_utc is None else (time.time() - newest_utc) / 60
    return Health(
        status="degraded" if age_minutes is not None and age_minutes > HOUR_S / 60 else "healthy",
        timestamp=datetime.now(UTC),
        process=ProcessHealth(
            uptime_seconds=time.monotonic() - BEGAN_S,
            memory_mb=PROCESS.memory_info().rss / 2**20,
            cpu_percent=PROCESS.cpu_percent(),
            pid=PROCESS.pid,
        ),
        application=Application(
            last_collection_at=datetime.fromtimestamp(last[0][0], UTC) if last else None,
            collections_succeeded=counters.get("cycles_succeeded", 0),
            collections_failed=counters.get("cycles_failed", 0),
            data_freshness_minutes=age_minutes,
        ),
        database=Database(connected=True, items=items or 0),
    )


@app.get("/api/v1/sentiment/stats")
async def stats(subreddit: str | None = None, hours: Annotated[int, Query(ge=1, le=168)] = 24) -> Stats:
    """Return the totals of a window."""
    return Stats(
        subreddit=subreddit or "all",
        time_window_hours=hours,
        statistics=Statistics(**statistics(*(await sums(subreddit, hours, ""))[0])),
        timestamp=datetime.now(UTC),
    )


@app.get("/api/v1/sentiment/trends")
async def trends(subreddit: str | None = None, hours: Annotated[int, Query(ge=1, le=720)] = 168) -> Trends:
    """Return the totals of a window and of its hours."""
    series = await sums(subreddit, hours, "hour_utc,", "GROUP BY hour_utc ORDER BY hour_utc")
    whole = Statistics(**statistics(*(sum(each[column] for each in series) for column in range(1, 5))))
    return Trends(
        subreddit=subreddit or "all",
        time_window_hours=hours,
        statistics=whole,
        trend_data=whole,
        points=[Point(start=datetime.fromtimestamp(hour_utc, UTC), **statistics(*each)) for hour_utc, *each in series],
        timestamp=datetime.now(UTC),
    )


@app.get("/api/v1/posts/recent")
async def recent(
    subreddit: str | None = None,
    hours: Annotated[int, Query(ge=1, le=168)] = 24,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> list[Post]:
    """Return the newest posts."""
    of = "" if subreddit is None else "subreddit = ? AND"
    found = await rows(
        "SELECT name, subreddit, author, title, content, url, created_utc, upvotes, comment_count, collected_utc,"  # noqa: S608 - literals
        f" sentiment, confidence, p_positive - p_negative, source FROM items WHERE {of} kind = 'post'"
        " AND is_deleted = 0 AND created_utc >= ? ORDER BY created_utc DESC LIMIT ?",
        *(() if subreddit is None else (subreddit,)),
        int(time.time()) - hours * HOUR_S,
        limit,
    )
    return [
        Post(
            id=name[3:],
            name=name,
            subreddit=of_subreddit,
            author=author,
            title=title,
            content=content,
            url=url,
            created_utc=datetime.fromtimestamp(created_utc, UTC),
            upvotes=upvotes,
            comment_count=comment_count,
            collected_at=datetime.fromtimestamp(collected_utc, UTC),
            sentiment=sentiment,
            confidence=confidence,
            compound_score=compound,
            source=source,
        )
        for (
            name,
            of_subreddit,
            author,
            title,
            content,
            url,
            created_utc,
            upvotes,
            comment_count,
            collected_utc,
            sentiment,
            confidence,
            compound,
            source,
        ) in found
    ]
