"""A real browser that looks at the page: Debian's Chromium, driven by Playwright. Nothing is fetched for it.

It writes down all that a page of strangers' text must not make happen: see :class:`Seen`.
"""

from __future__ import annotations

import shutil
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec
import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Page

#: Names under which distributions install it.
_NAMES: Final = ("chromium", "chromium-browser")
#: It runs as root in containers, and draws without a graphics card.
_OPTIONS: Final = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
#: A policy's report as text, before the page's own scripts can look away.
_REPORTS: Final = """
  globalThis.reports = [];
  addEventListener("securitypolicyviolation", (event) =>
    globalThis.reports.push(`${event.violatedDirective}: ${event.blockedURI}`));
"""


class Seen(msgspec.Struct, frozen=True):
    """What happened while pages were looked at, that should not have."""

    dialogs: list[str] = []
    #: Errors and warnings of the console, and errors that nobody caught.
    complaints: list[str] = []
    #: Requests to other hosts, and windows or files that were opened.
    strays: list[str] = []


def needed() -> str:
    """Return where the browser is; skip the test, saying why, where it or its driver is not."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip("no chromium is here: apt-get install chromium")
    if find_spec("playwright") is None:
        pytest.skip("playwright is not installed: pip install playwright (it needs no browser of its own)")
    return found


@asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    """Run the browser while inside; skip the test where there is none."""
    program = needed()
    from playwright.async_api import async_playwright  # noqa: PLC0415 - it may be missing

    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=program, args=list(_OPTIONS))
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def looking(browser: Browser, address: str, **options: Any) -> AsyncIterator[tuple[Page, Seen]]:  # noqa: ANN401
    """Open a page in a profile of its own, such as ``viewport`` and ``color_scheme`` of Playwright's make it.

    ``address`` is the only host that it may talk to.
    """
    seen = Seen()
    context = await browser.new_context(**options)
    try:
        page = await context.new_page()
        await page.add_init_script(_REPORTS)
        _watch(page, address, seen)
        yield page, seen
    finally:
        await context.close()


def _watch(page: Page, address: str, seen: Seen) -> None:
    own = urlsplit(address).netloc

    async def dismiss(dialog: Any) -> None:  # noqa: ANN401 - its class can't be imported where it is missing
        seen.dialogs.append(dialog.message)
        await dialog.dismiss()

    page.on("dialog", dismiss)
    page.on("pageerror", lambda error: seen.complaints.append(f"{error}"))
    page.on("console", lambda said: seen.complaints.append(said.text) if said.type in {"error", "warning"} else None)
    page.on("request", lambda asked: None if urlsplit(asked.url).netloc == own else seen.strays.append(asked.url[:200]))
    page.on("popup", lambda opened: seen.strays.append(opened.url[:200]))
    page.on("download", lambda file: seen.strays.append(file.url[:200]))
