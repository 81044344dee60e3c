"""A client of several stores: own addresses, own secrets, one bound on requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from connector.model.orders import OutcomeKind, Place
from connector.redo.addresses import orders_url
from connector.redo.client import HttpSettings, RedoClient
from connector.sandbox.server import SandboxServer
from connector.sandbox.state import State
from tests.support.redo_orders import document, order_of, until
from tests.support.redo_servers import said, serving, small_order

ORDER = order_of(document())


@asynccontextmanager
async def two_stores(**http: Any) -> AsyncIterator[tuple[RedoClient, State, State]]:
    """Two sandboxes on addresses of their own, one store each."""
    async with (
        SandboxServer(State("east", "secret-of-east")) as east,
        SandboxServer(State("west", "other-west")) as west,
    ):
        stores = RedoClient(
            {
                "east": (orders_url(east.base_url, "east"), "secret-of-east"),
                "west": (orders_url(west.base_url, "west"), "other-west"),
            },
            HttpSettings(**http),
        )
        yield stores, east.state, west.state
        await stores.aclose()


async def test_an_order_goes_to_its_store_with_that_stores_secret() -> None:
    async with two_stores() as (stores, east, west):
        assert (await stores.push(replace(ORDER, store_id="east"))).kind is OutcomeKind.ACCEPTED
        assert (list(east.orders), list(west.orders)) == (["1001"], [])
        assert (await stores.push(replace(ORDER, store_id="west"))).kind is OutcomeKind.ACCEPTED
        assert (list(east.orders), list(west.orders)) == (["1001"], ["1001"])


async def test_reading_and_deleting_happen_at_the_place_alone() -> None:
    async with two_stores() as (stores, east, west):
        for store_id in ("east", "west"):
            await stores.push(replace(ORDER, store_id=store_id))
        assert (await stores.delete(Place("east", "1001"))).kind is OutcomeKind.ACCEPTED
        assert (list(east.orders), list(west.orders)) == ([], ["1001"])
        gone = await stores.delete(Place("east", "1001"))
        assert (gone.kind, gone.reason) == (OutcomeKind.ACCEPTED, "absent")
        assert (await stores.read(Place("east", "1001"))).outcome.reason == "absent"
        answer = await stores.read(Place("west", "1001"))
        assert answer.order is not None
        assert answer.order["orderId"] == "1001"


async def test_an_unknown_store_costs_no_request() -> None:
    asked: list[str] = []
    async with two_stores(on_request=lambda method, *_: asked.append(method)) as (stores, _, __):
        place = Place("north", "1001")
        outcomes = [
            await stores.push(replace(ORDER, store_id="north")),
            await stores.delete(place),
            (await stores.read(place)).outcome,
        ]
    assert asked == []
    for outcome in outcomes:
        assert (outcome.kind, outcome.status, outcome.reason) == (OutcomeKind.REJECTED, None, "no_store")
        assert "redo.stores" in outcome.message


async def test_one_bound_holds_for_all_stores_together_on_one_host() -> None:
    connected: list[None] = []
    async with serving() as seen:
        names = [f"store-{number}" for number in range(5)]
        stores = RedoClient(
            {name: (orders_url(seen.url, name), f"secret-{name}") for name in names},
            HttpSettings(max_connections=3, on_connect=lambda: connected.append(None)),
        )
        orders = [small_order(str(number), name) for number in range(20) for name in names]
        outcomes = await asyncio.gather(*(stores.push(order) for order in orders))
        await stores.aclose()
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.ACCEPTED}
    assert seen.most_at_once <= 3
    assert seen.connections == len(connected) <= 3
    assert {secret: seen.secrets.count(secret) for secret in seen.secrets} == {f"secret-{name}": 20 for name in names}


async def test_one_bound_holds_for_stores_on_different_hosts_too() -> None:
    async with serving() as seen:
        east = orders_url(seen.url, "east")
        async with serving(seen=seen):
            west = orders_url(seen.url, "west")
            assert east.split("/stores/")[0] != west.split("/stores/")[0]
            stores = RedoClient({"east": (east, "one"), "west": (west, "two")}, HttpSettings(max_connections=2))
            seen.hold = True
            orders = [small_order(str(number), name) for number in range(10) for name in ("east", "west")]
            pushes = asyncio.gather(*(stores.push(order) for order in orders))
            await until(lambda: seen.at_once == 2)
            seen.release()
            assert {outcome.kind for outcome in await pushes} == {OutcomeKind.ACCEPTED}
            await stores.aclose()
    assert seen.most_at_once == 2
    assert set(seen.secrets) == {"one", "two"}


async def test_no_secret_of_any_store_is_repeated() -> None:
    words = b'{"error": "east has secret-of-east", "errors": {"id": "not other-west", "other-west": "x"}}'
    async with serving(lambda *_: said(400, words)) as seen:
        stores = RedoClient(
            {
                "east": (orders_url(seen.url, "east"), "secret-of-east"),
                "west": (orders_url(seen.url, "west"), "other-west"),
            }
        )
        outcome = await stores.push(small_order("1", "west"))
        await stores.aclose()
    assert outcome.status == 400
    assert "secret-of-east" not in repr(outcome)
    assert "other-west" not in repr(outcome)


def test_each_address_is_reached_through_the_proxy_named_for_it() -> None:
    asked: list[str] = []

    def proxy(url: str) -> str | None:
        asked.append(url)
        return "http://proxy:3128"

    urls = ["https://a/stores/1/custom/orders", "https://b/stores/2/custom/orders"]
    RedoClient({url: (url, "secret") for url in urls}, HttpSettings(proxy=proxy))
    assert asked == urls
