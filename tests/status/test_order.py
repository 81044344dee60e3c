"""The page of one order over real HTTP: what it says, what it hides, and what can't become markup."""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import quote

import httpx2 as httpx
import pytest

from connector.model.errors import CheckpointsUnwritable
from connector.model.orders import OrderKey
from connector.pipeline.ports.chronicle import Attempt, SourceChange
from connector.pipeline.ports.records import Checkpoint, DeadLetter
from connector.status.facts import Facts, State
from connector.status.metrics import Metrics
from connector.status.order_story import OrderPreview, OrderStory, shapes
from connector.status.ports import SiteContext
from connector.status.server.site import create_app
from connector.status.server.web_server import WebServer

KEY = OrderKey('["7","a/b<i>"]')
ACCEPTED = Checkpoint(KEY, "7-ab", b"\x01" * 32, 1_000.0, store_id="shop")
STORY = OrderStory(
    KEY,
    2_000.0,
    OrderPreview(
        "changed", (), ("tags",), shapes({"id": "7-ab", "tags": ["x"], "customer": {"email": "a"}, "n": None})
    ),
    ACCEPTED,
    changes=(SourceChange("oms.order_header", "update", 0x100000010, 1_999.0, exact=False),),
    attempts=(Attempt(KEY, 1_999.5, "again", "http_503", 503, 0.25, delivery="0101010101ff"),),
    since=900.0,
)


class Library:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.story_now = STORY
        self.broken = False

    async def story(self, name: str) -> OrderStory:
        self.asked.append(name)
        if self.broken:
            raise CheckpointsUnwritable("the disk is full")
        return replace(self.story_now, key=name)

    async def remembered(self, key: OrderKey, projection: OrderPreview) -> OrderStory:
        if self.broken:
            raise CheckpointsUnwritable("the disk is full")
        return replace(self.story_now, key=key, projection=projection)


@pytest.fixture
def library() -> Library:
    return Library()


@pytest.fixture
async def client(library: Library) -> AsyncIterator[httpx.AsyncClient]:
    facts = Facts(now=1_000.0, state=State.STREAMING, started_at=900.0, version="1.2.3")
    server = WebServer(create_app(Metrics("1.2.3"), lambda: facts, SiteContext(orders=library)), "127.0.0.1", 0)
    await server.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
        yield client
    await server.stop()


async def test_any_key_has_a_page_that_the_form_leads_to(client: httpx.AsyncClient, library: Library) -> None:
    keys = [KEY, "a/../b", "//", "50%25", "?x=1#y", "ключ", " padded"]
    for key in keys:
        assert (await client.get("/orders/" + quote(key, safe=""))).status_code == 200
    assert library.asked == keys
    found = await client.get("/orders", params={"key": KEY})
    assert found.headers["location"] == "/orders/" + quote(KEY, safe="")
    assert (await client.get("/orders", params={"key": ""})).headers["location"] == "/"


async def test_the_page_tells_changes_checkpoint_difference_and_attempts(client: httpx.AsyncClient) -> None:
    text = (await client.get("/orders/" + quote(KEY, safe=""))).text
    assert "Order [&#34;7&#34;,&#34;a/b&lt;i&gt;&#34;]" in text
    assert "<i>" not in text
    assert "The OMS has a newer state than Redo accepted." in text
    assert "oms.order_header" in text
    assert "1/10" in text
    assert "or shortly before" in text
    assert "7-ab <small>store shop</small>" in text
    assert "010101010101" in text
    assert "Differs from what Redo accepted in: <b>tags</b>" in text
    assert "object of 1 field<" in text
    assert "tried again</span> <small>http_503</small>" in text
    assert "<code>0101010101ff</code>" in text
    assert "Values are not shown" in text


async def test_a_refusal_is_told_and_words_from_outside_cannot_become_markup(
    client: httpx.AsyncClient, library: Library
) -> None:
    letter = DeadLetter(KEY, "rejected", "tags: <script>alert(1)</script>", ("tags",), None, 1.0, 2.0, 3, 422)
    library.story_now = replace(STORY, dead_letter=letter, projection=OrderPreview("invalid", ("x: <b>",)))
    text = (await client.get("/orders/7")).text
    assert "Refused: Redo does not take it as it is." in text
    assert "with HTTP 422, 3 attempts" in text
    assert "<script>alert" not in text
    assert "x: &lt;b&gt;" in text


