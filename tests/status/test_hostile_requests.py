"""Requests that no page of ours makes: forms that are none, guessed tokens, keys of any characters, over real HTTP."""

from __future__ import annotations

import asyncio
import logging

import httpx2 as httpx
import pytest
from structlog.testing import capture_logs

from connector.model.orders import OrderKey
from connector.status.order_story import order_path
from connector.status.server.wrong_tokens import ALL_AT_ONCE, AT_ONCE, EVERY, WrongTokens
from tests.status.test_actions import TOKEN, WrittenDown, client, context, desk, seal
from tests.status.test_order import Library, events_of, library
from tests.status.test_order import client as order_client

__all__ = ["client", "context", "desk", "library", "order_client"]

FORM = "application/x-www-form-urlencoded"
FIELDS_21 = "&".join(f"f{at}=x" for at in range(21))
BODIES: list[tuple[str | None, bytes]] = [
    (FORM, FIELDS_21.encode()),
    (FORM, ("&" * 16_000).encode()),
    (FORM, b"token=" + b"x" * 1_000_000),
    (FORM, b"\xff\xfe\xed\xa0\x80"),
    (FORM, b"%ff%00%ed%a0%80=%"),
    (FORM, b""),
    (FORM, b"[" * 3000),
    (FORM + "; charset=utf-16", b"token=x"),
    ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="token"\r\n\r\nx\r\n--x--\r\n'),
    ("multipart/form-data", b"\xff"),
    ("application/json", b'{"token": ' + b"[" * 3000),
    ("text/plain", b"token=x"),
    ("\u00ff;;;", b"token=x"),
    (None, b"token=x"),
]


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)


@pytest.mark.parametrize(("kind", "body"), BODIES, ids=range(len(BODIES)))
async def test_a_body_that_is_no_form_is_refused_by_every_door_that_takes_one(
    client: httpx.AsyncClient, desk: WrittenDown, caplog: pytest.LogCaptureFixture, kind: str | None, body: bytes
) -> None:
    headers = [] if kind is None else [(b"content-type", kind.encode("latin-1"))]
    for path in ("/sign-in", "/sign-out", "/actions/redrive", "/actions/approve", "/actions/%ff%00"):
        answer = await client.post(path, content=body, headers=headers)
        assert answer.status_code in (400, 403, 404), path
        assert path != "/sign-in" or answer.status_code == 400 or body.endswith(b"x")
        assert "set-cookie" not in answer.headers
    assert caplog.records == []
    assert desk.asked == []
    await seal(client)


@pytest.mark.parametrize(
    "form",
    [
        {"key": "7\0"},
        {"key": "x" * 3000},
        {"group": "\0"},
        {"hold": "9" * 5000},
        {"hold": "NaN"},
        {"hold": "1", "limit": "\u0661\0"},
    ],
    ids=str,
)
async def test_fields_that_name_nothing_are_refused_or_asked_for_as_they_are(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, form: dict[str, str]
) -> None:
    mine = await seal(client)
    for verb in ("redrive", "set-aside", "approve"):
        answer = await client.post(f"/actions/{verb}", data={"seal": mine, **form})
        assert answer.status_code == (303 if verb != "approve" and "group" in form else 400)
    assert caplog.records == []


