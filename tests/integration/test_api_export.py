"""Exports: whole and exact in each form, in bounded memory, and never a part that looks like the whole."""

from __future__ import annotations

import asyncio
import csv
import io
import tracemalloc
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import aiohttp
import msgspec
import psutil
import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from fakes.paged_store import PagedStore
from fakes.passage import behind_passage
from fakes.running_api import RunningApi, running_api
from fakes.stored import TEN_O_CLOCK, item, scored
from pyarrow import parquet

from api import flat
from api.errors import Refused
from api.export import PAGE_ITEMS, ExportRoutes
from api.export_formats import FORMATS, Format, _cell

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from agent.store.protocol import Reading

    Client = TestClient[web.Request, web.Application]

OF_THE_DAY = "start=2025-10-15&end=2025-10-15"
HOSTILE = '=HYPERLINK("http://evil.example","click"),\r\n;\u202e\x00\u2028 \U0001f600 ' + "z\u0335" * 50


@pytest.fixture
async def api(short_path: Path) -> AsyncIterator[RunningApi]:
    """Return an API over 450 posts and a comment of one day, hostile ones among them."""
    async with running_api(short_path) as running:
        await running.store(
            *(scored(item(f"t3_{n}", created_utc=TEN_O_CLOCK + n), "negative") for n in range(449)),
            scored(item("t3_bad", created_utc=TEN_O_CLOCK + 449, title=HOSTILE, content=HOSTILE, author="@sum")),
            scored(item("t1_reply", created_utc=TEN_O_CLOCK + 450)),
        )
        yield running


def of(store: PagedStore, stalled_s: float = 60.0) -> ExportRoutes:
    """Return the routes over a store."""
    return ExportRoutes(cast("Reading", store), stalled_s)


@asynccontextmanager
async def exporting(routes_: ExportRoutes) -> AsyncIterator[Client]:
    """Serve exports."""
    async with TestClient(TestServer(behind_passage(routes_.endpoints()))) as client:
        yield client


async def ended(exports: ExportRoutes) -> None:
    """Wait until none is under way."""
    async with asyncio.timeout(5):
        while exports.under_way:
            await asyncio.sleep(0.01)


