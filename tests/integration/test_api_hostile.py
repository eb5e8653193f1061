"""What strangers write is text wherever the API tells it: whole, bounded, in time, and never run, opened or obeyed."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import logging
import re
import shutil
import tempfile
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import aiohttp
import pytest
import structlog
from fakes import hostile
from fakes.examples import WordEngine, living
from fakes.hostile import CANARY
from fakes.listener import listening
from fakes.running_api import RunningApi, running_api
from fakes.stored import item, scored
from prometheus_client.parser import text_string_to_metric_families
from pyarrow import parquet  # type: ignore[import-untyped] # it ships no types
from yarl import URL

from agent.analyzer import Analyzer
from agent.sources import thing
from agent.store import places
from api import flat
from ipc import logs
from ipc.environment import load
from ipc.life import Pulse
from ipc.settings import LogSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from ipc.messages import Item

#: Each call, and how large its answer may be, in kB. What is told of a post is told whole in lists alone.
CALLS: Final = {
    "/": 60,
    "/api/v1/health": 20,
    "/api/v1/live": 1,
    "/api/v1/ready": 1,
    "/api/v1/system": 20,
    "/api/v1/subreddits": 2,
    "/api/v1/sentiment/stats": 1,
    "/api/v1/sentiment/stats?subreddit=__proto__": 1,
    "/api/v1/sentiment/trends?hours=720": 20,
    "/api/v1/sentiment/overview?hours=24&top=50": 150,
    "/api/v1/sentiment/shifts?hours=24": 100,
    "/api/v1/trending?limit=100": 50,
    "/api/v1/posts?kind=all&limit=500&order=negative": 3000,
    "/api/v1/posts?subreddit=constructor": 10,
    "/api/v1/posts/recent?limit=500": 3000,
    "/api/v1/posts/t3_t0": 10,
    "/api/v1/posts/t1_c0?explain=1": 10,
    "/api/v1/openapi.json": 200,
    "/docs": 200,
    "/metrics": 60,
}
#: What goes on for as long as it is taken, and what acts.
OTHERS: Final = {"/api/v1/events", "/api/v1/export", "/api/v1/admin/collect", "/static/{hash}/{name}"}
#: Answers of figures alone: no word of a stranger is in them.
WORDLESS: Final = re.compile(
    r"/metrics|/docs|.*/(live|ready|system|subreddits|stats|trends|overview|openapi\.json)\b.*"
)
CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
WINDOW: Final = "hours=2160&kind=all"


class Answer(NamedTuple):
    """One answer, read to its end."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    took_s: float

    def header(self, name: str) -> str:
        """Return a header's value."""
        return next(value for each, value in self.headers if each.lower() == name)

    def json(self) -> Any:  # noqa: ANN401 - JSON is anything
        """Return the JSON; what is none, or no UTF-8, raises."""
        return json.loads(self.body.decode("utf-8", "strict"))


class Collected(NamedTuple):
    """What the sources made of the same things."""

    lines: int
    items: list[Item]
    refused: int


@pytest.fixture(scope="module")
def now_utc() -> int:
    """Return the time that everything hostile is older than."""
    return int(time.time())


@pytest.fixture(scope="module")
def archived(now_utc: int) -> Collected:
    """Return what the archive source takes."""
    folder = Path(tempfile.mkdtemp(prefix="sa", dir="/tmp"))
    lines = hostile.archive(folder / "evil.ndjson", list(hostile.things(now_utc)))
    items, refused = asyncio.run(hostile.read_archive(folder / "evil.ndjson"))
    shutil.rmtree(folder)
    return Collected(lines, items, refused)


@pytest.fixture(scope="module")
def home(archived: Collected) -> Iterator[Path]:
    """Return the folder of a system whose store holds all of it."""
    folder = Path(tempfile.mkdtemp(prefix="sa", dir="/tmp"))
    settings = load({"SENTIMENTAGENT_HOME": str(folder)})
    settings.folders.state.mkdir(mode=0o700, parents=True)
    asyncio.run(hostile.store(settings, archived.items))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
