"""`explain-order`: the story of one order, from the running connector, or, when none answers, from the store and the
mapping."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import quote

import httpx2 as httpx

from connector.checkpoints.opening import ReadOnly, open_if_any
from connector.inspect.order_story import OrderSources, OrderStories, story_terms
from connector.inspect.survey import address
from connector.model.orders import OrderKey, Place
from connector.pipeline.ports.records import Endpoint, Known
from connector.settings.config import Settings
from connector.status.order_story import as_json
from connector.wiring import factories
from connector.wiring.bounds import LONGEST_LOOK_MS

_PATIENCE = 3 * LONGEST_LOOK_MS / 1000
"""Seconds that the connector may take: others may look at orders, too."""


class _Nothing:
    """What is remembered where there is no store yet."""

    async def known(self, keys: Sequence[OrderKey]) -> Known:
        return Known({}, {})

    async def payload(self, key: OrderKey, place: Place) -> bytes | None:
        return None

    async def endpoints(self) -> list[Endpoint]:
        return []


async def story(settings: Settings, key: str) -> dict[str, Any]:
    """As `/api/orders/KEY` answers, with `running`. Raises ConfigurationError, SourceUnavailable and
    CheckpointsUnwritable where no connector runs and the order can't be looked at without."""
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"{address(settings)}/api/orders/{quote(key, safe='')}", timeout=_PATIENCE)
            found = answer.json()
            if isinstance(found, dict) and "projection" in found:
                return {"running": True, **found}
    except (httpx.HTTPError, ValueError):
        pass  # nobody there, or still starting: then what can be seen without
    projection = await factories.load_projection(settings)
    async with AsyncExitStack() as stack:
        store = await _remembered(settings, stack)
        urls = {one.store_id: one.url for one in await store.endpoints() if one.active}
        sources = OrderSources(
            store, lambda _: False, lambda: factories.assembler_for_a_person(settings, projection), urls
        )
        stories = OrderStories(story_terms(settings), None, None, lambda: sources)
        return {"running": False, **as_json(await stories.story(OrderKey(key)))}


async def _remembered(settings: Settings, stack: AsyncExitStack) -> _Nothing | ReadOnly:
    vault = factories.payload_vault(settings) if settings.status.show_values else None
    store = await open_if_any(factories.checkpoints(settings), vault)
    if store is None:
        return _Nothing()
    stack.push_async_callback(store.close)
    return store
