"""Pictures of the page in every state, for people to look at: ``PYTHONPATH=tests python -m harness.pictures FOLDER``.

Wide and on a phone, in light and dark, on paper; with a month of data, empty, stale, with sample data, the store lost.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fakes.showcase import posts, showcase
from harness.browser import browsing, looking

if TYPE_CHECKING:
    from fakes.running_api import RunningApi
    from playwright.async_api import Browser

WIDE: Final = {"width": 1900, "height": 1100}
DESK: Final = {"width": 1280, "height": 900}
PHONE: Final = {"width": 360, "height": 780}
#: Address and what is there when it is drawn.
VIEWS: Final = {
    "now": ("?view=now", ".net-chart"),
    "one": ("?view=now&subreddit=Cursor", ".net-chart"),
    "two": ("?view=now&window=30d&compare=Cursor,claude", ".net-chart"),
    "posts": ("?view=posts", ".items > li"),
    "system": ("?view=system", ".memory-chart"),
}
_STATES: Final = ("empty", "stale", "sample", "lost")


async def picture(browser: Browser, api: RunningApi, target: Path, address: str, drawn: str, **options: Any) -> None:  # noqa: ANN401
    """Take one picture of the whole page."""
    media = options.pop("media", None)
    async with looking(browser, api.address, **options) as (page, _):
        await page.emulate_media(media=media, color_scheme=options.get("color_scheme"))
        await page.goto(f"{api.address}/{address}")
        await page.wait_for_selector(drawn, timeout=10_000)
        await page.screenshot(path=target, full_page=True, animations="disabled")


async def with_data(browser: Browser, target: Path) -> None:
    """Take each view by each reader."""
    with tempfile.TemporaryDirectory(prefix="sa", dir="/tmp") as folder:
        async with showcase(Path(folder)) as api:
            await asyncio.sleep(1)  # the watchdog is asked once a beat
            for name, (address, drawn) in VIEWS.items():
                for size, viewport in (("wide", WIDE), ("desk", DESK), ("phone", PHONE)):
                    for scheme in ("light", "dark"):
                        path = target / f"{name}-{size}-{scheme}.png"
                        await picture(browser, api, path, address, drawn, viewport=viewport, color_scheme=scheme)
            await picture(browser, api, target / "now-paper.png", *VIEWS["now"], viewport=DESK, media="print")
            plain = target / "plain.png"
            await picture(browser, api, plain, "", ".items > li", viewport=DESK, java_script_enabled=False)


async def in_state(browser: Browser, target: Path, state: str) -> None:
    """Take the page while something is wrong or missing."""
    now_utc = int(time.time())
    items = {
        "empty": [],
        "stale": posts(now_utc, newest_s=20 * 3600),
        "sample": posts(now_utc, source="sample"),
        "lost": posts(now_utc),
    }[state]
    with tempfile.TemporaryDirectory(prefix="sa", dir="/tmp") as folder:
        async with showcase(Path(folder), of=items) as api:
            await asyncio.sleep(1)
            async with looking(browser, api.address, viewport=DESK) as (page, _):
                await page.goto(api.address)
                await page.wait_for_selector("main section")
                if state == "lost":
                    path = api.settings.folders.store
                    path.rename(path.with_name("away.db"))
                    await page.wait_for_selector(".trust.none", timeout=15_000)
                await page.wait_for_timeout(500)
                await page.screenshot(path=target / f"{state}.png", full_page=True)


async def main(target: Path) -> None:
    """Take all of them."""
    target.mkdir(parents=True, exist_ok=True)
    async with browsing() as browser:
        await with_data(browser, target)
        for state in _STATES:
            await in_state(browser, target, state)
    sys.stdout.write(f"{len(list(target.glob('*.png')))} pictures in {target}\n")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1] if len(sys.argv) > 1 else "pictures")))
