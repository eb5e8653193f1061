"""The page in a real browser over a month of data: what its reader sees, does, and is told when something is wrong."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import pytest
from fakes.showcase import posts, showcase
from fakes.stored import item, scored
from harness.browser import browsing, looking

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fakes.running_api import RunningApi
    from harness.browser import Seen
    from playwright.async_api import Browser, Page

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

#: What a first visit may cost: everything that is sent, in bytes, and the time until the chart is there.
BUDGET_BYTES: Final = 100_000
BUDGET_MS: Final = 1000
DASH: Final = "\N{EN DASH}"
VIEWS: Final = {"now": ".net-chart", "posts": ".items > li", "system": ".memory-chart"}
_SENT: Final = """() => performance.getEntries()
  .filter((each) => "transferSize" in each && !each.name.includes("events"))
  .reduce((sum, each) => sum + each.transferSize, 0)"""
#: When the chart appeared, by the browser's clock since the request.
_DRAWN: Final = """() => {
  globalThis.drawnAt = null;
  new MutationObserver((_, observer) => {
    if (!document.querySelector(".net-chart")) return;
    globalThis.drawnAt = performance.now();
    observer.disconnect();
  }).observe(document, { childList: true, subtree: true });
}"""


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Return a browser."""
    async with browsing() as running:
        yield running


@pytest.fixture
async def api(short_path: Path) -> AsyncIterator[RunningApi]:
    """Return an API over a month, with its watchdog and collector."""
    async with showcase(short_path) as running:
        yield running


async def look(page: Page, api: RunningApi, query: str = "", drawn: str = ".net-chart") -> None:
    """Go to a view and wait until it is drawn."""
    await page.goto(f"{api.address}/{query}")
    await page.wait_for_selector(drawn, timeout=10_000)


async def text(page: Page, selector: str) -> str:
    """Return what a reader sees there."""
    return await page.locator(selector).first.inner_text()


def assert_quiet(seen: Seen, *, but: str | None = None) -> None:
    """No error, no warning, no refusal by the policy, no other host; ``but`` is in those that a test brings about."""
    assert not [each for each in seen.complaints if but is None or but not in each]
    assert not seen.strays


async def test_the_top_tells_in_words_how_they_feel_and_whether_it_can_be_trusted(
    browser: Browser, api: RunningApi
) -> None:
    """One figure, one sentence, its change, and a line on trust that is worded and not only coloured."""
    async with looking(browser, api.address) as (page, seen):
        await look(page, api)
        assert "The communities are positive" in await text(page, "h1:visible")
        assert (await text(page, "#feeling .figure")).startswith("+")
        assert "95 % sure between" in await text(page, "#feeling")
        await page.wait_for_selector("#trust.good")
        assert await text(page, "#trust") == "The data is fresh, and all processes run."
        await page.wait_for_selector("#live.is-live")
        assert_quiet(seen)


async def test_a_first_visit_is_within_its_budget(browser: Browser, api: RunningApi) -> None:
    """The best of three new profiles draws the chart within a second, and what is sent stays small."""
    drawn_ms = []
    for _ in range(3):
        async with looking(browser, api.address) as (page, _):
            await page.add_init_script(f"({_DRAWN})()")
            await look(page, api)
            drawn_ms.append(await page.evaluate("() => globalThis.drawnAt"))
            sent = await page.evaluate(_SENT)
    assert min(drawn_ms) < BUDGET_MS, drawn_ms
    assert sent < BUDGET_BYTES


async def test_a_gap_is_drawn_as_a_gap(browser: Browser, api: RunningApi) -> None:
    """The collector was off for a while: two lines, and nothing between them."""
    async with looking(browser, api.address) as (page, _):
        await look(page, api)
        assert await page.locator(".net-chart .line .net").count() == 2


async def test_a_shift_is_marked_and_told_with_its_words_and_posts(browser: Browser, api: RunningApi) -> None:
    """The subreddit that turned, by how much, the word of the outage, and posts that link to Reddit."""
    async with looking(browser, api.address) as (page, seen):
        await look(page, api, "?subreddit=Cursor")
        assert await page.locator(".net-chart .marks rect").count() == 1
        assert "r/Cursor fell by" in await text(page, ".shifts h3")
        assert "outage" in await text(page, ".shifts .drivers")
        await page.get_by_text("posts behind it").first.click()
        link = await page.locator(".behind a").first.get_attribute("href")
        assert (link or "").startswith("https://www.reddit.com/")
        assert_quiet(seen)


async def test_two_are_picked_and_their_difference_is_drawn(browser: Browser, api: RunningApi) -> None:
    """By the buttons beside the small pictures; the address then says both, and back is back."""
    async with looking(browser, api.address) as (page, seen):
        await look(page, api, "?window=24h")
        await page.get_by_role("button", name="Compare r/Cursor").click()
        await page.wait_for_selector("#picking:has-text('r/Cursor is picked')")
        await page.get_by_role("button", name="Compare r/claude").click()
        await page.wait_for_selector(".line.two")
        assert await page.locator(".net-chart").count() == 2
        assert "compare=Cursor%2Cclaude" in page.url
        assert "r/Cursor is more negative than r/claude" in await text(page, "h1:visible")
        await page.go_back()
        await page.wait_for_selector("text=The communities are")
        assert_quiet(seen)


