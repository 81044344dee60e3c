"""A small OMS: rows in dictionaries, a write-ahead log, and commits that sessions see later than the stream tells.

Two commits on one row never are invisible at once: on a primary the second would wait for the first one's row lock, a
standby replays in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NamedTuple

from connector.model.changes import (
    UNKNOWN,
    Changes,
    Interest,
    Lsn,
    Operation,
    Snapshot,
    StreamIdentity,
    StreamPosition,
    StreamStart,
    TableName,
    Transaction,
    Value,
)
from connector.model.errors import SlotLost, SourceUnavailable
from connector.model.orders import Affected, Document, Lookup, OrderKey
from connector.pipeline.ports.protocols import Journal
from tests.support.sample_orders import document

IDENTITY = StreamIdentity("7", 1, "oms", "redo_connector")
FIRST_XID = 2**32 - 4
"""So that the 32-bit ids of the stream wrap early."""
BY_CUSTOMER, BY_GIFT = "customer", "@gift"
"""The routes that are a query's and the reverse index's to answer."""


class Mood(StrEnum):
    """What Redo would make of an order."""

    FINE = "fine"
    LEFT = "left"
    """The mapping leaves it out."""
    INVALID = "invalid"
    """It breaks Redo's contract: no request is spent on it."""
    CANCELLED = "cancelled"
    """Fine, and cancelled in the OMS."""
    REFUSED = "refused"
    """Redo alone refuses it."""
    DOUBLE = "double"
    """The mapping returns two rows."""
    HEAVY = "heavy"
    """Fine, and read apart from others for its size."""
    UNREADABLE = "unreadable"
    """The mapping fails for its data."""


@dataclass(frozen=True, slots=True)
class Header:
    """The row of the order table."""

    order_id: str
    store_id: str
    note: str = "a"
    mood: Mood = Mood.FINE
    customer: str = "c1"


class Row(NamedTuple):
    """The name of a row: a table's name and the row's key in it."""

    table: str
    key: str


Rows = Mapping[Row, Any]
SHOP = Row("shop", "shop")


@dataclass(frozen=True, slots=True)
class Commit:
    """`writes`: the rows' new values, None for a deleted one. `number`: 1, 2, ..., in the order of the log."""

    number: int
    writes: Rows
    transactions: tuple[Transaction, ...]

    @property
    def full_xid(self) -> int:
        return FIRST_XID + self.number

    @property
    def end_lsn(self) -> Lsn:
        return lsn(self.number)


def lsn(number: int) -> Lsn:
    """Just after the commit record."""
    return Lsn(number * 100)


@dataclass(slots=True)
class Oms:
    """`standby`: the connector reads a replica, which shows commits in the order of the log. `wall`: seconds since
    1970. `away`: why it can't be asked, None when it can."""

    wall: Callable[[], float]
    standby: bool = False
    latest: dict[Row, Any] = field(default_factory=dict)
    """The rows as they are."""
    visible: dict[Row, Any] = field(default_factory=dict)
    """The rows as sessions see them."""
    shown: int = 0
    """Commits that sessions see."""
    hidden: list[Commit] = field(default_factory=list)
    log: list[Commit] = field(default_factory=list)
    away: Exception | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    versions: dict[OrderKey, tuple[tuple[Document, ...], int]] = field(default_factory=dict)
    """How orders were read last, and how many commits were visible when they began to be so."""

    def commit(self, writes: Rows, *, hidden: bool = False, parts: bool = False) -> None:
        """`hidden`: the stream tells it before it is visible. `parts`: the stream tells it row by row."""
        if not self.standby:
            for earlier in [earlier for earlier in self.hidden if earlier.writes.keys() & writes.keys()]:
                self._show(earlier)
        number = len(self.log) + 1
        changes = [self._change(row, value) for row, value in writes.items()]
        groups = [changes[at : at + 1] for at in range(len(changes))] if parts else [changes]
        made = Commit(number, dict(writes), tuple(self._transactions(number, groups)))
        self.log.append(made)
        self.latest |= writes
        self.hidden.append(made)
        if not hidden and not (self.standby and len(self.hidden) > 1):
            self._show(made)
        self.changed.set()

    def reveal(self, count: int | None = None) -> None:
        """Show the oldest hidden commits, or all."""
        for commit in self.hidden[:count]:
            self._show(commit)

    def snapshot(self) -> Snapshot:
        following = FIRST_XID + len(self.log) + 1
        if self.standby:
            replayed = self.hidden[0].number - 1 if self.hidden else len(self.log)
            return Snapshot(following, following, frozenset(), lsn(replayed))
        running = frozenset(commit.full_xid for commit in self.hidden)
        return Snapshot(min(running, default=following), following, running)

    @property
    def end(self) -> Lsn:
        """Of the log."""
        return lsn(len(self.log))

    def _show(self, commit: Commit) -> None:
        self.hidden.remove(commit)
        self.visible |= commit.writes
        self.shown += 1

    def _change(self, row: Row, value: Any) -> Changes:
        before = self.latest.get(row)
        operation = Operation.DELETE if value is None else Operation.INSERT if before is None else Operation.UPDATE
        # The default replica identity: of a deleted row only the primary key is told.
        image: tuple[Value, ...] = (row.key, UNKNOWN if value is None else value if row.table == "gift" else None)
        return Changes(TableName("oms", row.table), operation, 1, (image,))

    def _transactions(self, number: int, groups: Sequence[Sequence[Changes]]) -> Sequence[Transaction]:
        xid, commit_lsn = (FIRST_XID + number) & 0xFFFFFFFF, Lsn(lsn(number) - 20)
        parts = [Transaction(xid, commit_lsn, None, self.wall(), tuple(group)) for group in groups]
        return [*parts[:-1], replace(parts[-1], end_lsn=lsn(number))]


