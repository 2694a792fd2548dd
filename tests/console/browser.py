"""A real Chromium for tests, by playwright: found where the machine has one, and every page watched.

A page that logs an error, raises one, breaks the content security policy or asks another host for something fails the
test that has opened it, whatever else that test looks at.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
)
WIDE, PHONE = (1280, 860), (390, 844)
_WATCH = """document.addEventListener("securitypolicyviolation", (broken) =>
  console.error(`policy: ${broken.violatedDirective} of ${broken.blockedURI || broken.sourceFile}`))"""


def chromium() -> str | None:
    """Where it is: as ``OVERWINTER_CHROMIUM`` says, the system's, or None."""
    named = os.environ.get("OVERWINTER_CHROMIUM") or "chromium"
    return shutil.which(named) or shutil.which("chromium-browser") or shutil.which("google-chrome")


def missing() -> str:
    """Why no browser can be started here; "" when one can."""
    for module in ("playwright", "axe_playwright_python"):
        if importlib.util.find_spec(module) is None:
            return f"{module} is not installed: pip install 'overwinter[browser]'"
    return "" if chromium() else "there is no Chromium: apt install chromium, or name it by OVERWINTER_CHROMIUM"


async def launch(playwright: Playwright) -> Browser:
    return await playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))


class Watched:
    """A page, and what went wrong on it."""

    def __init__(self, page: Page, context: BrowserContext, home: str) -> None:
        self.page = page
        self.context = context
        self.home = home
        self.wrong: list[str] = []
        page.on("console", self._logged)
        page.on("pageerror", lambda error: self.wrong.append(f"raised: {error}"))
        page.on("request", lambda request: self._asked(request.url))

    def _logged(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def _asked(self, url: str) -> None:
        if urlsplit(url).scheme not in ("data", "blob") and not url.startswith(self.home):
            self.wrong.append(f"asked elsewhere: {url}")

    async def axe(self) -> list[str]:
        """What the accessibility engine finds on it as it is now; each with where."""
        from axe_playwright_python.async_playwright import Axe

        found: Mapping[str, Any] = (await Axe().run(self.page)).response
        return [
            f"{one['id']} ({one['impact']}): {one['help']}: {[node['html'][:160] for node in one['nodes']][:4]}"
            for one in found["violations"]
        ]

    async def picture(self, name: str) -> None:
        """Keep how it looks, when ``OVERWINTER_PICTURES`` names a folder for that."""
        if folder := os.environ.get("OVERWINTER_PICTURES"):
            await self.page.screenshot(path=Path(folder) / f"{name}.png")


async def opened(
    browser: Browser, home: str, path: str, *, theme: str = "light", size: tuple[int, int] = WIDE
) -> Watched:
    """A page of its own context. Nothing of it moves."""
    width, height = size
    context = await browser.new_context(
        color_scheme="dark" if theme == "dark" else "light",
        viewport={"width": width, "height": height},
        reduced_motion="reduce",
        has_touch=size == PHONE,
        locale="en-GB",
        timezone_id="UTC",
    )
    context.set_default_timeout(15_000)
    page = await context.new_page()
    await page.add_init_script(_WATCH)
    watched = Watched(page, context, home)
    await page.goto(f"{home}{path}")
    return watched
