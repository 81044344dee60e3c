"""`preview --all`: a dry run over every order, against what Redo last accepted. Pushes and writes nothing.

Orders are read as sweeps read them: by pages of the order table, hundreds in a query, one query at a time.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from connector.contract.field_digest import changed_fields
from connector.inspect.endpoints import changed_endpoints
from connector.inspect.orders.compare_mappings import SAME_ID, Answer, MappingReader
from connector.inspect.store import store_if_any
from connector.model.errors import LimitExceeded
from connector.model.orders import Order, OrderKey, Violation
from connector.pipeline.ports.records import Checkpoint
from connector.pipeline.sweeps.page_reader import PAGE, TOGETHER
from connector.projection import Assembler
from connector.settings.config import Settings
from connector.wiring import factories

SHOWN: Final = 5
"""Keys named of each group."""
FIRST: Final = 20
"""Orders read first: where each of them is too slow, so are the others, which are not waited for."""

Progress: TypeAlias = Callable[[int, int], None]
"""Is told how many orders of about how many were looked at."""


@dataclass(slots=True)
class _Group:
    orders: int = 0
    keys: list[OrderKey] = field(default_factory=list)

    def add(self, key: OrderKey) -> bool:
        """Whether this one is named."""
        self.orders += 1
        if len(self.keys) == SHOWN:
            return False
        self.keys.append(key)
        return True


class _Count:
    """What would become of the orders, by verdict, and why."""

    def __init__(self) -> None:
        self.verdicts: dict[str, _Group] = {name: _Group() for name in ("new", "changed", "unchanged", "refused")}
        self.verdicts |= {"missing": _Group(), "left_out": _Group()}
        self.causes: dict[str, _Group] = {}
        self.warnings: dict[str, _Group] = {}
        self.fields: Counter[str] = Counter()
        self.order_ids: dict[OrderKey, str] = {}
        self._places: set[int] = set()
        self.looked_at = 0

    def add(self, key: OrderKey, answer: Answer, accepted: Checkpoint | None) -> None:
        self.looked_at += 1
        known = accepted is not None and not accepted.missing
        groups: list[_Group] = []
        if answer.absent:
            verdict = "missing" if known else "left_out"
        else:
            wrong = answer.wrong or self._same_id(answer.order)
            verdict = "refused" if wrong else self._fit(answer.order, accepted)
            groups = [self.causes.setdefault(cause, _Group()) for cause in {it.cause for it in wrong}]
            if not wrong and answer.order is not None:
                groups = [self.warnings.setdefault(it, _Group()) for it in {it.kind for it in answer.order.warnings}]
        named = [group.add(key) for group in (self.verdicts[verdict], *groups)]
        order_id = answer.order_id or (accepted.order_id if accepted is not None else "")
        if order_id and any(named):
            self.order_ids[key] = order_id

    def _same_id(self, order: Order | None) -> tuple[Violation, ...]:
        place = hash(order and (order.store_id, order.order_id))
        if place in self._places:
            return (SAME_ID,)
        self._places.add(place)
        return ()

    def _fit(self, order: Order | None, accepted: Checkpoint | None) -> str:
        if accepted is None or order is None:
            return "new"
        if accepted.fingerprint == order.fingerprint and accepted.place == order.place and not accepted.missing:
            return "unchanged"
        self.fields.update(changed_fields(accepted.digest, order.digest))
        return "changed"

    def summary(self) -> dict[str, Any]:
        return {
            "orders": self.looked_at,
            **{name: group.orders for name, group in self.verdicts.items()},
            "causes": _listed(self.causes, "cause"),
            "warnings": _listed(self.warnings, "rule"),
            "fields": dict(self.fields.most_common()),
            "keys": {name: group.keys for name, group in self.verdicts.items() if group.keys},
            "order_ids": self.order_ids,
        }


def _listed(groups: Mapping[str, _Group], name: str) -> list[dict[str, Any]]:
    """The largest first."""
    ordered = sorted(groups.items(), key=lambda item: (-item[1].orders, item[0]))
    return [{name: text, "orders": group.orders, "keys": group.keys} for text, group in ordered]


async def preview_all(settings: Settings, progress: Progress) -> dict[str, Any]:
    """`orders`: keys of the order table that were looked at, each of which is one of `new`, `changed`, `unchanged`,
    `refused`, `missing` (Redo has it, and the mapping no row) or `left_out` (no row, and never was at Redo);
    `causes` ([{cause, orders, keys}], an order may have several), `warnings` ([{rule, orders, keys}]) of those that
    would be pushed, `fields` ({name: orders}) of the changed ones, `keys` (some of each verdict), `order_ids`.

    Raises ConfigurationError, SourceUnavailable, MappingBroken, CheckpointsUnwritable; LimitExceeded where the first
    orders are all too slow.
    """
    contract = factories.redo_contract(settings)
    projection = await factories.load_projection(settings)
    change = await changed_endpoints(settings)
    elsewhere = frozenset(one.store_id for one in change.left) if change is not None else frozenset()
    async with AsyncExitStack() as stack:
        assembler = factories.new_assembler(settings, projection)
        stack.push_async_callback(assembler.aclose)
        store = await stack.enter_async_context(store_if_any(settings))
        reader, count, total = MappingReader(assembler, contract, time.time()), _Count(), await assembler.estimate()
        progress(0, total)
        async for answers in _ahead(reader, _batches(assembler)):
            known = {} if store is None else (await store.known([*answers])).checkpoints
            for key, answer in answers.items():
                accepted = known.get(key)
                count.add(key, answer, None if accepted is None or accepted.store_id in elsewhere else accepted)
            progress(count.looked_at, max(total, count.looked_at))
    return count.summary()


async def _batches(assembler: Assembler) -> AsyncIterator[Sequence[OrderKey]]:
    """All keys of the order table in key order, few at first."""
    cursor, size = None, FIRST
    while True:
        page = await assembler.scan(cursor, size)
        for at in range(0, len(page.keys), TOGETHER):
            yield page.keys[at : at + TOGETHER]
        cursor, size = page.cursor, PAGE
        if cursor is None:
            return


async def _ahead(
    reader: MappingReader, batches: AsyncIterator[Sequence[OrderKey]]
) -> AsyncIterator[dict[OrderKey, Answer]]:
    """Each batch's answers, while the next batch is read."""
    begun: asyncio.Task[dict[OrderKey, Answer]] | None = None
    try:
        async for keys in batches:
            answers = None if begun is None else await begun
            begun = asyncio.create_task(reader.answers(keys, TOGETHER), name="reading orders")
            if answers is None:
                _refuse_slow(await begun)
                continue
            yield answers
        if begun is not None:
            yield await begun
    finally:
        if begun is not None:
            begun.cancel()


def _refuse_slow(answers: Mapping[OrderKey, Answer]) -> None:
    """Nobody waits for the statement timeout of every order."""
    if answers and all(answer.exceeds for answer in answers.values()):
        reason = next(iter(answers.values())).wrong[0].message
        hint = "mend the mapping's indexes (`redo-connector check` names them), or raise source.statement_timeout"
        raise LimitExceeded(f"{reason}, and so did each of the first {len(answers)}: no further one was read", "", hint)