def documents(rows: Rows, key: OrderKey, mapping: int, version: int) -> tuple[Document, ...]:
    """The mapping's answer for an order. `version` becomes `updatedAt`, which makes no difference."""
    header: Header | None = rows.get(Row("order", key))
    if header is None or header.mood is Mood.LEFT:
        return ()
    made = document(header.order_id, store_id=header.store_id, sales_channel=f"{rows.get(SHOP)} {mapping}")
    email = "nobody" if header.mood is Mood.INVALID else "ada@example.com"
    name = rows.get(Row("customer", header.customer), "Ada")
    made["customer"] = {"id": key, "email": email, "first_name": name, "last_name": "Lovelace"}
    made["tags"] = [header.note, *gifts(rows, key), *([REFUSED] if header.mood is Mood.REFUSED else [])]
    made["cancelled_at"] = "2026-01-01T00:00:00Z" if header.mood is Mood.CANCELLED else None
    made["line_items"][0] |= {"id": f"{key}-1", "quantity": rows.get(Row("item", key), 1)}
    made["updated_at"] = f"2026-01-01T{version // 3600:02}:{version // 60 % 60:02}:{version % 60:02}Z"
    return (made, made) if header.mood is Mood.DOUBLE else (made,)


REFUSED = "refuse me"
"""The tag of an order that Redo refuses."""


def gifts(rows: Rows, key: OrderKey) -> list[str]:
    """The child rows of an order: only their own number is in their replica identity."""
    return sorted(row.key for row, value in rows.items() if row.table == "gift" and value == key)


class OmsRoutes:
    """Satisfies `Routes`."""

    interest: Interest = {}  # noqa: RUF012 -- the port has it per instance

    def affected(self, changes: Changes) -> Affected:
        keys: set[OrderKey] = set()
        lookups: set[Lookup] = set()
        for name, belongs in changes.images:
            if changes.table.name == "shop":
                return Affected(sweep="the shop changed")
            if changes.table.name == "customer":
                lookups.add(Lookup(BY_CUSTOMER, (str(name),)))
            elif changes.table.name == "gift":
                keys |= {OrderKey(belongs)} if isinstance(belongs, str) else set()
                lookups |= {Lookup(BY_GIFT, (str(name),))} if changes.operation is not Operation.INSERT else set()
            else:
                keys.add(OrderKey(str(name)))
        return Affected(frozenset(keys), frozenset(lookups))


class Slot:
    """The replication slot. `lazy`: the server keeps a position only when it's told the next one, so that a new
    connection gets some commits again. `made`: told of every new slot."""

    def __init__(self, *, lazy: bool, made: Callable[[], None]) -> None:
        self.confirmed = Lsn(0)
        self.told = Lsn(0)
        self.lost = True
        self._lazy, self._made = lazy, made

    def tell(self, position: Lsn) -> None:
        self.confirmed = self.told if self._lazy else position
        self.told = position

    def make(self, position: Lsn) -> None:
        self.confirmed = self.told = position
        self.lost = False
        self._made()


class OmsSource:
    """Satisfies `Source`, for one process's life. `check(lsn)` is told of each acknowledgement before it counts."""

    def __init__(self, oms: Oms, slot: Slot, check: Callable[[Lsn], None]) -> None:
        self._oms, self._slot, self._check = oms, slot, check
        self.connected = False
        self.received = Lsn(0)
        self.flushed = Lsn(0)
        self.cut = asyncio.Event()
        self.stalled = False

    async def batches(self, interest: Interest, journal: Journal) -> AsyncGenerator[Sequence[Transaction], None]:
        self._demand()
        self.cut.clear()
        self.received = self.flushed = self._slot.confirmed
        await journal.begin(StreamStart(IDENTITY, self._slot.confirmed, self._oms.end))
        self.connected = True
        try:
            while True:
                self._oms.changed.clear()
                self._demand()
                if self.cut.is_set():
                    raise SourceUnavailable("the stream was cut")
                if self.flushed > self._slot.told:
                    await journal.remember(self.flushed)
                    self._slot.tell(self.flushed)
                news = [] if self.stalled else [one for one in self._oms.log if one.end_lsn > self.received]
                for commit in news:
                    for part in commit.transactions:
                        yield [part]
                    self.received = commit.end_lsn
                if not news:
                    await self._oms.changed.wait()
        finally:
            self.connected = False

    def acknowledge(self, position: Lsn) -> None:
        self._check(position)
        self.flushed = position

    def position(self) -> StreamPosition:
        return StreamPosition(self.received, self.flushed, self._oms.end, 0.0, connected=self.connected)

    def _demand(self) -> None:
        if isinstance(self._oms.away, SourceUnavailable):
            raise self._oms.away
        if self._slot.lost:
            raise SlotLost("the slot is gone", "gone")


class SlotMaker:
    """Satisfies the port `Slot`, for one process's life."""

    def __init__(self, oms: Oms, slot: Slot) -> None:
        self._oms, self._slot = oms, slot

    async def renew(self, lost: SlotLost) -> None:
        if self._oms.away is not None:
            raise SourceUnavailable("away")
        self._slot.make(self._oms.end)
