"""What the page needs from outside: where requests are left, and where orders are looked up. No behaviour."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from connector.model.orders import OrderKey
from connector.status.order_story import OrderPreview, OrderStory


@dataclass(frozen=True, slots=True)
class RequestStatus:
    """What became of an action: `state` is `waiting`, `running`, `done` or `failed`."""

    number: int
    verb: str
    state: str
    message: str


class Requests(Protocol):
    """Keeps what a person asks for durably; the running pipeline carries it out. Both raise ConnectorError."""

    async def ask(self, verb: str, arguments: Mapping[str, Any]) -> int:
        """The request's number."""
        ...

    async def get(self, number: int) -> RequestStatus | None: ...


class Orders(Protocol):
    async def story(self, name: str) -> OrderStory:
        """Of the order with this key, else with this id at Redo, read from the store and, with a bound, from the OMS.
        Raises CheckpointsUnwritable."""
        ...

    async def remembered(self, key: OrderKey, projection: OrderPreview) -> OrderStory:
        """The same without asking the OMS, beside what was read from it before. Raises CheckpointsUnwritable."""
        ...


@dataclass(frozen=True, slots=True)
class SiteContext:
    """What the site needs beside the facts. `token`: whoever knows it may act; None: nobody may. `hosts`: names by
    which the page may be asked for, beside addresses and names without a dot."""

    token: str | None = None
    hosts: tuple[str, ...] = ()
    show_values: bool = False
    requests: Requests | None = None
    orders: Orders | None = None
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server stops: live streams end then."""

    @property
    def acts(self) -> bool:
        return self.token is not None and self.requests is not None
