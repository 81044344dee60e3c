"""What the pipeline needs of the rooms around it: Protocols that these satisfy without importing them.

No behaviour. The checkpoint store has a file of its own (`store.py`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from connector.model.changes import Changes, Interest, Lsn, StreamPosition, StreamStart, Transaction
from connector.model.errors import SlotLost
from connector.model.orders import (
    Affected,
    Diagnosis,
    Document,
    KeyPage,
    KeyShape,
    Lookup,
    Order,
    OrderKey,
    Outcome,
    Place,
    Suspicion,
)
from connector.model.rows import Assembly
from connector.pipeline.ports.chronicle import Attempt
from connector.pipeline.ports.records import SweepKind


class Journal(Protocol):
    """What a stream must ask before it goes on: the pipeline's memory of how far it was."""

    async def begin(self, start: StreamStart) -> None:
        """Before the stream starts: is it the one that was read before, and does it go on from there?"""
        ...

    async def remember(self, lsn: Lsn) -> None:
        """Returns once it is durable that the server may be told of this flush position."""
        ...


class Source(Protocol):
    """The OMS's stream."""

    def batches(self, interest: Interest, journal: Journal) -> AsyncIterator[Sequence[Transaction]]:
        """Connect and yield what has arrived, in commit order, never an empty batch.

        Raises SourceUnavailable when cut off, SlotLost when the slot can't be read any more.
        """
        ...

    def acknowledge(self, lsn: Lsn) -> None:
        """Everything up to `lsn` (a Transaction's end_lsn) is durable here: the slot may let go of it."""
        ...

    def position(self) -> StreamPosition: ...


class Slot(Protocol):
    """The source's replication slot, as something to be made."""

    async def renew(self, lost: SlotLost) -> None:
        """Make it anew. Raises SourceUnavailable when that can't be done now, ConfigurationError when it must not be
        done without a person."""
        ...


class Routes(Protocol):
    """Changed rows to orders: pure, no I/O."""

    @property
    def interest(self) -> Interest: ...

    def affected(self, changes: Changes) -> Affected: ...


class Assembler(Protocol):
    """The mapping, run for some orders. Every method raises SourceUnavailable or MappingBroken; `assemble` and
    `resolve` also OrderUnreadable. Of a query that ran into a limit of the server's, LimitExceeded."""

    @property
    def fingerprint(self) -> str:
        """Changes when the mapping's meaning may have changed."""
        ...

    @property
    def key_shape(self) -> KeyShape | None:
        """What the texts of order keys stand for; None: not known, because the mapping couldn't be loaded."""
        ...

    async def assemble(self, keys: Sequence[OrderKey], largest: int | None = None, *, brief: bool = False) -> Assembly:
        """With no keys: just a snapshot. Orders of which a row has more than `largest` bytes are left out and named
        in `oversized`; None: what is too large to be delivered at all is unreadable. `brief`: within a small part
        of the time that a query may take."""
        ...

    async def resolve(self, lookups: Sequence[Lookup], after: str | None, limit: int) -> KeyPage:
        """Orders that any of the lookups (all of one route) leads to, in key order after a cursor."""
        ...

    async def scan(self, after: str | None, limit: int) -> KeyPage:
        """All order keys in key order after a cursor."""
        ...

    async def absent(self, keys: Sequence[OrderKey]) -> frozenset[OrderKey]:
        """Those of the keys that the order table has no row for, keys that can't be one among them."""
        ...

    async def misfits(self, keys: Sequence[OrderKey]) -> frozenset[OrderKey]:
        """Those of the keys that can't be an order's."""
        ...

    async def estimate(self) -> int:
        """About how many orders there are."""
        ...

    async def sample(self, size: int) -> Sequence[OrderKey]:
        """Some orders from all over the keys, at most so many."""
        ...

    async def diagnose(self, sqlstate: str) -> Diagnosis | None:
        """What of the mapping fails in this way whichever orders are asked for; None when that can't be told. Costs as
        much as reading all orders may, within bounds."""
        ...


class Contract(Protocol):
    """Redo's rules."""

    @property
    def signature(self) -> bytes:
        """The same only where equal documents make equal orders: changes with the rules and with the settings."""
        ...

    @property
    def terms(self) -> str:
        """What the settings say of Redo's rules. Every order is compared after it has changed."""
        ...

    def order(self, document: Document, seen_at: float) -> Order:
        """The payload for one row of the mapping. Raises InvalidOrder with the violations found."""
        ...

    def cancelled(self, payload: bytes, place: Place, now: float) -> Order | None:
        """A payload that Redo accepted, as a cancelled order; None when it was one already."""
        ...

    def suspicions(self, before: bytes, after: bytes) -> tuple[Suspicion, ...]:
        """What is suspicious about an order's traits, given those that Redo accepted (empty: nothing is known)."""
        ...

    def line_items(self, traits: bytes) -> frozenset[int]:
        """Hashes of the line item ids, each within the signed 64 bits."""
        ...

    def reused(self, traits: bytes, owners: Mapping[int, OrderKey]) -> tuple[Suspicion, ...]:
        """Of line items that other orders have, too. `owners`: these orders by the line items' hashes."""
        ...

    def changed_fields(self, before: bytes, after: bytes) -> tuple[str, ...]:
        """The top-level fields in which two digests differ; empty when that can't be told."""
        ...


class Redo(Protocol):
    """One request each. Never raises for anything the network or Redo does."""

    async def push(self, order: Order) -> Outcome: ...

    async def delete(self, place: Place) -> Outcome:
        """ACCEPTED with reason `absent` when Redo has no such order."""
        ...


class Observer(Protocol):
    """Where facts are counted. No order id ever becomes a label."""

    def transaction(self, changes: Sequence[Changes], *, whole: bool) -> None:
        """A transaction, or a part of one: `whole` when it ends here."""
        ...

    def order(self, result: str, count: int = 1) -> None:
        """`pushed`, `unchanged`, `rejected`, `invalid`, `missing`."""
        ...

    def removed(self, action: str) -> None:
        """An order that left the mapping was dealt with at Redo: `cancelled`, `deleted`."""
        ...

    def warned(self, kind: str, count: int) -> None:
        """Orders were pushed that break a rule of this name, so often."""
        ...

    def sync_latency(self, seconds: float) -> None: ...

    def assembled(self, seconds: float, keys: int) -> None: ...

    def retry(self, reason: str) -> None: ...

    def swept(self, kind: SweepKind, orders: int) -> None: ...

    def gap(self, cause: str) -> None:
        """The stream may lack changes; every order is looked at."""
        ...

    def drift(self, kind: str) -> None:
        """A reconcile found an order `missed`, `changed` or `extra`."""
        ...


class Chronicle(Protocol):
    """What happened to single orders, for people who look at one: keys and places, never a value."""

    def committed(
        self, revision: int, transaction: Transaction, affected: Sequence[tuple[Changes, frozenset[OrderKey]]]
    ) -> None:
        """A transaction (or a part of one), and the orders that each of its changes leads to without a lookup."""
        ...

    def found(self, revisions: Sequence[int], keys: Sequence[OrderKey]) -> None:
        """Orders that lookups of these revisions led to."""
        ...

    def attempted(self, attempt: Attempt) -> None: ...
