"""The page at /: whole and harmless with hostile text, honest about its data, and about a store that is away."""

from __future__ import annotations

import time
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from fakes.running_api import RunningApi, running_api
from fakes.stored import item, scored

if TYPE_CHECKING:
    from pathlib import Path

EVIL = '</title><script>alert(1)</script><img src=x onerror=alert(1)> " onmouseover="x\' {health} \u202e \u2028'


class Elements(HTMLParser):
    """Every element with its attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.text += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of each element of this name."""
        return [attributes for name, attributes in self.found if name == tag]


async def page(api: RunningApi, status: int = 200) -> Elements:
    """Return the page, which must come with this status."""
    response = await api.ask("GET", "/")
    assert (response.status, response.content_type) == (status, "text/html")
    return Elements(await response.text())


async def test_the_page_shows_health_the_day_and_the_newest_posts(short_path: Path) -> None:
    """With figures from the store, a link to Reddit, and no word of sample data where there is none."""
    now = int(time.time())
    async with running_api(short_path) as api:
        await api.store(
            scored(item("t3_a", created_utc=now - 100, title="It works"), "positive"),
            scored(item("t1_b", created_utc=now - 90, subreddit="aws"), "negative"),
            scored(item("t3_old", created_utc=now - 90_000, title="An older one"), "neutral"),
        )
        shown = await page(api)
    assert "degraded" in shown.text
    assert "The watchdog does not answer" in shown.text
    assert shown.text.index("It works") < shown.text.index("An older one")
    assert "r/aws" in shown.text
    assert "sample" not in shown.text.lower()
    links = [each["href"] for each in shown.of("a")]
    assert "https://www.reddit.com/comments/a/" in links
    assert {"http-equiv": "refresh", "content": "30"} in shown.of("meta")


@pytest.mark.parametrize(
    ("sources", "words", "level"),
    [(("sample",), "Sample data.", "none"), (("sample", "reddit"), "Partly sample data.", "care")],
)
async def test_sample_data_is_told_above_everything(
    short_path: Path, sources: tuple[str, ...], words: str, level: str
) -> None:
    """In the line at the top, before the first figure."""
    async with running_api(short_path) as api:
        await api.store(
            *(scored(item(f"t3_{source}", created_utc=int(time.time()), source=source)) for source in sources)
        )
        shown = await page(api)
    assert [each["class"] for each in shown.of("p") if each.get("id") == "trust"] == [f"trust {level}"]
    assert shown.text.index(words) < shown.text.index("Items scored")


async def test_hostile_text_makes_no_element_no_attribute_and_no_link(short_path: Path) -> None:
    """Scripts, handlers, marks of direction and huge texts in every field: the page stays the page that we wrote."""
    now = int(time.time())
    hostile = item(
        "t3_evil",
        created_utc=now,
        title=EVIL,
        content=EVIL * 10_000,
        author=EVIL,
        subreddit=EVIL,
        url="javascript:alert(1)",
    )
    async with running_api(short_path) as api:
        await api.store(scored(item("t3_good", created_utc=now - 1)))
        before = await page(api)
        await api.store(scored(hostile))
        response = await api.ask("GET", "/")
        shown = Elements(await response.text())
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
        assert "require-trusted-types-for 'script'" in policy
        assert "unsafe" not in policy
    assert {tag for tag, _ in shown.found} == {tag for tag, _ in before.found}
    assert not [
        name for _, attributes in shown.found for name in attributes if name.startswith("on") or name == "style"
    ]
    assert len(shown.of("a")) == len(before.of("a"))
    assert "<script>alert(1)</script>" in shown.text
    assert len(shown.text) < len(before.text) + 3000


async def test_without_a_store_the_page_says_so(short_path: Path) -> None:
    """503, the reason in words, and no figure that would look like one."""
    async with running_api(short_path) as api:
        shown = await page(api, status=503)
    assert "The store does not answer" in shown.text
    assert "unhealthy" in shown.text
    assert "not measured" in shown.text
    assert not shown.of("table")


async def test_with_the_store_away_the_page_shows_what_it_showed_last(short_path: Path) -> None:
    """503 and a notice with the age; posts, table and the banner on sample data stay, figures of health do not."""
    async with running_api(short_path) as api:
        now = int(time.time())
        await api.store(scored(item("t3_last", title="Seen last", created_utc=now - 60, source="sample")))
        before = await page(api)
        path = api.settings.folders.store
        path.rename(away := path.with_name("away.db"))
        shown = await page(api, status=503)
        assert "The store does not answer" in shown.text
        assert "0 seconds ago" in shown.text
        for text in (before.text, shown.text):
            assert "Seen last" in text
            assert "Sample data." in text
        assert "not measured" in shown.text
        away.rename(path)
        again = await page(api)
    assert "does not answer" not in again.text.replace("The watchdog does not answer", "")


async def test_an_empty_store_shows_no_zeros(short_path: Path) -> None:
    """What has not been collected yet is told in words."""
    async with running_api(short_path) as api:
        await api.store()
        shown = await page(api)
    assert "Nothing that was written in the last 24 hours is here." in shown.text
    assert "There are no posts yet." in shown.text


async def test_the_page_brings_its_files_along(short_path: Path) -> None:
    """Everything that it loads comes from this address, with its type, and may be kept for ever."""
    async with running_api(short_path) as api:
        await api.store()
        shown = await page(api)
        for address in addresses(shown):
            response = await api.ask("GET", address)
            assert response.status == 200, address
            assert (
                response.content_type
                == {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}[address.rpartition(".")[2]]
            )
            assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_files_are_compressed_for_who_takes_it(short_path: Path) -> None:
    """The same bytes either way, and a cache in between is told of both."""
    async with running_api(short_path) as api:
        await api.store()
        script = next(each for each in addresses(await page(api)) if each.endswith("/chart.js"))
        plain = await api.ask("GET", script, Accept_Encoding="identity")
        whole = await plain.text()
        small = await api.ask("GET", script, Accept_Encoding="gzip")
        assert whole == await small.text()  # the client unpacks
        assert "Content-Encoding" not in plain.headers
    assert small.headers["Content-Encoding"] == "gzip"
    assert int(small.headers["Content-Length"]) < int(plain.headers["Content-Length"]) / 2
    assert "Accept-Encoding" in small.headers["Vary"]


@pytest.mark.parametrize(
    "address", ["/static/000000000000/main.js", "/static/{hash}/..%2fpage.py", "/static/{hash}/none.js"]
)
async def test_what_is_no_file_of_this_version_is_not_found(short_path: Path, address: str) -> None:
    """Another version's address, a path out of the folder, a name that is none."""
    async with running_api(short_path) as api:
        await api.store()
        known = addresses(await page(api))[0].split("/")[2]
        response = await api.ask("GET", address.replace("{hash}", known))
    assert response.status == 404


async def test_nothing_in_the_page_is_inline(short_path: Path) -> None:
    """No script, style or handler stands in the page: the policy would refuse it."""
    async with running_api(short_path) as api:
        await api.store(scored(item("t3_a", created_utc=int(time.time()))))
        shown = await page(api)
    assert not shown.of("style")
    assert all(each.get("src") for each in shown.of("script"))
    assert not [name for _, each in shown.found for name in each if name == "style" or name.startswith("on")]


def addresses(shown: Elements) -> list[str]:
    """Return the address of everything that the page loads."""
    found = [each.get("href") for each in shown.of("link")] + [each.get("src") for each in shown.of("script")]
    found += [each.get("src") for each in shown.of("img")]
    return [each for each in found if each]
