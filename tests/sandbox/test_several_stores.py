"""Several stores in one sandbox: each with its own secret, orders, switches and figures."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2 as httpx
import pytest

from connector.sandbox.state import State
from tests.support.sandbox_http import PUSH, an_order, push, serving, some_state, switch

PUSH_B = "/v2.2/stores/b/custom/orders"
SECRET_B = {"Authorization": "Bearer sb"}


@pytest.fixture
def state() -> State:
    return some_state(stores={"b": "sb", "c": "s3cret"})


@pytest.fixture
async def http(state: State) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(state) as client:
        yield client


async def push_b(http: httpx.AsyncClient, **changes: object) -> httpx.Response:
    return await http.post(PUSH_B, content=an_order(**changes).body, headers=SECRET_B)


async def test_each_store_has_its_own_orders_and_figures(http: httpx.AsyncClient, state: State) -> None:
    await push(http, id="1", tags=["main"])
    await push_b(http, id="1", tags=["b"])
    await push_b(http, id="2")
    assert list(state.orders) == ["1"]
    assert (await http.get("/_sandbox/orders")).text.count("\n") == 1
    assert (await http.get("/_sandbox/stores/b/orders")).text.count("\n") == 2
    assert (await http.get("/_sandbox/stores/b/orders/1")).json()["tags"] == ["b"]
    assert (await http.get("/_sandbox/stores/store-1/orders/1")).json()["tags"] == ["main"]
    stats = (await http.get("/_sandbox/stores")).json()
    assert {store: figures["accepted"] for store, figures in stats.items()} == {"store-1": 1, "b": 2, "c": 0}
    assert (await http.get("/_sandbox/stats")).json() == stats["store-1"]
    assert len((await http.get("/_sandbox/stores/b/history/2")).json()) == 1
    assert (await http.get("/_sandbox/stores/b/log")).text.count("\n") == 4
    assert (await http.get("/_sandbox/stores/nobody/orders")).status_code == 404


async def test_an_order_of_one_store_is_not_read_or_deleted_in_another(http: httpx.AsyncClient) -> None:
    await push_b(http)
    assert (await http.get("/stores/store-1/orders/1001")).status_code == 404
    assert (await http.delete("/stores/store-1/orders/1001")).status_code == 404
    assert (await http.delete("/stores/b/orders/1001", headers=SECRET_B)).status_code == 200


@pytest.mark.parametrize(
    ("url", "secret", "status"),
    [
        (PUSH_B, "sb", 200),
        (PUSH_B, "s3cret", 403),
        (PUSH, "sb", 403),
        ("/stores/c/custom/orders", "s3cret", 200),
        ("/stores/nobody/custom/orders", "sb", 404),
        ("/stores/nobody/custom/orders", "wrong", 401),
        (PUSH_B, "wrong", 401),
    ],
)
async def test_a_secret_opens_the_stores_that_have_it(
    http: httpx.AsyncClient, url: str, secret: str, status: int
) -> None:
    answer = await http.post(url, content=an_order().body, headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == status


async def test_switches_are_addressed_to_one_store(http: httpx.AsyncClient) -> None:
    await switch(http, store="b", outage=True)
    assert ((await push(http)).status_code, (await push_b(http)).status_code) == (200, 503)
    await http.post("/_sandbox/stores/b/switches", json={"outage": False, "answer": [502]})
    assert ((await push(http)).status_code, (await push_b(http)).status_code) == (200, 502)
    await switch(http, forbidden=True)
    assert ((await push(http)).status_code, (await push_b(http)).status_code) == (403, 200)
    await switch(http, store="*", outage=True)
    assert ((await push(http)).status_code, (await push_b(http)).status_code) == (503, 503)
    assert (await http.get("/_sandbox/stores/b/switches")).json()["forbidden"] is False


@pytest.mark.parametrize("store", ["nobody", 1, None])
async def test_switches_for_no_store_are_refused(http: httpx.AsyncClient, state: State, store: object) -> None:
    answer = await http.post("/_sandbox/switches", json={"store": store, "outage": True})
    assert (answer.status_code, state.switches.outage) == (400, False)


async def test_each_store_has_its_own_rate_limit(http: httpx.AsyncClient) -> None:
    await switch(http, store="*", rate_limit=1, rate_limit_seconds=3600)
    assert [(await push(http)).status_code for _ in range(2)] == [200, 429]
    assert [(await push_b(http)).status_code for _ in range(2)] == [200, 429]


async def test_one_store_or_all_are_reset(http: httpx.AsyncClient, state: State) -> None:
    await push(http)
    await push_b(http)
    await http.post("/_sandbox/stores/store-1/reset")
    other = state.store("b")
    assert other is not None
    assert (len(state.orders), len(other.orders)) == (0, 1)
    await push(http)
    await http.post("/_sandbox/reset")
    assert (len(state.orders), len(other.orders)) == (0, 0)


async def test_stores_and_secrets_change_while_it_runs(http: httpx.AsyncClient, state: State) -> None:
    state.stores["b"] = "renewed"
    assert (await push_b(http)).status_code == 401
    state.stores["b"], state.stores["new"] = "sb", "sb"
    assert (await push_b(http)).status_code == 200
    assert (await http.post("/stores/new/custom/orders", content=an_order().body, headers=SECRET_B)).status_code == 200
    del state.stores["new"]
    assert (await http.post("/stores/new/custom/orders", content=an_order().body, headers=SECRET_B)).status_code == 404