async def api(home: Path) -> AsyncIterator[RunningApi]:
    """Return an API over that store."""
    async with running_api(home) as running:
        yield running


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[Path]:
    """Send the log into a file, and everything as it was afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure("api", LogSettings(log_level="DEBUG"), tmp_path)
    yield tmp_path / "backend.log"
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


async def ask(api: RunningApi, address: str, **headers: str) -> Answer:
    """Return the answer to GET; its headers must be lines of plain text, none of them a stranger's."""
    began_s = time.perf_counter()
    url = URL(api.address + address, encoded=True)
    async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as response:
        body = await response.read()
        found = [(name.decode(), value.decode("ascii")) for name, value in response.raw_headers]
    assert all(value.isprintable() for _, value in found), found
    assert not [name for name, _ in found if name.lower() in {"x-injected", "set-cookie"}]
    return Answer(response.status, found, body, time.perf_counter() - began_s)


async def listed(api: RunningApi, query: str) -> list[dict[str, Any]]:
    """Return all pages of a list."""
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await ask(api, f"/api/v1/posts?{query}&limit=500&cursor={cursor}".removesuffix("&cursor="))).json()
        found += page["posts"]
        cursor = page["next_cursor"]
    return found


class Markup(HTMLParser):
    """The elements of a page, its text, and that each one that is opened is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.text += data

    def handle_comment(self, data: str) -> None:
        """Refuse what we never write."""
        pytest.fail(f"a comment: {data[:50]}")

    def handle_pi(self, data: str) -> None:
        """Refuse what we never write."""
        pytest.fail(f"an instruction: {data[:50]}")


def test_every_line_is_an_item_or_refused(archived: Collected) -> None:
    """None is lost between the two; what is in no calendar, has no name or no subreddit is not taken."""
    assert len(archived.items) + archived.refused == archived.lines
    assert archived.refused == len(hostile.SUBREDDITS) + len(hostile.NO_NUMBERS) + 6 + 6 + 7
    assert not [each.name for each in archived.items if each.name[3:4] in "xyz"]


def test_what_is_taken_is_text_of_bounded_length(archived: Collected) -> None:
    """It can be told as UTF-8, obeyed by no terminal, and every link leads to the web."""
    for each in archived.items:
        assert len(each.title) <= thing.MAX_TITLE_CHARACTERS
        assert len(each.content) <= thing.MAX_TEXT_CHARACTERS
        assert len(each.author) <= thing.MAX_AUTHOR_CHARACTERS
        assert re.fullmatch(r"https?://[^\x00-\x20]{3,8000}", each.url), each.url[:100]
        assert re.fullmatch(r"[\w.:-]+", each.subreddit, re.ASCII)
        for text in (each.title, each.content, each.author, each.url):
            assert text.encode("utf-8").decode() == text
            assert not CONTROL.search(text)


@pytest.mark.filterwarnings(r"ignore:(BasicAuth|The 'auth' parameter) is deprecated:DeprecationWarning")
async def test_reddit_brings_the_same(archived: Collected, now_utc: int) -> None:
    """Its listings are no more trusted than files: the same texts, and a title of ten million characters cut."""
    of = [each for each in hostile.things(now_utc) if each["id"][0] in "tcn"]
    huge = hostile.post("huge", now_utc, "T" * 10_000_000, selftext="x" * 2_000_000, url="https://a/" + "b" * 2_000_000)
    items, refused = await hostile.read_reddit([*of, huge])
    assert (len(items), refused) == (len(of) + 1, 0)
    (whole,) = (each for each in items if each.title.startswith("TTT"))
    assert (len(whole.title), len(whole.content)) == (1000, 50_000)
    assert whole.url == "https://www.reddit.com/comments/huge/"
    known = {each.title: each for each in archived.items}
    posts = [each for each in items if each.name.startswith("t3_") and each is not whole]
    # Entities are undone in archives alone: Reddit is asked not to make them.
    assert len([each for each in posts if each.title in known]) == len(posts) - 1


async def test_every_call_answers_whole_bounded_and_in_time(api: RunningApi) -> None:
    """With its own type, and nothing in it that is not what it says."""
    described = (await ask(api, "/api/v1/openapi.json")).json()["paths"]
    asked = {address.partition("?")[0] for address in CALLS} | OTHERS
    asked = {re.sub(r"/posts/t\d_.*", "/posts/{id}", path) for path in asked}
    assert described.keys() <= asked, "a call that is not asked here"
    for address, most_kb in CALLS.items():
        answer = await ask(api, address)
        assert answer.status == 200, address
        assert len(answer.body) < most_kb * 1000, (address, len(answer.body))
        assert answer.took_s < 2, address
        assert answer.header("x-content-type-options") == "nosniff"
        assert not CONTROL.search(answer.body.decode("utf-8", "strict")), address
        if answer.header("content-type").startswith("application/json"):
            answer.json()
        if WORDLESS.fullmatch(address):
            assert CANARY not in answer.body.decode(), address


async def test_lists_tell_what_was_collected_to_the_letter(api: RunningApi, archived: Collected) -> None:
    """Text is not mended on its way out: who reads JSON has what was written, and single posts are the same."""
    told = {each["name"]: each for each in await listed(api, WINDOW)}
    assert told.keys() == {each.name for each in archived.items}
    for each in archived.items:
        post = told[each.name]
        fields = (each.subreddit, each.author, each.title, each.content, each.url, each.upvotes, each.comment_count)
        names = ("subreddit", "author", "title", "content", "url", "upvotes", "comment_count")
        assert fields == tuple(post[name] for name in names)
    for name in ("t3_t0", "t1_c3", "t3_n1"):
        assert (await ask(api, f"/api/v1/posts/{name}")).json() == told[name]


async def test_the_page_has_no_element_or_attribute_of_a_stranger(api: RunningApi) -> None:
    """The newest 25 posts are hostile ones: each is a list item with the elements that we write, and cut."""
    answer = await ask(api, "/")
    shown = Markup(answer.body.decode())
    tags = {tag for tag, _ in shown.elements}
    assert not tags & {"style", "iframe", "form", "base", "object", "svg:script", "textarea", "plaintext", "button"}
    attributes = {name for _, each in shown.elements for name in each}
    assert not {name for name in attributes if name.startswith("on")} | attributes & {"style", "srcdoc", "autofocus"}
    for tag, each in shown.elements:
        for address in filter(None, (each.get("href"), each.get("src"))):
            assert re.match(r"https?://[^/]|/(?!/)|#", address), address[:100]
        assert tag != "script" or (each["src"] or "").startswith("/static/")
        assert tag != "meta" or each.get("content") in {"30", "width=device-width, initial-scale=1", "light dark", None}
    assert [each["class"] for tag, each in shown.elements if tag == "ol"] == ["items"]
    assert len([tag for tag, each in shown.elements if tag == "time"]) == 25
    assert hostile.TEXTS["script"] in shown.text
    assert max(map(len, shown.text.split("\n"))) < 1000


async def test_metrics_are_read_by_prometheus_as_they_are_meant(api: RunningApi) -> None:
    """No name of a subreddit ends a line or begins one, and how many are named is bounded."""
    families = {each.name: each for each in text_string_to_metric_families((await ask(api, "/metrics")).body.decode())}
    assert all(name.startswith("sentimentagent_") for name in families)
    named = [each.labels["subreddit"] for each in families["sentimentagent_subreddit_items"].samples]
    assert set(named) == {"Cursor", "Shift", "Themes", *hostile.ODD_SUBREDDITS}


async def test_a_file_of_csv_holds_texts_and_no_formula(api: RunningApi) -> None:
    """As many rows as posts, each cell as it was written or with the quote before it that makes a formula text."""
    answer = await ask(api, f"/api/v1/export?{WINDOW}")
    assert re.fullmatch(r'attachment; filename="[\w.-]+"', answer.header("content-disposition"))
    assert not CONTROL.search(answer.body.decode())
    csv.field_size_limit(10**7)
    rows = list(csv.DictReader(io.StringIO(answer.body.decode(), newline=""), strict=True))
    posts = await listed(api, WINDOW)
    assert [row["name"] for row in rows] == [post["name"] for post in posts]
    for row, post in zip(rows, posts, strict=True):
        assert row.keys() == flat.COLUMNS.keys()
        for name in ("author", "title", "content", "url"):
            assert row[name] in {post[name], f"'{post[name]}"}
            assert not re.match('[\\s"\u200b\ufeff]*[=+@-]', row[name]), row[name][:50]


async def test_other_files_hold_the_texts_untouched(api: RunningApi) -> None:
    """A line of NDJSON is a post whatever line ends are in it; Parquet has the same, huge numbers as numbers."""
    posts = await listed(api, WINDOW)
    lines = (await ask(api, f"/api/v1/export?format=ndjson&{WINDOW}")).body.split(b"\n")
    assert [json.loads(line) for line in lines[:-1]] == posts
    rows = parquet.read_table(io.BytesIO((await ask(api, f"/api/v1/export?format=parquet&{WINDOW}")).body)).to_pylist()
    for name in ("name", "title", "content", "author", "url", "upvotes"):
        assert [row[name] for row in rows] == [post[name] for post in posts]


async def test_words_that_are_told_are_words(api: RunningApi) -> None:
    """Of themes and shifts: letters, digits and what joins them, however hostile the texts that they come from."""
    themes = (await ask(api, "/api/v1/trending?limit=100")).json()
    shifts = (await ask(api, "/api/v1/sentiment/shifts?hours=24")).json()["shifts"]
    words = [word for theme in themes for word in (*theme["keywords"], *theme["theme"].split(", "))]
    words += [each["word"] for shift in shifts for each in shift["words"]]
    assert {"script", "outage"} <= set(words)
    for word in words:
        assert re.fullmatch(r"[\w.'\u2019+# -]{1,60}", word), word
    for post in (post for shift in shifts for post in shift["posts"]):
        assert len(post["content"]) <= 1000


async def test_events_tell_nothing_that_a_stranger_wrote(api: RunningApi) -> None:
    """Each event is one line of JSON, and no text adds another."""
    async with listening(api.address) as stream:
        events = [await stream.next() for _ in range(2)]
    assert events[0].kind == "hello"
    for event in events:
        assert CANARY not in json.dumps(event.body)
        assert len(json.dumps(event.body)) < 5000


async def test_explanations_are_bounded(home: Path) -> None:
    """Every hostile text goes to the analyzer and back: at most twenty words, none longer than a line."""
    settings = load({"SENTIMENTAGENT_HOME": str(home)})
    count = 0
    async with running_api(home) as api, living(Analyzer(settings, Pulse("analyzer"), WordEngine)):
        for number in range(len(hostile.TEXTS)):
            answer = await ask(api, f"/api/v1/posts/t{number}?explain=1")
            explanation = answer.json()["explanation"]
            assert explanation is not None, answer.json()["explanation_reason"]
            assert len(explanation["words"]) <= 20
            assert all(len(each["word"]) <= 240 for each in explanation["words"])
            assert not CONTROL.search(answer.body.decode())
            count += len(explanation["words"])
    assert count > 50


@pytest.mark.parametrize("where", ["subreddit", "cursor", "subreddits", "id", "path", "etag"])
async def test_what_a_stranger_asks_is_no_less_text(api: RunningApi, where: str) -> None:
    """An address may be somebody's link: it is answered or refused in JSON, and no header of the answer is its."""
    for text in hostile.TEXTS.values():
        said = str(URL.build(path="/", query={"x": text[:90].encode("utf-8", "replace").decode()}).raw_query_string)[2:]
        address = {
            "subreddit": f"/api/v1/posts?limit=1&subreddit={said}",
            "cursor": f"/api/v1/posts/recent?cursor={said}",
            "subreddits": f"/api/v1/sentiment/overview?subreddits={said}",
            "id": f"/api/v1/posts/{said}",
            "path": f"/api/v1/{said}",
            "etag": "/api/v1/subreddits",
        }[where]
        headers = {"If-None-Match": f'"{said}"'} if where == "etag" else {}
        answer = await ask(api, address.replace("+", "%20"), **headers)
        assert answer.status in {200, 400, 404, 422}, (text[:50], answer.status)
        if answer.status != 400:  # the server's own parser speaks plain text
            assert answer.header("content-type") == "application/json"
            assert isinstance(answer.json(), dict)
        assert len(answer.body) < 20_000


