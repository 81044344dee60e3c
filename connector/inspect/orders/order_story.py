"""The story of one order: what is remembered, what happened, and what the mapping says now.

Reads only, and never more than one order at once from the OMS.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, Protocol

from connector.checkpoints.store import ReadOnlyCheckpoints
from connector.contract.canonical import Ignored, ignoring
from connector.contract.order_builder import RedoContract
from connector.inspect.order_names import order_ids, orders_named
from connector.inspect.orders.order_preview import NOT_A_KEY, Accepted, changed_values, preview_one
from connector.model.errors import MappingBroken, SourceUnavailable
from connector.model.off_loop import off_loop
from connector.model.orders import OrderKey
from connector.pipeline.ports.protocols import Assembler
from connector.pipeline.ports.records import Checkpoint, Known
from connector.pipeline.ports.store import CheckpointStore
from connector.settings.config import Settings
from connector.status.history import History
from connector.status.order_story import OrderPreview, OrderStory, shapes
from connector.wiring.factories import redo_contract

UNREAD: Final = OrderPreview("unknown")
_PATIENCE: Final = 10.0
"""Seconds that one waits for the others who look."""


class OneOrderAssembler(Assembler, Protocol):
    """Reads one order, and is closed then."""

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class OrderSources:
    """Where a story is read from under the present mapping. `in_flight`: whether an order is in work."""

    store: CheckpointStore | ReadOnlyCheckpoints | None
    """None: there is none yet."""
    in_flight: Callable[[OrderKey], bool]
    new_assembler: Callable[[], OneOrderAssembler]
    """With a bound for its statements; it is closed after each look."""
    urls: Mapping[str, str] = field(default_factory=dict)
    """Where each store's checkpoints count."""


@dataclass(frozen=True, slots=True)
class StoryTerms:
    """How values are shown, if they are."""

    contract: RedoContract
    ignored: Ignored
    show_values: bool


def story_terms(settings: Settings) -> StoryTerms:
    """What stories need of these settings. Raises ConfigurationError as `redo_contract`."""
    return StoryTerms(redo_contract(settings), ignoring(settings.mapping.ignore), settings.status.show_values)


class OrderStories:
    """Satisfies the page's port `Orders`. `current` is None until something was built."""

    def __init__(
        self,
        terms: StoryTerms,
        history: History | None,
        since: float | None,
        current: Callable[[], OrderSources | None],
    ) -> None:
        self._terms = terms
        self._history = history
        self._since = since
        self._current = current
        self._one_look = asyncio.Semaphore(1)

    async def story(self, name: str) -> OrderStory:
        """Of the order with this key, else with this id at Redo. Raises CheckpointsUnwritable, and SourceUnavailable
        while nothing was built yet."""
        sources = self._present_sources()
        key, *others = (await orders_named(sources.store, [name]))[name]
        before = await self._remembered(sources, key, UNREAD)
        projection = await self._look(sources, key, before.checkpoint)
        # Whatever was noticed during the look counts as later than it.
        after = self._happened(sources, replace(before, projection=projection))
        return replace(after, looked=before.mark, also=await _ids(sources, others))

    async def remembered(self, key: OrderKey, projection: OrderPreview) -> OrderStory:
        """The same without asking the OMS; raises the same."""
        return await self._remembered(self._present_sources(), key, projection)

    def _present_sources(self) -> OrderSources:
        sources = self._current()
        if sources is None:
            raise SourceUnavailable("the connector is still starting: ask again in a moment")
        return sources

    async def _remembered(self, sources: OrderSources, key: OrderKey, projection: OrderPreview) -> OrderStory:
        known = Known({}, {}) if sources.store is None else await sources.store.known([key])
        checkpoint = known.checkpoints.get(key)
        story = OrderStory(
            key=key,
            as_of=time.time(),
            projection=projection,
            checkpoint=checkpoint,
            url=None if checkpoint is None else sources.urls.get(checkpoint.store_id),
            dead_letter=known.dead_letters.get(key),
            held=known.held.get(key),
            since=self._since,
        )
        return self._happened(sources, story)

    def _happened(self, sources: OrderSources, story: OrderStory) -> OrderStory:
        key, history = OrderKey(story.key), self._history
        return replace(
            story,
            in_flight=sources.in_flight(key),
            changes=history.changes_of(key) if history is not None else (),
            attempts=history.attempts_of(key) if history is not None else (),
        )

    async def _look(self, sources: OrderSources, key: OrderKey, checkpoint: Checkpoint | None) -> OrderPreview:
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._one_look.acquire()
        except TimeoutError:
            return OrderPreview("unknown", ("others look at orders just now, and one is read at a time: look again",))
        try:
            async with aclosing(sources.new_assembler()) as assembler:
                accepted = None if checkpoint is None else Accepted(checkpoint)
                found = await preview_one(assembler, self._terms.contract, key, accepted)
        except (SourceUnavailable, MappingBroken) as error:
            return OrderPreview("unknown", (str(error),))
        finally:
            self._one_look.release()
        return await self._shown(sources, key, checkpoint, found)

    async def _shown(
        self, sources: OrderSources, key: OrderKey, checkpoint: Checkpoint | None, found: dict[str, Any]
    ) -> OrderPreview:
        verdict = "absent" if found["sqlstate"] in NOT_A_KEY else found["verdict"]
        problems = tuple(found["problems"]) if verdict != "absent" else ()
        payload = found["payload"]
        warnings = tuple(f"{one['rule']}: {one['message']}" for one in found["warnings"])
        changed, order_id = tuple(found["changed_fields"]), found["order_id"] or ""
        plain = OrderPreview(verdict, problems, changed, shapes(payload or {}), warnings=warnings, order_id=order_id)
        if not self._terms.show_values or payload is None:
            return plain
        before = None
        if checkpoint is not None and sources.store is not None:
            before = await sources.store.payload(key, checkpoint.place)
        return await off_loop(partial(self._with_values, plain, before, found))

    def _with_values(self, plain: OrderPreview, before: bytes | None, found: dict[str, Any]) -> OrderPreview:
        values = None if before is None else self._values(before, found["body"])
        whole = json.dumps(found["payload"], indent=2, ensure_ascii=False)
        return replace(plain, payload=whole, values=values)

    def _values(self, before: bytes, body: bytes) -> tuple[tuple[str, str, str], ...]:
        found = changed_values(before, body, self._terms.ignored)
        return tuple((path, _text(old), _text(new)) for path, old, new in found)


async def _ids(sources: OrderSources, keys: Sequence[OrderKey]) -> dict[str, str]:
    if sources.store is None or not keys:
        return {}
    return {str(key): order_id for key, order_id in order_ids(await sources.store.known(keys)).items()}


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