async def exported(api: RunningApi, query: str) -> bytes:
    """Return the bytes of an export."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{api.address}/api/v1/export?{query}") as response,
    ):
        assert response.status == 200
        return await response.read()


async def listed(api: RunningApi, query: str) -> list[dict[str, object]]:
    """Return what the lists tell of the same."""
    posts, cursor = [], ""
    while cursor is not None:
        page = await api.get(f"/posts?{query}&limit=500" + (f"&cursor={cursor}" if cursor else ""))
        posts += page["posts"]
        cursor = page["next_cursor"]
    return posts


async def test_ndjson_has_a_line_for_each_post_as_the_lists_tell_it(api: RunningApi) -> None:
    """In the same order, over as many pages of the store as it takes."""
    for query in (f"{OF_THE_DAY}&kind=all", f"{OF_THE_DAY}&order=oldest", f"{OF_THE_DAY}&sentiment=positive"):
        lines = (await exported(api, f"format=ndjson&{query}")).splitlines()
        assert [msgspec.json.decode(line) for line in lines] == await listed(api, query)
    assert len(lines) == 1


async def test_csv_has_a_row_for_each_post(api: RunningApi) -> None:
    """With the names of the columns first; what is not known is empty, what is nested has a column of its own."""
    response = await api.ask("GET", f"/api/v1/export?{OF_THE_DAY}&kind=all")
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"] == (
        'attachment; filename="sentimentagent-2025-10-15-2025-10-15.csv"'
    )
    assert response.headers["X-Data-Source"] == "reddit"
    rows = list(csv.DictReader(io.StringIO(await response.text(), newline="")))
    posts = await listed(api, f"{OF_THE_DAY}&kind=all")
    assert [row["name"] for row in rows] == [post["name"] for post in posts]
    assert list(rows[0]) == list(flat.COLUMNS)
    assert (rows[0]["name"], rows[0]["comment_count"], rows[0]["upvotes"]) == ("t1_reply", "", "7")
    assert (rows[2]["created_utc"], rows[2]["compound_score"]) == ("2025-10-15T10:07:28Z", "-0.7")
    assert rows[2]["probabilities_negative"] == "0.8"


async def test_no_cell_of_csv_is_a_formula(api: RunningApi) -> None:
    """A spreadsheet would run what a stranger wrote: a quote says that it is text, and nothing else is changed."""
    response = await api.ask("GET", f"/api/v1/export?{OF_THE_DAY}")
    row = next(csv.DictReader(io.StringIO(await response.text(), newline="")))
    assert (row["title"], row["content"], row["author"]) == (f"'{HOSTILE}", f"'{HOSTILE}", "'@sum")


@pytest.mark.parametrize("before", ["", " ", "\t", "\r\n", '"', "'", "\ufeff", "\u200b\u202e", "\xa0", "\x00"])
@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_no_formula_hides_behind_what_a_spreadsheet_takes_away(before: str, sign: str) -> None:
    """Blanks, quotes and signs that show nothing are no beginning."""
    assert _cell(f"{before}{sign}1+1") == f"'{before}{sign}1+1"
    assert _cell(f"a{before}{sign}1+1") == f"a{before}{sign}1+1"


async def test_parquet_has_columns_of_their_types(api: RunningApi) -> None:
    """Read by the library that most read it with: times are times, what is not known is null, text is untouched."""
    table = parquet.read_table(io.BytesIO(await exported(api, f"format=parquet&{OF_THE_DAY}&kind=all")))
    assert table.column_names == list(flat.COLUMNS)
    assert pa.types.is_timestamp(table.schema.field("created_utc").type)
    assert table.num_rows == 451
    reply, bad, *_ = table.to_pylist()
    assert (reply["name"], reply["comment_count"], reply["upvotes"]) == ("t1_reply", None, 7)
    assert (bad["title"], bad["author"]) == (HOSTILE, "@sum")
    assert bad["created_utc"] == datetime.fromtimestamp(TEN_O_CLOCK + 449, UTC)
    assert bad["compound_score"] == 0.75


async def test_an_export_of_nothing_is_whole(api: RunningApi) -> None:
    """An empty window is a file without rows, in each form."""
    empty = "start=2001-01-01&end=2001-01-02"
    assert await exported(api, empty) == ",".join(flat.COLUMNS).encode() + b"\r\n"
    assert await exported(api, f"format=ndjson&{empty}") == b""
    assert parquet.read_table(io.BytesIO(await exported(api, f"format=parquet&{empty}"))).num_rows == 0


@pytest.mark.parametrize(("query", "named"), [("format=xml", "format"), ("order=best", "order"), ("start=x", "start")])
async def test_a_wrong_parameter_of_an_export_is_named(api: RunningApi, query: str, named: str) -> None:
    """Before anything is sent."""
    body = await api.get(f"/export?{query}", status=422)
    assert body["detail"].startswith(f"The parameter {named} is wrong: expected ")


async def test_what_can_not_be_made_here_is_said_so() -> None:
    """501 and how to have it, when the library is missing: the other forms need none."""
    with pytest.raises(Refused) as refused:
        Format("x/y", FORMATS["csv"].make, needs="a_library_that_nobody_has").check()
    assert (refused.value.status, refused.value.code) == (501, "not_installed")
    assert "sentimentagent[parquet]" in str(refused.value)


@pytest.mark.parametrize("form", ["csv", "ndjson"])
async def test_memory_does_not_grow_with_what_is_exported(form: str) -> None:
    """40 MB pass through, and no more than a page of them is held, some times over."""
    async with exporting(of(PagedStore(4_000, content="x" * 10_000))) as client:
        tracemalloc.start()
        try:
            async with client.get(f"/api/v1/export?format={form}") as response:
                size = 0
                while chunk := await response.content.read(64 * 1024):
                    size += len(chunk)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert size > 40_000_000
    assert peak < 6 * PAGE_ITEMS * 10_000


async def test_a_client_that_goes_away_ends_the_reading() -> None:
    """Nobody reads a million items for nobody, and the next export has its place."""
    store = PagedStore(10_000_000, content="x" * 4000)
    exports = of(store)
    async with exporting(exports) as client:
        for _ in range(4):
            async with client.get("/api/v1/export?format=ndjson") as response:
                assert response.status == 200
                await response.content.readexactly(100_000)
                response.close()
            await ended(exports)
        assert store.pages < 200


async def test_a_client_that_takes_nothing_is_dropped() -> None:
    """It would keep one of the places for ever."""
    store = PagedStore(10_000_000, content="x" * 4000)
    exports = of(store, stalled_s=0.2)
    async with exporting(exports) as client, client.get("/api/v1/export?format=ndjson") as response:
        assert exports.under_way == 1
        await ended(exports)
        assert store.pages < 200
        with pytest.raises(aiohttp.ClientError):
            await response.read()


async def test_no_more_than_two_exports_at_a_time() -> None:
    """The third is told when to come again, and has its turn when one has ended."""
    async with exporting(of(PagedStore(20_000, content="x" * 1000))) as client, AsyncExitStack() as open_:
        first, second = [await open_.enter_async_context(client.get("/api/v1/export?format=ndjson")) for _ in range(2)]
        async with client.get("/api/v1/export") as refused:
            assert refused.status == 503
            assert refused.headers["Retry-After"] == "10"
            assert (await refused.json())["error"] == "too_many_exports"
        for each in (first, second):
            assert len((await each.read()).splitlines()) == 20_000
        async with client.get("/api/v1/export?format=csv") as response:
            assert response.status == 200


async def test_a_store_that_is_away_is_told_before_the_file_begins() -> None:
    """503 in JSON, as everywhere."""
    async with exporting(of(PagedStore(3, fails_after=0))) as client, client.get("/api/v1/export") as response:
        assert response.status == 503
        assert (await response.json())["error"] == "store_unavailable"


@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet"])
async def test_a_store_that_goes_away_meanwhile_tears_the_file(form: str) -> None:
    """The client sees that it has no whole: an answer that ended as if it were would be a lie."""
    async with exporting(of(PagedStore(10_000, content="x" * 4000, fails_after=20))) as client:
        with pytest.raises(aiohttp.ClientError):
            async with client.get(f"/api/v1/export?format={form}") as response:
                assert response.status == 200
                await response.read()
        async with client.get("/api/v1/export") as response:
            assert response.status == 200, "its place is free again"


async def test_a_writer_that_dies_tears_the_file() -> None:
    """What the other process had made of it is no Parquet file; the API goes on."""
    exports = of(PagedStore(10_000_000, content="x" * 4000))
    async with exporting(exports) as client:
        with pytest.raises(aiohttp.ClientError):
            async with client.get("/api/v1/export?format=parquet") as response:
                (child,) = psutil.Process().children()
                child.kill()
                await response.read()
        await ended(exports)


async def test_head_reads_no_more_than_it_must() -> None:
    """The headers of the file, without the file."""
    store = PagedStore(10_000)
    async with exporting(of(store)) as client, client.head("/api/v1/export") as response:
        assert response.status == 200
        assert "attachment" in response.headers["Content-Disposition"]
        assert store.pages <= 1