async def test_the_address_of_the_next_page_is_one_link(api: RunningApi) -> None:
    """What was asked is repeated in it, in no other sign than an address has."""
    answer = await ask(api, "/api/v1/posts?limit=1&x=%0d%0aX-Injected:%20a%3E;rel=%22x%22,%3Cb&y=%00%E2%80%AE%22")
    link = answer.header("link")
    assert re.fullmatch(r'</api/v1/posts\?[^<>"\s]*>; rel="next"', link), link
    assert (await ask(api, link[1 : link.index(">")])).status == 200


async def test_an_answer_is_known_again_by_its_tag(api: RunningApi) -> None:
    """Hostile texts make a tag like any other, and the packed answer is the same."""
    address = "/api/v1/posts?kind=all&limit=500"
    first = await ask(api, address)
    assert re.fullmatch(r'W/"[0-9a-f]+"', first.header("etag"))
    assert (await ask(api, address, **{"If-None-Match": first.header("etag")})).status == 304
    packed = await ask(api, address, **{"Accept-Encoding": "gzip"})
    assert packed.header("content-encoding") == "gzip"
    assert packed.body == (await ask(api, address, **{"Accept-Encoding": "identity"})).body


async def test_no_word_of_a_stranger_is_in_the_log(home: Path, archived: Collected, log_file: Path) -> None:
    """Neither of what is stored nor of what is asked, at the most talkative level, and every line is one event."""
    async with running_api(home) as api:
        await hostile.store(api.settings, archived.items)
        for address in (*CALLS, f"/api/v1/export?{WINDOW}", f"/api/v1/%0d%0a{CANARY}", f"/api/v1/posts?hours={CANARY}"):
            await ask(api, address)
    lines = log_file.read_text().split("\n")
    assert len(lines) > 50
    assert CANARY not in log_file.read_text()
    assert all(line.startswith("time=") for line in lines[:-1])


