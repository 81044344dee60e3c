"""`preview --mapping`: the configured mapping and another one over the same orders. Pushes and writes nothing.

Without being asked for values it gives none: orders are named by key, fields by path.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from connector.contract.canonical import Ignored, ignoring
from connector.contract.field_diff import bare
from connector.contract.order_builder import RedoContract
from connector.inspect.order_names import keys_meant
from connector.inspect.orders.order_preview import changed_values
from connector.inspect.orders.sampling import sample_orders
from connector.model.errors import ConfigurationError, InvalidOrder, LimitExceeded, OrderUnreadable, Problem
from connector.model.off_loop import off_loop
from connector.model.orders import Order, OrderKey, Violation
from connector.model.rows import Row
from connector.projection import Assembler, Projection
from connector.projection.sql.errors import condition
from connector.settings.config import Settings
from connector.wiring import factories

_BATCH: Final = 50
_WAYS: Final = 8
"""What can't be read together, because of some order's data, is read in so many parts."""
_SHOWN: Final = 5
"""Examples of changed orders, and keys of each reason for a rejection."""
_LOOKS: Final = 3
"""How often two mappings are read for an order that changes meanwhile."""
_ALONE: Final = 3
"""Orders that are read alone before a limit counts as the mapping's."""


SAME_ID: Final = Violation("id", "the mapping gives this order the same id as another one")


@dataclass(frozen=True, slots=True)
class Answer:
    """A mapping's answer for one order: the order, or what is wrong with it, or (neither) no row. `unread`: what is
    wrong is that its row can't be read; `exceeds`: within a limit of the database's. `order_id`: at Redo, empty where
    the row gives none."""

    order: Order | None = None
    wrong: tuple[Violation, ...] = ()
    unread: bool = False
    exceeds: bool = False
    order_id: str = ""

    @property
    def absent(self) -> bool:
        return self.order is None and not self.wrong


Pairs: TypeAlias = Mapping[OrderKey, tuple[Answer, Answer]]


async def compare(settings: Settings, path: Path, keys: Sequence[str], size: int, *, values: bool) -> dict[str, Any]:
    """The configured mapping against the one in the file, for the keys or for `size` orders from all over the key
    range.

    Raises ConfigurationError for a mapping that isn't fit, or that has another order key.
    """
    ignored = settings.mapping.ignore
    contract = factories.redo_contract(settings)
    present = await factories.load_projection(settings)
    mapping = settings.mapping.model_copy(update={"path": path})
    proposed = await factories.load_projection(settings.model_copy(update={"mapping": mapping}))
    _same_key(present, proposed)
    async with AsyncExitStack() as stack:
        assemblers = [factories.new_assembler(settings, projection) for projection in (present, proposed)]
        for assembler in assemblers:
            stack.push_async_callback(assembler.aclose)
        readers = [MappingReader(assembler, contract, time.time()) for assembler in assemblers]
        if keys:
            pairs = await answer_pairs(readers[0], readers[1], await keys_meant(settings, keys))
        else:
            pairs = await _sampled_pairs(readers[0], readers[1], size)
    return {"mapping": str(path), "orders": len(pairs), **_summary(pairs, ignoring(ignored), values=values)}


async def _sampled_pairs(present: MappingReader, proposed: MappingReader, size: int) -> Pairs:
    """Of `size` orders that either mapping has, and of the keys looked at for them that neither has."""
    pairs: dict[OrderKey, tuple[Answer, Answer]] = {}

    async def in_either(keys: Sequence[OrderKey]) -> set[OrderKey]:
        found = await answer_pairs(present, proposed, keys)
        pairs.update(found)
        return {key for key, (one, other) in found.items() if not (one.absent and other.absent)}

    wanted = {*(await sample_orders(present.assembler, size, in_either)).keys}
    return {key: (one, other) for key, (one, other) in pairs.items() if key in wanted or (one.absent and other.absent)}


def _same_key(present: Projection, proposed: Projection) -> None:
    one, other = ((it.order_table, it.key) for it in (present, proposed))
    if one != other:
        names = [f"{table} ({', '.join(columns)})" for table, columns in (one, other)]
        what = f"an order is a row of {names[1]} here, and of {names[0]} in the configured mapping"
        hint = "only mappings with the same order key can be compared order by order"
        raise ConfigurationError([Problem(what, hint, proposed.path)])


