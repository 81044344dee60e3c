"""All stores that orders go to: a client for each, with its own address and secret, over shared connections' bounds.

Satisfies `Redo` of `pipeline.ports`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from connector.model.orders import Order, Outcome, Place
from connector.redo.answers import unanswered
from connector.redo.client import Answer, OnRequest, RedoClient, checked_url
from connector.redo.connection_pool import Lanes

_NO_STORE: Final = unanswered("no_store")


class Stores:
    """`stores`: for each store id, the whole endpoint and the secret. `proxy` tells which one an address is reached
    through. Raises ConfigurationError for an address or a secret that can't be sent."""

    def __init__(
        self,
        stores: Mapping[str, tuple[str, str]],
        *,
        timeout: float = 30.0,
        max_connections: int = 32,
        proxy: Callable[[str], str | None] = lambda _: None,
        on_request: OnRequest | None = None,
        on_connect: Callable[[], None] | None = None,
    ) -> None:
        self._lanes: dict[tuple[str | None, str, bytes], Lanes] = {}
        self._clients: dict[str, RedoClient] = {}
        secrets = [secret for _, secret in stores.values()]
        turn = Lanes.turns(max_connections)
        for store_id, (url, secret) in stores.items():
            lanes = self._lanes_to(url, proxy(url), turn, on_connect)
            self._clients[store_id] = RedoClient(
                url, secret, timeout=timeout, lanes=lanes, on_request=on_request, secrets=secrets
            )

    def _lanes_to(self, url: str, proxy: str | None, turn: Lanes.Turn, on_connect: Callable[[], None] | None) -> Lanes:
        """Connections are kept by host: a lane that serves two hosts would close and open all the time."""
        parts = checked_url(url)
        to = (proxy, parts.scheme, parts.netloc)
        if to not in self._lanes:
            self._lanes[to] = Lanes(turn, proxy, on_connect)
        return self._lanes[to]

    def serves(self, store_id: str) -> bool:
        return store_id in self._clients

    async def push(self, order: Order) -> Outcome:
        """Create or update one order: one request."""
        client = self._clients.get(order.store_id)
        return _NO_STORE if client is None else await client.push(order)

    async def delete(self, place: Place) -> Outcome:
        client = self._clients.get(place.store_id)
        return _NO_STORE if client is None else await client.delete(place.order_id)

    async def read(self, place: Place) -> Answer:
        client = self._clients.get(place.store_id)
        return Answer(_NO_STORE) if client is None else await client.read(place.order_id)

    async def aclose(self) -> None:
        for lanes in self._lanes.values():
            await lanes.aclose()
