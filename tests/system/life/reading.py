"""The mapping over the small OMS. Satisfies `Assembler` for one process's life."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from connector.model.errors import OrderUnreadable
from connector.model.orders import (
    Diagnosis,
    Document,
    KeyColumn,
    KeyPage,
    KeyShape,
    Lookup,
    OrderKey,
    encoded,
    is_former,
)
from connector.model.rows import Assembly
from connector.pipeline.read.large_orders import COMMON
from tests.support.sample_orders import row as as_sent
from tests.system.life.oms import BY_GIFT, Mood, Oms, Row, documents, gifts

HEAVY = 10 * COMMON
"""Bytes that an order of that mood says it has."""


class OmsAssembler:
    """`latency`: seconds on either side of the snapshot. `mapping`: a number that shows in every order."""

    def __init__(self, oms: Oms, mapping: int, latency: float) -> None:
        self._oms, self._mapping, self.latency = oms, mapping, latency

    @property
    def fingerprint(self) -> str:
        return f"mapping {self._mapping}"

    async def assemble(self, keys: Sequence[OrderKey], largest: int | None = None, *, brief: bool = False) -> Assembly:
        rows, snapshot, shown = await self._read()
        headers = [rows.get(Row("order", key)) for key in keys]
        if any(header is not None and header.mood is Mood.UNREADABLE for header in headers):
            raise OrderUnreadable("22012 division by zero", "22012")
        heavy = [
            key for key, header in zip(keys, headers, strict=True) if header is not None and header.mood is Mood.HEAVY
        ]
        oversized = {key: HEAVY for key in heavy if largest is not None}
        found = {key: self._documents(rows, key, shown) for key in keys if key not in oversized}
        members = {key: {BY_GIFT: frozenset(encoded([name]) for name in gifts(rows, key))} for key in keys}
        sent = {key: tuple(map(as_sent, some)) for key, some in found.items() if some}
        return Assembly(snapshot, sent, members, oversized)

    def _documents(self, rows: Mapping[Row, Any], key: OrderKey, shown: int) -> tuple[Document, ...]:
        """With the version as of which the order is like that: one that stays as it is has the same row again."""
        plain = documents(rows, key, self._mapping, 0)
        before, version = self._oms.versions.get(key, ((), 0))
        if before != plain:
            self._oms.versions[key] = (plain, version := shown)
        return documents(rows, key, self._mapping, version)

    async def resolve(self, lookups: Sequence[Lookup], after: str | None, limit: int) -> KeyPage:
        rows, snapshot, _ = await self._read()
        wanted = {lookup.values[0] for lookup in lookups}
        return _page(snapshot, [row.key for row, header in _headers(rows) if header.customer in wanted], after, limit)

    async def scan(self, after: str | None, limit: int) -> KeyPage:
        rows, snapshot, _ = await self._read()
        return _page(snapshot, [row.key for row, _ in _headers(rows)], after, limit)

    @property
    def key_shape(self) -> KeyShape:
        return KeyShape("order", (KeyColumn("id", "text"),))

    async def misfits(self, keys: Sequence[OrderKey]) -> frozenset[OrderKey]:
        return frozenset(key for key in keys if is_former(key))

    async def absent(self, keys: Sequence[OrderKey]) -> frozenset[OrderKey]:
        rows, _, _ = await self._read()
        return frozenset(keys) - {OrderKey(row.key) for row, _ in _headers(rows)}

    async def estimate(self) -> int:
        return len(_headers((await self._read())[0]))

    async def sample(self, size: int) -> Sequence[OrderKey]:
        return [OrderKey(row.key) for row, _ in _headers((await self._read())[0])][:size]

    async def diagnose(self, sqlstate: str) -> Diagnosis | None:
        return None

    async def _read(self) -> tuple[dict[Row, Any], Any, int]:
        """All that is visible at one moment, and how many commits that are."""
        await asyncio.sleep(self.latency)
        if self._oms.away is not None:
            raise self._oms.away
        rows, snapshot, shown = dict(self._oms.visible), self._oms.snapshot(), self._oms.shown
        await asyncio.sleep(self.latency)
        return rows, snapshot, shown


def _headers(rows: Mapping[Row, Any]) -> list[tuple[Row, Any]]:
    return [(row, value) for row, value in rows.items() if row.table == "order" and value is not None]


def _page(snapshot: Any, keys: list[str], after: str | None, limit: int) -> KeyPage:
    some = sorted(OrderKey(key) for key in keys if key > (after or ""))[:limit]
    return KeyPage(snapshot, tuple(some), some[-1] if limit and len(some) == limit else None)
