"""The page in a real browser over a store of hostile posts: nothing of theirs runs or is loaded, and nothing breaks."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from fakes import hostile
from fakes.examples import WordEngine, living
from fakes.running_api import RunningApi, running_api
from harness.browser import browsing, looking

from agent.analyzer import Analyzer
from ipc.environment import load
from ipc.life import Pulse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from harness.browser import Seen
    from playwright.async_api import Browser, Page

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

#: A phone, and a wide screen.
PHONE: Final = {"width": 360, "height": 740}
WIDE: Final = {"width": 1280, "height": 900}
#: Each view, and what is there when it is drawn.
VIEWS: Final = {
    "?view=now&window=24h": "section .net-chart",
    "?view=now&window=24h&subreddit=__proto__": "section .net-chart",
    "?view=now&window=7d&compare=constructor,Shift": "section .net-chart",
    "?view=posts&window=7d&kind=all": "ol.items > li",
    "?view=posts&window=90d&order=negative&subreddit=Cursor": "ol.items > li",
    "?view=posts&subreddit=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E&window=%22%3E&order=__proto__": "main section",
    "?view=system": "main section",
    "?view=constructor&compare=%3Cscript%3E,%E2%80%AE": "main section",
}
#: What tells that a stranger's script ran, or their markup became elements.
_HARM: Final = """() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const cut = (nodes, text) => nodes.map((each) => text(each).slice(0, 200));
  const attributes = all("main *").flatMap((each) => [...each.attributes]);
  const away = [...document.links].filter((each) => each.host !== location.host);
  const root = document.documentElement;
  return {
    canary: globalThis.canary ?? null,
    reports: globalThis.reports,
    elements: cut(all("main :is(iframe, base, style, img, script, object, meta, [action])"), (each) => each.outerHTML),
    handlers: cut(attributes.filter((each) => /^(on|srcdoc)/.test(each.name)), (each) => each.name),
    links: cut([...document.links].filter((each) => !/^https?:$/.test(each.protocol)), (each) => each.href),
    unguarded: cut(away.filter((each) => !each.rel.includes("noopener")), (each) => each.href),
    too_wide: Math.max(0, root.scrollWidth - root.clientWidth),
    longest: Math.max(...all("main :is(li, h1, p, td)").map((each) => each.textContent.length)),
  };
}"""


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Return a browser."""
    async with browsing() as running:
        yield running


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Return the folder of a system that stores hostile posts, some as no source of ours takes them."""
    folder = Path(tempfile.mkdtemp(prefix="sa", dir="/tmp"))
    settings = load({"SENTIMENTAGENT_HOME": str(folder)})
    settings.folders.state.mkdir(mode=0o700, parents=True)
    hostile.archive(folder / "evil.ndjson", list(hostile.things(int(time.time()))))
    items, _ = asyncio.run(hostile.read_archive(folder / "evil.ndjson"))
    asyncio.run(hostile.store(settings, [*items, *hostile.unclean(int(time.time()))]))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
async def api(home: Path) -> AsyncIterator[RunningApi]:
    """Return an API over that store, and an analyzer beside it that explains."""
    async with running_api(home) as running, living(Analyzer(running.settings, Pulse("analyzer"), WordEngine)):
        yield running


async def test_nothing_of_a_stranger_runs_or_is_loaded_in_any_view(browser: Browser, api: RunningApi) -> None:
    """By phone and on a wide screen: no dialog, no complaint, no other host, no element of theirs, nothing too wide."""
    for viewport, views in ((PHONE, VIEWS), (WIDE, dict(list(VIEWS.items())[2:4]))):
        async with looking(browser, api.address, viewport=viewport) as (page, seen):
            for view, drawn in views.items():
                await page.goto(f"{api.address}/{view}")
                await page.wait_for_selector(drawn, timeout=10_000)
                await assert_harmless(page, seen, view)


async def test_nothing_runs_when_everything_is_opened_and_explained(browser: Browser, api: RunningApi) -> None:
    """Each part that opens, the words behind verdicts, marks in texts, more posts, the pointer over all of it."""
    async with looking(browser, api.address, viewport=PHONE) as (page, seen):
        await page.goto(f"{api.address}/?view=posts&window=7d")
        await page.wait_for_selector("ol.items > li")
        await page.get_by_role("button", name="Load more").click()
        await page.locator("ol.items > li").nth(30).wait_for()
        for button in (await page.get_by_role("button", name="Why?").all())[:24]:
            await button.dispatch_event("click")
        while await page.get_by_text("Asking the model").count() or not await page.locator(".why .effects").count():
            await asyncio.sleep(0.05)
        await assert_harmless(page, seen, "explained")
        await page.goto(f"{api.address}/?view=now&window=24h")
        await page.wait_for_selector(".shifts > li")
        for summary in await page.locator("main summary").all():
            await summary.dispatch_event("click")
        await page.wait_for_selector(".behind li")
        for node in await page.locator("main li, main .driver").all():
            await node.dispatch_event("mouseover")
        await assert_harmless(page, seen, "opened")


async def test_the_page_without_scripts_is_as_harmless(browser: Browser, api: RunningApi) -> None:
    """What the server makes by itself: markup of ours alone, cut, and no wider than the window."""
    for viewport in (PHONE, WIDE):
        async with looking(browser, api.address, viewport=viewport, java_script_enabled=False) as (page, seen):
            await page.goto(api.address)
            assert await page.locator("ol.items > li").count() == 25
            assert await page.locator("script:not([src]), iframe, form, base, style, main img").count() == 0
            links = await page.locator("a").evaluate_all("(links) => links.map((each) => each.getAttribute('href'))")
            assert all(link.startswith(("http://", "https://", "/", "#")) for link in links)
            assert await page.locator("html").evaluate("(root) => root.scrollWidth - root.clientWidth") <= 0
            assert_quiet(seen, "plain")


async def assert_harmless(page: Page, seen: Seen, where: str) -> None:
    """Nothing happened, and nothing is in the page, that only a stranger can have made."""
    harm: dict[str, Any] = await page.evaluate(_HARM)
    assert harm.pop("longest") < 6000, where
    assert harm == {
        "canary": None,
        "reports": [],
        "elements": [],
        "handlers": [],
        "links": [],
        "unguarded": [],
        "too_wide": 0,
    }, where
    assert_quiet(seen, where)


def assert_quiet(seen: Seen, where: str) -> None:
    """Neither a dialog nor a complaint nor a request that leads elsewhere."""
    assert (seen.dialogs, seen.complaints, seen.strays) == ([], [], []), where
