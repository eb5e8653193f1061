"""The reference at /docs: for people, from the same document, under the same policy as every page."""

from __future__ import annotations

import re
import shlex
from html import unescape
from typing import TYPE_CHECKING

import pytest
from fakes.running_api import running_api

from api.reference import _address
from ipc.settings import ApiSettings

if TYPE_CHECKING:
    from pathlib import Path


async def test_every_call_has_a_line_of_curl_that_works(short_path: Path) -> None:
    """What the page says to run answers, at the address of the settings; only what stands in a path is not real."""
    async with running_api(short_path) as api:
        await api.store()
        document = await api.get("/openapi.json")
        response = await api.ask("GET", "/docs")
        page = await response.text()
        lines = [shlex.split(unescape(line)) for line in re.findall(r"<code>(curl .*?)</code>", page)]
        assert len(lines) == sum(len(methods) for methods in document["paths"].values())
        for _, _, *verb, address in lines:
            path = address.removeprefix("http://127.0.0.1:0")
            assert path.startswith("/")
            if not verb and "/events" not in path:
                answered = (await api.ask("GET", path)).status
                assert answered in ({200, 501} if re.search("[A-Z]{2}", path) is None else {200, 404}), path


async def test_the_page_shows_every_object_and_each_link_leads_somewhere(short_path: Path) -> None:
    """Names in the page and in the document are the same, and so are the targets of its links."""
    async with running_api(short_path) as api:
        document = await api.get("/openapi.json")
        page = await (await api.ask("GET", "/docs")).text()
        for name in document["components"]["schemas"]:
            assert f'<article id="object-{name}">' in page
        targets = set(re.findall(r'href="#([^"]+)"', page))
        assert targets <= set(re.findall(r'id="([^"]+)"', page))
        for address in set(re.findall(r'(?:href|src)="(/[^"]+)"', page)):
            assert (await api.ask("GET", address)).status == 200, address


async def test_the_page_runs_nothing_and_loads_its_own_style_alone(short_path: Path) -> None:
    """No script, no inline style, nothing from elsewhere: the policy of the page says so, and the page keeps to it."""
    async with running_api(short_path) as api:
        response = await api.ask("GET", "/docs")
        page = await response.text()
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"<script|\sstyle=|\son\w+=|https?://(?!127\.0\.0\.1)", page)


async def test_each_status_is_told_with_what_it_carries(short_path: Path) -> None:
    """A 304 carries nothing, what the parser refuses is text, every other failure is the same object."""
    async with running_api(short_path) as api:
        page = await (await api.ask("GET", "/docs")).text()
        article = page[page.index('<article id="get_posts">') : page.index('<article id="get_posts_recent">')]
        told = dict(re.findall(r"<dt>([\d, ]+)</dt><dd>(.*?)</dd>", article))
        assert told["304"] == "nothing"
        assert told["400"] == "<code>text/plain</code> string"
        problem = '<code>application/json</code> <a href="#object-Problem">Problem</a>'
        assert {"401", "422", "429", "500", "503"} <= set(next(k for k, v in told.items() if v == problem).split(", "))


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),  # noqa: S104 - nothing is served here
        ("::", "http://127.0.0.1:8000"),
        ("::1", "http://[::1]:8000"),
        ("localhost", "http://localhost:8000"),
    ],
)
def test_the_lines_of_curl_go_to_this_machine(host: str, address: str) -> None:
    """Whatever it serves at."""
    assert _address(ApiSettings(api_host=host)) == address