async def test_what_no_source_takes_is_harmless_in_a_store(short_path: Path, now_utc: int) -> None:
    """A store may hold what another version took: nothing relies on the sources alone."""
    async with running_api(short_path) as api:
        await hostile.store(api.settings, of := hostile.unclean(now_utc))
        for address in ("/", *CALLS):
            answer = await ask(api, address.replace("t3_t0", "t3_u1").replace("t1_c0", "t3_u2"))
            assert answer.status == 200, address
            # A title of half a million characters is told once in each list that has it.
            assert len(answer.body) < 1_500_000, address
            if answer.header("content-type").startswith("application/json"):
                answer.json()
        shown = Markup((await ask(api, "/")).body.decode())
        for address in filter(None, (each.get("href") for _, each in shown.elements)):
            assert re.match(r"https?://[^/]|/(?!/)|#", address), address[:100]
        assert not [name for _, each in shown.elements for name in each if name.startswith("on") or name == "style"]
        assert len(shown.text) < 20_000
        metrics = text_string_to_metric_families((await ask(api, "/metrics")).body.decode())
        named = {each.labels.get("subreddit", "") for family in metrics for each in family.samples}
        assert {each.subreddit for each in of} <= named
        for form in ("csv", "ndjson", "parquet"):
            assert (await ask(api, f"/api/v1/export?format={form}&{WINDOW}")).status == 200
        assert len(await listed(api, WINDOW)) == len(of)