async def test_the_arrow_keys_go_through_time(browser: Browser, api: RunningApi) -> None:
    """The chart is a slider: it has the focus by the keyboard, and tells each bucket in words."""
    async with looking(browser, api.address) as (page, _):
        await look(page, api)
        chart = page.get_by_role("slider")
        await chart.focus()
        await page.keyboard.press("Home")
        first = await text(page, ".readout")
        await page.keyboard.press("ArrowRight")
        assert await text(page, ".readout") != first
        assert "net +" in await text(page, ".readout")
        assert await chart.get_attribute("aria-valuetext") == await text(page, ".readout")


async def test_each_chart_has_its_figures_as_a_table(browser: Browser, api: RunningApi) -> None:
    """The same buckets, in words; a bucket without items has a dash and no zero."""
    async with looking(browser, api.address) as (page, _):
        await look(page, api)
        await page.get_by_text("Figures as a table").click()
        rows = page.locator(".figures-table tbody tr")
        await rows.first.wait_for()
        assert await rows.count() >= 56
        told = [await each.inner_text() for each in await rows.all()]
        assert [each for each in told if each.split("\t")[2:] == [DASH, f"{DASH} to {DASH}", "0"]]


async def test_posts_are_ordered_filtered_and_read_on(browser: Browser, api: RunningApi) -> None:
    """Each choice is in the address; a second page follows the first without doubling anything."""
    async with looking(browser, api.address) as (page, seen):
        await look(page, api, "?view=posts&window=30d", ".items > li")
        await page.get_by_role("link", name="Most negative").click()
        await page.wait_for_selector(".items .sentiment.negative")
        await page.get_by_label("Subreddit").select_option("claude")
        await page.wait_for_selector(".chip")
        assert "order=negative" in page.url
        assert "subreddit=claude" in page.url
        await page.get_by_role("button", name="Load more").click()
        await page.locator(".items > li").nth(30).wait_for()
        links = [await each.get_attribute("href") for each in await page.locator(".items h3 a").all()]
        assert len(links) == len(set(links)) > 30
        assert set(await page.locator(".items .about span:first-child").all_inner_texts()) == {"r/claude"}
        assert_quiet(seen)


async def test_why_says_why_not_where_nobody_can_tell(browser: Browser, api: RunningApi) -> None:
    """Without an analyzer there are no words, and that is told."""
    async with looking(browser, api.address) as (page, _):
        await look(page, api, "?view=posts", ".items > li")
        await page.get_by_role("button", name="Why?").first.click()
        await page.wait_for_selector(".why:has-text('The analyzer does not answer')")


async def test_the_system_is_shown_with_memory_forecast_and_incidents(browser: Browser, api: RunningApi) -> None:
    """Four processes, each against its limit; the one that leaks says when it gets there."""
    async with looking(browser, api.address) as (page, seen):
        await look(page, api, "?view=system", ".memory-chart")
        assert await page.locator(".memory-chart").count() == 4
        assert "at its limit in 14 hours" in await text(page, ".process-cards li:nth-child(2)")
        assert await page.locator(".course").count() == 1
        assert "supervisord started it again" in await text(page, "section:has(#incidents)")
        assert "r/kiroIDE" in await text(page, "section:has(#fresh)")
        await page.get_by_role("button", name="Collect now").click()
        await page.wait_for_selector("text=A collection cycle has begun.")
        assert_quiet(seen)


async def test_from_another_machine_collecting_asks_for_a_token(browser: Browser, short_path: Path) -> None:
    """A wrong one is refused and forgotten; the right one stays in this tab's own storage."""
    async with (
        showcase(short_path, API_PUBLIC_READ="yes", ADMIN_TOKEN="a token of thirty characters!!") as api,
        looking(browser, api.address, extra_http_headers={"X-Forwarded-For": "192.0.2.7"}) as (page, seen),
    ):
        await look(page, api, "?view=system", "main section")
        for given, answer in (
            ("wrong", "From here that needs a token."),
            ("a token of thirty characters!!", "has begun"),
        ):
            if given == "wrong":
                await page.get_by_role("button", name="Collect now").click()
                await page.wait_for_selector("form.token:visible")
            await page.get_by_label("Token to act with").fill(given)
            await page.get_by_role("button", name="Use it").click()
            await page.wait_for_selector(f".said:has-text('{answer}')")
            await page.wait_for_selector("form.token", state="visible" if given == "wrong" else "hidden")
        assert await page.evaluate("() => [Object.keys(localStorage), document.cookie]") == [[], ""]
        assert_quiet(seen, but="401")


