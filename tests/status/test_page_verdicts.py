"""The page in a real browser, for every verdict: what leads it, that it is accessible, and that it fits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from connector.status.facts import Facts
from connector.status.metrics import Metrics
from connector.status.ports import SiteContext
from connector.status.server.site import create_app
from connector.status.server.web_server import WebServer
from tests.support.fixtures.page import WINDOW, Visit, browser, close_visit, nobody_complained, open_visit
from tests.support.verdicts import VERDICTS, WELL

__all__ = ["browser"]


class Shown:
    """The facts that the page is made of."""

    facts: Facts = WELL


@pytest.fixture(scope="module")
def shown() -> Shown:
    return Shown()


@pytest.fixture(scope="module")
def base(shown: Shown) -> Iterator[str]:
    """The page's address; served from a thread, because a browser's test has no loop of its own."""
    loop, started = asyncio.new_event_loop(), threading.Event()
    closing = asyncio.Event()
    app = create_app(Metrics(), lambda: shown.facts, SiteContext(closing=closing))
    web = WebServer(app, "127.0.0.1", 0, closing)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    loop.call_soon_threadsafe(started.set)
    started.wait()
    asyncio.run_coroutine_threadsafe(web.start(), loop).result()
    yield f"http://127.0.0.1:{web.port}"
    asyncio.run_coroutine_threadsafe(web.stop(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture(scope="module")
def window(browser: Browser, base: str) -> Iterator[Visit]:
    """One for all: to open one takes a browser as long as to show and judge a page."""
    opened = open_visit(browser, base)
    yield opened
    close_visit(opened)


@pytest.fixture
def visit(window: Visit) -> Visit:
    window.page.set_viewport_size(WINDOW)
    window.complaints.clear()
    return window


@pytest.mark.parametrize("name", VERDICTS)
def test_the_page_is_accessible_and_fits_a_narrow_window_in_every_state(visit: Visit, shown: Shown, name: str) -> None:
    shown.facts = VERDICTS[name]
    visit.go()
    expect(visit.page.locator("h1")).to_be_visible()
    visit.accessible()
    visit.shot(f"verdict-{name}")
    nobody_complained(visit)


def test_what_is_folded_fits_a_narrow_window_with_each_of_its_columns(visit: Visit, shown: Shown) -> None:
    shown.facts = VERDICTS["refused"]
    visit.go()
    for name in ("Pushed with a warning", "Latest deliveries", "Numbers behind it"):
        visit.page.get_by_text(name).click()
    visit.accessible()
    visit.shot("verdict-unfolded")
    visit.page.set_viewport_size({"width": 390, "height": 800})
    row = visit.page.locator("#recent tbody tr").first
    for cell in row.locator("th, td").all():
        box = cell.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
    expect(row.locator("td").last).to_have_attribute("data-label", "Since the commit")
    nobody_complained(visit)