async def test_five_hundred_posts_of_the_greatest_length_are_told_in_parts(short_path: Path) -> None:
    """Lists end their pages early, and everything else tells the beginning: no answer grows with what is written."""
    now_utc = int(time.time())
    async with running_api(short_path) as api:
        await api.store(
            *(
                scored(
                    item(f"t3_l{n}", created_utc=now_utc - 150 * n, title="T" * 1000, content="long text " * 5_000),
                    "positive" if n > 250 else "negative",
                )
                for n in range(500)
            )
        )
        for order in ("newest", "negative", "discussed"):
            page = await ask(api, f"/api/v1/posts?limit=500&order={order}")
            assert len(page.body) < places.MAX_CHARACTERS + 200_000
            assert page.took_s < 2
        assert len(await listed(api, "hours=48")) == 500
        recent = await ask(api, "/api/v1/posts/recent?limit=500")
        assert (len(recent.json()), 'rel="next"' in recent.header("link")) == (79, True)
        for address, most_kb in {"/": 60, "/api/v1/trending": 20, "/api/v1/sentiment/shifts?hours=24": 100}.items():
            answer = await ask(api, address)
            assert answer.status == 200
            assert len(answer.body) < most_kb * 1000, address
            assert answer.took_s < 2, address
        assert (await ask(api, "/api/v1/sentiment/shifts?hours=24")).json()["shifts"]
