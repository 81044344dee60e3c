"""`explain-order`: the story of one order, from the running connector, or, when none answers, from the store and the
mapping."""

from __future__ import annotations

from functools import partial
from typing import Any

from connector.inspect import running_connector
from connector.inspect.orders.order_story import OrderSources, OrderStories, story_terms
from connector.inspect.store import store_if_any
from connector.settings.config import Settings
from connector.status.order_story import as_json, order_path
from connector.wiring import factories
from connector.wiring.bounds import LONGEST_LOOK_MS

_PATIENCE = 3 * LONGEST_LOOK_MS / 1000
"""Seconds that the connector may take: others may look at orders, too."""


async def story(settings: Settings, name: str) -> dict[str, Any]:
    """Of the order with this key, else with this id at Redo: as `/api/orders/KEY` answers, with `running`. Raises
    ConfigurationError, SourceUnavailable and CheckpointsUnwritable where no connector runs and the order can't be
    looked at without."""
    answer = await running_connector.ask(settings, "/api" + order_path(name), expected="projection", timeout=_PATIENCE)
    if answer is not None:
        return {"running": True, **answer}
    projection = await factories.load_projection(settings)
    new_assembler = partial(factories.assembler_for_a_person, settings, projection)
    async with store_if_any(settings, payloads=settings.status.show_values) as store:
        endpoints = [] if store is None else await store.endpoints()
        urls = {one.store_id: one.url for one in endpoints if one.active}
        sources = OrderSources(store, lambda _: False, new_assembler, urls)
        stories = OrderStories(story_terms(settings), None, None, lambda: sources)
        return {"running": False, **as_json(await stories.story(name))}