async def test_what_comes_in_is_shown_by_itself(browser: Browser, api: RunningApi) -> None:
    """A new post is on the page some seconds after it was stored, without a touch."""
    async with looking(browser, api.address) as (page, seen):
        await look(page, api, "?view=posts&kind=all", ".items > li")
        await page.wait_for_selector("#live.is-live")
        await api.store(scored(item("t3_news", created_utc=int(time.time()), title="Hot from the press")))
        await page.wait_for_selector("text=Hot from the press", timeout=15_000)
        assert_quiet(seen)


async def test_a_lost_store_is_told_above_what_was_known(browser: Browser, api: RunningApi) -> None:
    """In words, at the top, while what was shown stays and is called old; and it is over when it is over."""
    async with looking(browser, api.address) as (page, _):
        await look(page, api)
        path = api.settings.folders.store
        path.rename(away := path.with_name("away.db"))
        await page.wait_for_selector("#trust.none:has-text('The store does not answer')", timeout=20_000)
        await page.wait_for_selector(".notice:has-text('this is what it said')")
        assert await page.locator(".net-chart").count() == 1
        away.rename(path)
        await page.wait_for_selector("#trust.good", timeout=30_000)


async def test_an_api_that_is_gone_is_told(browser: Browser, short_path: Path) -> None:
    """The page says since when it is not live, and from when what it shows is."""
    async with looking(browser, "http://127.0.0.1") as (page, _):
        async with showcase(short_path) as api:
            await look(page, api)
            await page.wait_for_selector("#live.is-live")
        await page.wait_for_selector(
            "#live.is-again:has-text('last heard at'), #live.is-lost:has-text('Not live since')"
        )
        await page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
        await page.wait_for_selector("#trust.none:has-text('be reached')", timeout=20_000)


@pytest.mark.parametrize(
    ("source", "newest_s", "level", "words"),
    [("sample", 120, "none", "Sample data."), ("reddit", 72_000, "care", "the newest data is")],
)
async def test_sample_and_stale_data_are_told_at_the_top(  # noqa: PLR0913, PLR0917 - a row of a table
    browser: Browser, short_path: Path, source: str, newest_s: int, level: str, words: str
) -> None:
    """Never a healthy page over data that is not of the world, or not of now."""
    of = posts(int(time.time()), source, newest_s)
    async with showcase(short_path, of=of) as api, looking(browser, api.address) as (page, seen):
        await look(page, api)
        await page.wait_for_selector(f"#trust.{level}")
        assert words in await text(page, "#trust")
        assert_quiet(seen)


async def test_an_empty_store_draws_nothing_and_claims_nothing(browser: Browser, short_path: Path) -> None:
    """No axis with invented figures, no zero."""
    async with showcase(short_path, of=[]) as api, looking(browser, api.address) as (page, seen):
        await look(page, api, drawn="main section")
        assert "Nothing is known of the communities" in await text(page, "h1:visible")
        assert await page.locator(".net-chart").count() == 0
        assert await text(page, "#feeling .figure") == f"{DASH}\nnet sentiment"
        assert_quiet(seen)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing(browser: Browser, api: RunningApi, view: str, scheme: str) -> None:
    """No violation of WCAG 2.1 A and AA by axe, in light and dark, with all that opens opened."""
    axe = pytest.importorskip("axe_core_python.base", reason="axe-core-python is not installed")
    async with looking(browser, api.address, color_scheme=scheme) as (page, _):
        await look(page, api, f"?view={view}", VIEWS[view])
        for summary in await page.locator("main summary").all():
            await summary.dispatch_event("click")
        await page.evaluate(axe.AXE_FILE_PATH.read_text())
        found: dict[str, Any] = await page.evaluate(
            "() => axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] })"
        )
        assert [(each["id"], [node["target"] for node in each["nodes"]][:3]) for each in found["violations"]] == []


@pytest.mark.parametrize("width", [360, 1900])
async def test_nothing_is_wider_than_the_window(browser: Browser, api: RunningApi, width: int) -> None:
    """On a phone and on a wide screen: no view scrolls sideways."""
    async with looking(browser, api.address, viewport={"width": width, "height": 800}) as (page, _):
        for view, drawn in VIEWS.items():
            await look(page, api, f"?view={view}", drawn)
            assert await page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0, view


async def test_on_paper_there_are_no_controls(browser: Browser, api: RunningApi) -> None:
    """The figures and the chart stay, in dark ink on white whatever the screen is."""
    async with looking(browser, api.address, color_scheme="dark") as (page, _):
        await look(page, api)
        await page.emulate_media(media="print")
        assert not await page.locator("nav").first.is_visible()
        assert not await page.get_by_role("button", name="Compare r/Cursor").is_visible()
        assert await page.locator(".net-chart").is_visible()
        ground = "() => getComputedStyle(document.body).backgroundColor"
        assert await page.evaluate(ground) == "rgb(255, 255, 255)"


async def test_a_module_that_fails_to_load_leaves_the_plain_page(browser: Browser, api: RunningApi) -> None:
    """What the server made is shown instead of nothing."""
    async with looking(browser, api.address) as (page, _):
        await page.route("**/main.js", lambda route: route.abort())
        await page.goto(api.address)
        await page.wait_for_selector("text=Newest posts")
