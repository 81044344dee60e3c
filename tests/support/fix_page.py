"""A browser in front of the page. Whatever a test does there: no error in the console, no request to anybody else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped] # it has types and no marker
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.support.browser import chromium

WITHIN_MS = 45_000
SCREENSHOTS = "REDO_CONNECTOR_SCREENSHOTS"
"""Names the folder that screenshots are kept in; without it, the test's own."""


@dataclass(slots=True)
class Visit:
    """One browser window. `complaints` must be empty at the end of the test."""

    page: Page
    context: BrowserContext
    base: str
    folder: Path
    complaints: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()
    """Parts of complaints that the test asks for."""

    def go(self, path: str = "/") -> None:
        self.page.goto(self.base + path)

    def headline(self, text: str) -> None:
        """Wait until the verdict says so."""
        expect(self.page.locator("h1")).to_contain_text(text)

    def shot(self, name: str) -> None:
        """The whole page as it is, light, dark and on a narrow window."""
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme=scheme)
            self.page.screenshot(path=self.folder / f"{name}-{scheme}.png", full_page=True)
        self.page.emulate_media(color_scheme="light")
        size = self.page.viewport_size
        assert size is not None
        self.page.set_viewport_size({"width": 390, "height": 800})
        self.page.screenshot(path=self.folder / f"{name}-narrow.png", full_page=True)
        wide: Any = self.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390, f"{name} is {wide} px wide in a window of 390"
        self.page.set_viewport_size(size)

    def accessible(self) -> None:
        """axe-core finds nothing, in light nor in dark."""
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme=scheme)
            found = Axe().run(self.page)
            assert found.violations_count == 0, f"{scheme}: {found.generate_report()}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Of a module: Playwright's loop must be over before a test with a loop of its own begins."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield launched
        launched.close()


def open_visit(browser: Browser, base: str, folder: Path, *, javascript: bool = True) -> Visit:
    context = browser.new_context(java_script_enabled=javascript, viewport={"width": 1100, "height": 900})
    context.set_default_timeout(WITHIN_MS)
    expect.set_options(timeout=WITHIN_MS)
    page = context.new_page()
    kept = Path(os.environ.get(SCREENSHOTS) or folder)
    kept.mkdir(parents=True, exist_ok=True)
    visit = Visit(page, context, base, kept)
    page.on("console", lambda it: visit.complaints.append(it.text) if it.type in ("error", "warning") else None)
    page.on("pageerror", lambda it: visit.complaints.append(str(it)))
    page.on("request", lambda it: visit.complaints.append(it.url) if not it.url.startswith(base + "/") else None)
    return visit


def close_visit(visit: Visit) -> None:
    visit.context.close()
    left = [one for one in visit.complaints if not any(part in one for part in visit.expected)]
    assert left == []
