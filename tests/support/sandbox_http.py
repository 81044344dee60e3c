"""What the tests of the sandbox share: a served state with an HTTP client, and a clock that is moved by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2 as httpx

from connector.model.orders import Order
from connector.sandbox.server import SandboxServer
from connector.sandbox.state import State
from tests.support.redo_orders import document, order_of

STORE = "/v2.2/stores/store-1"
PUSH = f"{STORE}/custom/orders"
ORDER = f"{STORE}/orders/1001"


def some_state(**settings: Any) -> State:
    return State("store-1", "s3cret", **settings)


def an_order(**changes: Any) -> Order:
    return order_of(document(**changes))


@asynccontextmanager
async def serving(state: State, timeout: float = 20.0) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": "Bearer s3cret"}
    async with (
        SandboxServer(state) as server,
        httpx.AsyncClient(base_url=server.base_url, headers=headers, timeout=timeout) as http,
    ):
        yield http


async def push(http: httpx.AsyncClient, **changes: Any) -> httpx.Response:
    return await http.post(PUSH, content=an_order(**changes).body)


async def switch(http: httpx.AsyncClient, **switches: Any) -> None:
    (await http.post("/_sandbox/switches", json=switches)).raise_for_status()


class HandClock:
    """Time (s) that passes only by `advance`."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self.sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def time(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        until = asyncio.get_running_loop().create_future()
        self.sleepers.append((self.now + seconds, until))
        await until

    def advance(self, seconds: float) -> None:
        self.now += seconds
        for due, sleeper in list(self.sleepers):
            if due <= self.now:
                self.sleepers.remove((due, sleeper))
                if not sleeper.done():
                    sleeper.set_result(None)