async def test_who_leaves_in_the_middle_of_a_form_leaves_no_error(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    for path in ("/sign-in", "/sign-out", "/actions/pause"):
        _, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\nContent-Length: 100\r\n\r\ntok"
        writer.write(head.encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    await seal(client)
    assert caplog.records == []


async def guess(client: httpx.AsyncClient, address: str, text: str = "wrong") -> httpx.Response:
    """From an address, as a proxy on the same machine tells it."""
    return await client.post("/sign-in", data={"token": text}, headers={"x-forwarded-for": address})


async def test_wrong_tokens_are_logged_by_their_address_and_slowed_and_keep_nobody_else_out(
    client: httpx.AsyncClient,
) -> None:
    with capture_logs() as said:
        for _ in range(AT_ONCE):
            assert (await guess(client, "192.0.2.7", TOKEN[:-1])).status_code == 403
        refused = await guess(client, "192.0.2.7", TOKEN)
        assert refused.status_code == 429
        assert 0 < int(refused.headers["retry-after"]) <= EVERY
        assert "Too many wrong tokens" in refused.text
        for at in range(3 * ALL_AT_ONCE):
            assert (await guess(client, f"198.51.100.{at}")).status_code == 403
            assert (await guess(client, f"198.51.100.{at}")).status_code == (403 if at < 8 else 429)
        assert (await guess(client, "203.0.113.9", TOKEN)).status_code == 303
    assert {one["event"] for one in said} == {"sign_in_refused", "sign_ins_refused"}
    assert [one["peer"] for one in said if "peer" in one][:6] == ["192.0.2.7"] * 5 + ["198.51.100.0"]
    assert len([one for one in said if one["event"] == "sign_in_refused"]) <= ALL_AT_ONCE + 2
    assert not any(TOKEN[:-1] in str(one) for one in said)


def test_an_address_may_guess_again_after_a_while_and_never_faster() -> None:
    now = [1000.0]
    wrong = WrongTokens(lambda: now[0])
    checked = 0
    for _ in range(10_000):  # ten a second, for 1000 s
        now[0] += 0.1
        if not wrong.wait("2001:db8::1") and not wrong.wait("2001:db8::ffff"):
            checked += 1
            wrong.count("2001:db8::1")
    assert checked == pytest.approx(AT_ONCE + 1000 / EVERY, abs=2)
    assert wrong.wait("2001:db8:0:1::1") == wrong.wait("192.0.2.1") == 0.0
    assert wrong.wait("::ffff:192.0.2.1") == 0.0


def test_what_a_proxy_says_that_is_no_address_counts_as_one_address() -> None:
    wrong = WrongTokens()
    for text in ("", "\x1b[2J", "x" * 10_000, "unknown", "999.1.1.1"):
        wrong.count(text)
    assert wrong.wait("someone") > 0
    assert wrong.wait("192.0.2.1") == 0.0


def test_addresses_that_are_remembered_are_bounded() -> None:
    wrong = WrongTokens()
    for at in range(20_000):
        wrong.count(f"10.{at // 65536}.{at // 256 % 256}.{at % 256}")
    assert len(wrong._levels) == 10_000


KEYS = [
    "a\nb",
    "\n",
    "end\n",
    "\r\n",
    "\t",
    ".",
    "..",
    "...",
    "",
    "/",
    "a//b/./../c",
    "?x=1&key=2#y",
    "100%",
    "%2e",
    "\\",
    "\u202e\u200b\ufeff",
    "\U0001f4a9",
    "\x1b[2J\x7f",
    "<former key 1> 7",
    '["a\\n","\\""]',
    "\ufffd" * 860,
]


@pytest.mark.parametrize("key", KEYS)
async def test_every_key_has_a_page_with_its_news_and_its_json(
    order_client: httpx.AsyncClient, library: Library, key: str
) -> None:
    path = order_path(key)
    answer = await order_client.get(path)
    assert answer.status_code == 200
    assert (await order_client.get("/api" + path)).json()["key"] == key
    found = await order_client.get("/orders", params={"key": key})
    assert found.headers["location"] == (order_path(key.strip()) if key.strip() else "/")
    assert library.asked == [OrderKey(key)] * 2
    async with order_client.stream("GET", events_of(answer.text)) as news:
        assert news.status_code == 200


@pytest.mark.parametrize("path", ["%00", "7%00", "x" * 2601, "%ed%a0%80" * 300])
async def test_what_can_be_no_key_has_no_page(order_client: httpx.AsyncClient, library: Library, path: str) -> None:
    for folder in ("/orders/", "/api/orders/", "/events/orders/"):
        answer = await order_client.get(f"{folder}{path}?at=1")
        assert answer.status_code == 404


async def test_a_path_that_is_no_text_is_answered(order_client: httpx.AsyncClient) -> None:
    for path in (
        b"/orders/\xff",
        b"/orders/" + b"[" * 3000,
        b"/%ff",
        b"/static/%00",
        b"/?asked=" + b"9" * 8000,
        b"/\xff",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", order_client.base_url.port)
        writer.write(
            b"GET " + path + b' HTTP/1.1\r\nHost: localhost\r\nCookie: \xff="\\\\\r\nConnection: close\r\n\r\n'
        )
        status = int((await reader.read()).split()[1])
        assert status in (200, 400, 404), path
        writer.close()