async def test_values_are_shown_where_the_story_has_them_and_cannot_become_markup(
    client: httpx.AsyncClient, library: Library
) -> None:
    values = (("tags[0]", '"<b>old"', '"<b>new"'),)
    library.story_now = replace(STORY, projection=OrderPreview("changed", (), ("tags",), {}, '{"tags": "<u>"}', values))
    text = (await client.get("/orders/7")).text
    assert "<td><code>&#34;&lt;b&gt;old&#34;</code></td><td><code>&#34;&lt;b&gt;new&#34;</code></td>" in text
    assert "{&#34;tags&#34;: &#34;&lt;u&gt;&#34;}" in text


def events_of(text: str) -> str:
    found = re.search(r'data-events="([^"]+)"', text)
    assert found
    return html.unescape(found[1])


async def parts_of(stream: AsyncIterator[str]) -> dict[str, str]:
    """The next news of the stream."""
    async for line in stream:
        if line.startswith("data: "):
            return dict(json.loads(line.removeprefix("data: ")))
    raise AssertionError("the stream ended")


async def test_the_page_is_brought_up_to_date_without_another_look_at_the_oms(
    client: httpx.AsyncClient, library: Library
) -> None:
    seen = replace(STORY, projection=OrderPreview("unchanged"), changes=(), attempts=())
    library.story_now = replace(seen, looked=seen.mark)
    text = (await client.get("/orders/" + quote(KEY, safe=""))).text
    asked = len(library.asked)
    async with client.stream("GET", events_of(text)) as answer:
        lines = answer.aiter_lines()
        first = await parts_of(lines)
        assert first["verdict"] == "Redo accepted this order as it is now."
        assert 'class="urgent"' not in first["look"]
        library.story_now = replace(seen, changes=STORY.changes)
        then = await parts_of(lines)
        assert (then["verdict"], set(then)) == ("It has changed since this look.", {"verdict", "look", "changes"})
        assert "how the order was at 1970-01-01 00:33:20 UTC" in then["look"]
        assert 'class="urgent"' in then["look"]
        assert "oms.order_header" in then["changes"]
        library.story_now = replace(library.story_now, checkpoint=replace(ACCEPTED, accepted_at=2_001.0))
        assert (await parts_of(lines))["verdict"] == "Redo has accepted it anew since this look."
    assert len(library.asked) == asked


@pytest.mark.parametrize("query", ["", "?at=x", "?at=nan", "?at=-1", "?at=1e20"])
async def test_news_that_no_page_asks_for_are_refused(client: httpx.AsyncClient, query: str) -> None:
    assert (await client.get(f"/events/orders/7{query}")).status_code == 404


async def test_json_has_the_same(client: httpx.AsyncClient) -> None:
    found = (await client.get("/api/orders/7")).json()
    assert (found["key"], found["known"], found["verdict"]) == ("7", True, STORY.verdict)
    assert found["changes"][0]["commit_lsn"] == "1/10"
    assert found["checkpoint"]["fingerprint"] == "01" * 32
    assert found["projection"]["changed_fields"] == ["tags"]


async def test_an_order_that_nobody_knows_and_one_that_cannot_be_read_are_told_so(
    client: httpx.AsyncClient, library: Library
) -> None:
    library.story_now = OrderStory(KEY, 2_000.0, OrderPreview("absent"))
    answer = await client.get("/orders/7")
    assert answer.status_code == 404
    assert "Neither the connector nor the mapping knows an order 7." in answer.text
    assert (await client.get("/api/orders/7")).status_code == 404
    assert (await client.get("/orders/%00")).status_code == 404
    library.broken = True
    answer = await client.get("/orders/7")
    assert answer.status_code == 503
    assert "the disk is full" in answer.text


def test_shapes_tell_the_kind_and_never_the_value() -> None:
    payload = {"a": "Ada", "b": 1.5, "c": True, "d": None, "e": [1, 2], "f": {"x": 1, "y": 2}}
    assert shapes(payload) == {
        "a": "text",
        "b": "number",
        "c": "yes or no",
        "d": "nothing",
        "e": "list of 2",
        "f": "object of 2 fields",
    }
