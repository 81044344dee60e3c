"""`reconcile --verify-redo`: random orders read back from Redo and compared with what the mapping says now.

Only orders whose checkpoint says that Redo has the present answer are compared: the others are on their way. Writes
nothing; fields are named by path, without their values.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from connector.contract.canonical import Ignored, ignoring
from connector.contract.field_diff import makes_none
from connector.inspect.endpoints import changed_endpoints
from connector.inspect.orders.compare_mappings import MappingReader
from connector.inspect.store import store_of
from connector.model.errors import ConfigurationError, Problem
from connector.model.orders import Order, OrderKey, Outcome, OutcomeKind
from connector.pipeline.ports.records import Checkpoint
from connector.redo.client import RedoClient
from connector.redo.readback import differences_to_readback
from connector.settings.config import Settings
from connector.wiring import factories

_AT_ONCE: Final = 4
"""Orders read back at the same time: the connector's own requests go on meanwhile."""

Settled: TypeAlias = Mapping[OrderKey, tuple[Order, Checkpoint]]


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What one order is like at Redo. Neither `absent`, `fields` nor `trouble`: as it should be."""

    absent: bool = False
    fields: tuple[str, ...] = ()
    trouble: str = ""

    @property
    def differs(self) -> bool:
        return self.absent or bool(self.fields)


async def verify(settings: Settings, size: int) -> dict[str, Any]:
    """`sampled` and `compared` (how many), `different` ([{key, fields}]), `absent` (keys), `unread` ([{key, reason}]),
    `order_ids` (of those at Redo, by key), and `underway`: how many weren't compared because their newest state isn't
    at Redo yet.

    Raises ConfigurationError, SourceUnavailable, CheckpointsUnwritable.
    """
    if (change := await changed_endpoints(settings)) is not None:
        what = f"another address or store than the connector pushes to: {change}"
        hint = "start `redo-connector run` with these settings, then ask again"
        raise ConfigurationError([Problem(what, hint, "redo.base_url")])
    async with store_of(settings) as store:
        keys = await store.random_keys(size)
    projection = await factories.load_projection(settings)
    contract = factories.redo_contract(settings)
    async with AsyncExitStack() as stack:
        assembler = factories.new_assembler(settings, projection)
        stack.push_async_callback(assembler.aclose)
        client = factories.redo_client(settings, None)
        stack.push_async_callback(client.aclose)
        reader = MappingReader(assembler, contract, time.time())
        settled = await _settled(settings, reader, keys)
        found = await _read_back(client, settled, ignoring(settings.mapping.ignore))
        # Once more where something is wrong: the order may have changed between the two looks.
        doubtful = [key for key, finding in found.items() if finding.differs]
        again = await _settled(settings, reader, doubtful)
        same = {key: pair for key, pair in again.items() if pair == settled[key]}
        found = {key: finding for key, finding in found.items() if not finding.differs or key in same}
        found |= await _read_back(client, same, ignoring(settings.mapping.ignore))
    return _summary(len(keys), found, {key: order.order_id for key, (order, _) in settled.items()})


async def _settled(settings: Settings, reader: MappingReader, keys: Sequence[OrderKey]) -> Settled:
    """The orders of which the checkpoint says that Redo has the mapping's present answer."""
    answers = await reader.answers(keys) if keys else {}
    async with store_of(settings) as store:
        checkpoints = (await store.known(keys)).checkpoints
    return {
        key: (answer.order, checkpoints[key])
        for key, answer in answers.items()
        if answer.order is not None
        and key in checkpoints
        and checkpoints[key].fingerprint == answer.order.fingerprint
        and checkpoints[key].place == answer.order.place
        and not checkpoints[key].missing
    }


async def _read_back(client: RedoClient, settled: Settled, ignored: Ignored) -> dict[OrderKey, ReadBack]:
    free = asyncio.Semaphore(_AT_ONCE)

    async def one(order: Order) -> ReadBack:
        async with free:
            answer = await client.read(order.place)
        if answer.outcome.kind is not OutcomeKind.ACCEPTED:
            return ReadBack(trouble=_trouble(answer.outcome))
        if answer.order is None:
            return ReadBack(absent=True)
        paths = differences_to_readback(order.body, answer.order)
        return ReadBack(fields=tuple(path for path in paths if not makes_none(path, ignored)))

    findings = await asyncio.gather(*(one(order) for order, _ in settled.values()))
    return dict(zip(settled, findings, strict=True))


def _trouble(outcome: Outcome) -> str:
    words = outcome.message or outcome.reason
    if outcome.status in (401, 403):
        return f"{words}; reading orders back needs the scope orders_read"
    return words


def _summary(sampled: int, found: Mapping[OrderKey, ReadBack], ids: Mapping[OrderKey, str]) -> dict[str, Any]:
    return {
        "sampled": sampled,
        "compared": sum(1 for finding in found.values() if not finding.trouble),
        "underway": sampled - len(found),
        "different": [{"key": key, "fields": [*it.fields]} for key, it in sorted(found.items()) if it.fields],
        "absent": sorted(key for key, finding in found.items() if finding.absent),
        "unread": [{"key": key, "reason": it.trouble} for key, it in sorted(found.items()) if it.trouble],
        "order_ids": {key: ids[key] for key, finding in sorted(found.items()) if finding.differs or finding.trouble},
    }