class MappingReader:
    """One mapping, through the contract. Orders that say no `updatedAt` get the same one each time. One query at a
    time: what is read next waits for it, not for the contract."""

    def __init__(self, assembler: Assembler, contract: RedoContract, seen_at: float) -> None:
        self.assembler = assembler
        self._contract = contract
        self._seen_at = seen_at
        self._turn = asyncio.Lock()

    async def answers(self, keys: Sequence[OrderKey], together: int = _BATCH) -> dict[OrderKey, Answer]:
        """`together`: how many orders one query reads at most."""
        found: dict[OrderKey, Answer] = {}
        for at in range(0, len(keys), together):
            found |= await self._batch(keys[at : at + together])
        return found

    async def _batch(self, keys: Sequence[OrderKey]) -> dict[OrderKey, Answer]:
        try:
            async with self._turn:
                rows = (await self.assembler.assemble(keys)).rows
        except OrderUnreadable as error:
            return {keys[0]: _unreadable(error)} if len(keys) == 1 else await self.answers(keys, -(-len(keys) // _WAYS))
        except LimitExceeded as error:
            if len(keys) == 1:
                what = f"reading this order {error.limit}"
                return {keys[0]: Answer(wrong=(Violation("", what),), unread=True, exceeds=True)}
            return await (self._singly(keys) if len(keys) <= _BATCH else self.answers(keys))
        return await off_loop(lambda: {key: self._answer(rows.get(key, ())) for key in keys})

    async def _singly(self, keys: Sequence[OrderKey]) -> dict[OrderKey, Answer]:
        """When each of the first few exceeds a limit alone, so does the mapping whichever order is read: the others are
        answered alike, unread, so that nobody waits for the statement timeout of every order."""
        found: dict[OrderKey, Answer] = {}
        for key in keys:
            if len(found) == _ALONE and all(one.exceeds for one in found.values()):
                return dict.fromkeys(keys, next(iter(found.values()))) | found
            found |= await self._batch([key])
        return found

    def _answer(self, rows: Sequence[Row]) -> Answer:
        if len(rows) > 1:
            return Answer(wrong=(Violation("", "the mapping returns several rows for it"),))
        if not rows:
            return Answer()
        try:
            order = self._contract.order(rows[0].document(), self._seen_at)
        except OrderUnreadable as error:
            return _unreadable(error)
        except InvalidOrder as error:
            wrong = tuple(it for it in error.violations if isinstance(it, Violation))
            return Answer(wrong=wrong, order_id=error.order_id)
        return Answer(order, order_id=order.order_id)


def _unreadable(error: OrderUnreadable) -> Answer:
    what = f"the mapping fails for its data: {condition(error.sqlstate)} (SQLSTATE {error.sqlstate})"
    return Answer(wrong=(Violation("", what),), unread=True)


async def answer_pairs(present: MappingReader, proposed: MappingReader, keys: Sequence[OrderKey]) -> Pairs:
    """Both answers for each order. They are read one after the other: where they differ, the first is read again, so
    that a change of the order in between isn't taken for a difference of the mappings."""
    pairs: dict[OrderKey, tuple[Answer, Answer]] = dict.fromkeys(keys, (Answer(), Answer()))
    left = list(keys)
    before = await present.answers(left)
    for _ in range(_LOOKS):
        after = await proposed.answers(left)
        pairs |= {key: (before[key], after[key]) for key in left}
        again = await present.answers([key for key in left if before[key] != after[key]])
        left = [key for key, answer in again.items() if answer != before[key]]
        before = again
        if not left:
            break
    return pairs


def _summary(pairs: Pairs, ignored: Ignored, *, values: bool) -> dict[str, Any]:
    """Counts of orders by what becomes of them, and the details of those that change or are rejected."""
    fates = {key: _fate(*pair) for key, pair in pairs.items()}
    counts = Counter(fates.values())
    fields: Counter[str] = Counter()
    examples: list[dict[str, Any]] = []
    for key in (key for key, fate in fates.items() if fate == "changed"):
        changed = _changes(*pairs[key], ignored)
        paths = list(dict.fromkeys(bare(path) for path, _, _ in changed))
        fields.update(paths)
        if len(examples) < _SHOWN:
            shown = {"values": [{"path": path, "old": old, "new": new} for path, old, new in changed]}
            examples.append({"key": key, "fields": paths, **(shown if values else {})})
    rejected = [key for key, fate in fates.items() if fate == "rejected"]
    rejections = _rejections((key, pairs[key][1]) for key in rejected)
    missing = [key for key, fate in fates.items() if fate == "missing"][:_SHOWN]
    named = [*(one["key"] for one in examples), *(key for one in rejections for key in one["keys"]), *missing]
    return {
        **{fate: counts[fate] for fate in ("unchanged", "changed", "rejected", "missing", "new", "mended", "neither")},
        "rejected_already": sum(1 for key in rejected if pairs[key][0].wrong),
        "fields": dict(sorted(fields.items(), key=lambda item: (-item[1], item[0]))),
        "examples": examples,
        "rejections": rejections,
        "missing_keys": missing,
        "order_ids": {key: found for key in named if (found := _order_id(*pairs[key]))},
    }


def _order_id(present: Answer, proposed: Answer) -> str:
    return present.order_id or proposed.order_id


def _fate(present: Answer, proposed: Answer) -> str:
    if proposed.wrong:
        return "rejected"
    if proposed.order is None:
        return "neither" if present.absent else "missing"
    if present.order is None:
        return "new" if present.absent else "mended"
    return "unchanged" if present.order.fingerprint == proposed.order.fingerprint else "changed"


def _changes(present: Answer, proposed: Answer, ignored: Ignored) -> list[tuple[str, Any, Any]]:
    if present.order is None or proposed.order is None:
        return []
    return changed_values(present.order.body, proposed.order.body, ignored)


def _rejections(answers: Iterable[tuple[OrderKey, Answer]]) -> list[dict[str, Any]]:
    """Why orders are rejected: each path and message with its orders, the most frequent first."""
    reasons: dict[tuple[str, str], list[OrderKey]] = {}
    for key, answer in answers:
        for reason in dict.fromkeys((bare(it.path), it.message) for it in answer.wrong):
            reasons.setdefault(reason, []).append(key)
    return [
        {"path": path, "message": message, "orders": len(keys), "keys": keys[:_SHOWN]}
        for (path, message), keys in sorted(reasons.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
