"""The sandbox over real HTTP: documented answers, the control interface, the switches."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2 as httpx
import orjson
import pytest

from connector.sandbox.server import SandboxServer
from connector.sandbox.state import State
from tests.support.redo_orders import document, full_document, line_item, order_of, until
from tests.support.sandbox_http import PUSH, push, serving, some_state


@pytest.fixture
def state() -> State:
    return some_state()


@pytest.fixture
async def http(state: State) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(state) as client:
        yield client


async def test_a_good_order_is_stored_and_answered_as_documented(http: httpx.AsyncClient) -> None:
    answer = await push(http)
    assert answer.status_code == 200
    redo_id = answer.json()["redoId"]
    assert answer.json() == {"message": "Order synced successfully", "orderId": "1001", "redoId": redo_id}
    again = await push(http, tags=["new"])
    assert again.json()["redoId"] == redo_id
    stored = (await http.get("/_sandbox/orders/1001")).json()
    assert stored["tags"] == ["new"]


async def test_a_bad_order_is_answered_with_errors_that_mirror_the_body(http: httpx.AsyncClient) -> None:
    payload = orjson.loads(order_of(document()).body)
    payload["lineItems"][0]["quantity"] = "two"
    del payload["customer"]["email"]
    answer = await http.post(PUSH, content=orjson.dumps(payload))
    assert answer.status_code == 400
    assert answer.json() == {
        "error": "Invalid order data",
        "errors": {"customer": {"email": "Required"}, "lineItems": {"0": {"quantity": "Expected number"}}},
    }
    assert (await http.get("/_sandbox/stats")).json()["rejected"] == 1
    assert (await http.get("/_sandbox/orders")).content == b""


RULES = [
    ({"lineItems": []}, "lineItems"),
    ({"lineItems": [line_item("A"), line_item("A")]}, "lineItems.0.id"),
    ({"lineItems": [line_item("A_1")]}, "lineItems.0.id"),
    ({"lineItems": [line_item(returnableQuantity=9)]}, "lineItems.0.returnableQuantity"),
    ({"fulfillments": [{"id": "F", "lineItems": [{"id": "L9", "quantity": 1}]}]}, "fulfillments.0.lineItems.0.id"),
    ({"presentmentCurrency": "EUR"}, "lineItems.0.priceSet.presentmentMoney.currencyCode"),
    ({"createdAt": "2024-05-01T10:00:00"}, "createdAt"),
    ({"createdAt": "2024-13-01T10:00:00Z"}, "createdAt"),
    ({"lineItems": [line_item(sku="x-redo")]}, "lineItems.0"),
    (
        {
            "lineItems": [
                line_item(
                    sku="x-redo",
                    vendor="re:do",
                    tags=["returns"],
                    properties=[{"name": "_redo_type", "value": "both"}],
                )
            ]
        },
        "lineItems.0.tags",
    ),
]


@pytest.mark.parametrize(("changes", "path"), RULES, ids=[path for _, path in RULES])
async def test_rules_beyond_the_schema_are_enforced(
    http: httpx.AsyncClient, changes: dict[str, Any], path: str
) -> None:
    body = document(type="order", updatedAt="2024-05-01T10:00:00Z", **changes)
    answer = await http.post(PUSH, content=json.dumps(body))
    assert answer.status_code == 400
    level = answer.json()["errors"]
    for step in path.split("."):
        level = level[step]
    assert isinstance(level, str)


async def test_what_is_no_json_is_a_400(http: httpx.AsyncClient) -> None:
    for body in (b"", b"{", b"\xff", b'{"id": NaN}', b"[" * 100_000):
        answer = await http.post(PUSH, content=body)
        assert (answer.status_code, list(answer.json())) == (400, ["error"])


async def test_numbers_that_are_none_and_fields_that_are_unknown_do_no_harm(http: httpx.AsyncClient) -> None:
    good = orjson.loads(order_of(document()).body)
    assert (await http.post(PUSH, content=orjson.dumps(good | {"x": {"shopMoney": 5}}))).status_code == 200
    huge = orjson.dumps(good).replace(b'"quantity":2', b'"quantity":1e999')
    assert (await http.post(PUSH, content=huge)).status_code == 400


async def test_the_token_is_checked_before_the_store(http: httpx.AsyncClient) -> None:
    body = order_of(document()).body
    answer = await http.post("/stores/other/custom/orders", content=body, headers={"Authorization": "Bearer no"})
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/json")
    answer = await http.post("/stores/other/custom/orders", content=body)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_an_order_is_read_back_in_the_documented_shape(http: httpx.AsyncClient) -> None:
    await http.post(PUSH, content=order_of(full_document()).body)
    shown = (await http.get("/v2.2/stores/store-1/orders/1001")).json()
    assert shown["orderId"] == "1001"
    assert shown["lineItems"][0] | {"price": 10.0, "discount": 1.0, "quantity": 2} == shown["lineItems"][0]
    assert shown["fulfillments"][0]["status"] == "delivered"
    assert shown["shipping"]["address"]["postalCode"] == "84043"


@pytest.mark.parametrize(("name", "path"), [("#1001", "%231001"), ("A/B", "A%2FB"), ("a b é", "a%20b%20%C3%A9")])
async def test_any_order_id_is_read_and_deleted_percent_encoded(http: httpx.AsyncClient, name: str, path: str) -> None:
    await push(http, id=name)
    assert (await http.get(f"/stores/store-1/orders/{path}")).json()["orderId"] == name
    deleted = (await http.delete(f"/stores/store-1/orders/{path}")).json()
    assert (deleted["success"], deleted["externalOrderId"]) == (True, name)
    gone = await http.get(f"/stores/store-1/orders/{path}")
    assert (gone.status_code, gone.json()) == (404, {"error": "Order not found"})


async def test_an_order_is_found_by_redos_own_id(http: httpx.AsyncClient) -> None:
    redo_id = (await push(http)).json()["redoId"]
    assert (await http.get(f"/stores/store-1/orders/{redo_id}")).json()["orderId"] == "1001"


async def test_all_payloads_are_listed_as_ndjson(http: httpx.AsyncClient) -> None:
    await push(http, id="A")
    await http.post(PUSH, content=json.dumps(orjson.loads(order_of(document(id="B")).body), indent=1))
    lines = (await http.get("/_sandbox/orders")).text.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["A", "B"]


async def test_overlapping_pushes_of_one_order_are_counted_and_logged(http: httpx.AsyncClient, state: State) -> None:
    await http.post("/_sandbox/switches", json={"late": 1, "late_seconds": 30})
    first = asyncio.create_task(push(http, id="A"))
    await until(lambda: bool(state.pushes))
    await push(http, id="A")
    await push(http, id="B")
    first.cancel()
    stats = (await http.get("/_sandbox/stats")).json()
    assert (stats["overlaps"], stats["max_concurrent_per_order"], stats["max_in_flight"]) == (1, 2, 2)
    assert stats["pushes"] == {"A": 2, "B": 1}
    log = [json.loads(line) for line in (await http.get("/_sandbox/log")).text.splitlines()]
    assert [(event["order_id"], event["what"]) for event in log][:3] == [("A", "begin"), ("A", "begin"), ("A", "end")]


@pytest.mark.parametrize(
    ("switches", "status"),
    [
        ({"outage": True}, 503),
        ({"throttle": 1}, 429),
        ({"rate_limit": 0}, 429),
        ({"error_rate": 1}, 500),
        ({"unauthorized": True}, 401),
        ({"forbidden": True}, 403),
        ({"reject": ["1001"]}, 400),
        ({"fail": ["1001"]}, 500),
        ({"fail": ["1001"], "fail_how": "503"}, 503),
        ({"fail": ["1001"], "fail_how": "409"}, 409),
        ({"fail": ["1001"], "fail_how": "403"}, 403),
    ],
)
async def test_a_switch_makes_its_trouble_and_nothing_is_stored(
    http: httpx.AsyncClient, switches: dict[str, Any], status: int
) -> None:
    assert (await http.post("/_sandbox/switches", json=switches | {"retry_after": 7})).status_code == 200
    answer = await push(http)
    assert answer.status_code == status
    assert answer.headers.get("retry-after") == ("7" if status in (429, 503) else None)
    assert (await http.get("/_sandbox/stats")).json()["orders"] == 0


async def test_throttling_ends_after_its_number_of_requests(http: httpx.AsyncClient) -> None:
    await http.post("/_sandbox/switches", json={"throttle": 2})
    assert [(await push(http)).status_code for _ in range(3)] == [429, 429, 200]


@pytest.mark.parametrize("switch", [{"cut": 1}, {"hang": 1, "hang_seconds": 0}])
async def test_a_cut_push_is_applied_but_gets_no_answer(http: httpx.AsyncClient, switch: dict[str, Any]) -> None:
    await http.post("/_sandbox/switches", json=switch)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        await push(http)
    assert (await http.get("/_sandbox/orders/1001")).status_code == 200
    assert (await http.get("/_sandbox/stats")).json()["answers"] == {"POST cut": 1}
    assert (await push(http)).status_code == 200


async def test_a_hanging_push_does_not_keep_the_sandbox_from_ending() -> None:
    async with SandboxServer() as sandbox, httpx.AsyncClient(base_url=sandbox.base_url, timeout=60) as http:
        sandbox.state.switches.hang = 1
        headers = {"Authorization": f"Bearer {sandbox.state.api_secret}"}
        url = f"/stores/{sandbox.state.store_id}/custom/orders"
        hanging = asyncio.create_task(http.post(url, content=order_of(document()).body, headers=headers))
        await until(lambda: bool(sandbox.state.orders))
        sandbox.stop()
        with pytest.raises(httpx.TransportError):
            await hanging


async def test_reset_forgets_orders_and_keeps_switches(http: httpx.AsyncClient, state: State) -> None:
    await push(http)
    state.switches.latency_ms = 1
    await http.post("/_sandbox/reset")
    stats = (await http.get("/_sandbox/stats")).json()
    assert (stats["orders"], stats["requests"], stats["pushes"]) == (0, 0, {})
    assert state.switches.latency_ms == 1
